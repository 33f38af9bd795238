"""The data half of leaving databases behind: what there is, where it goes, and how each step is taken back."""
