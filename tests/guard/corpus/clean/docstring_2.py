class Old:
    """sqlite:///state.db was the address; ATTACH 'x' (TYPE sqlite) worked."""

    def f(self):
        """import sqlite3"""
