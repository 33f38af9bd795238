"""How the rule for Betti numbers and the law of memory came about: simulated clouds, fits and scores."""
