db = globals()['__builtins__'].__import__('sqlite3')
