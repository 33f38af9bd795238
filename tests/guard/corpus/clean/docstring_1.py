"""Formerly::

    import sqlite3
    sqlite3.connect("sqlite:///old")
"""
