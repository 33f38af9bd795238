for name in ('json', 'sqlite3'):
    globals()[name] = __import__(name)
