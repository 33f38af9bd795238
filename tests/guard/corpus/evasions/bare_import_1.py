db = __import__('sqlite3')
