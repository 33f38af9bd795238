db = __import__('SQLITE3'.lower().replace('x', ''))
