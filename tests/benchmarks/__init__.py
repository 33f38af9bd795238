"""That each benchmark runs and says what it should; never how fast."""
