import _sqlite3
