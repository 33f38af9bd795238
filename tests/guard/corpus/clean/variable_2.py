def f(sqlite3, shelve=False):
    return sqlite3.connect if shelve else sqlite3
