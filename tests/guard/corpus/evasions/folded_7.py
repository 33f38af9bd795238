db = __import__(b'sqlite3'.decode())
