def load(path):
    import sqlite3

    return sqlite3.connect(path)
