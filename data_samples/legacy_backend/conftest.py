"""Makes alan_backend and python importable from the tests."""
