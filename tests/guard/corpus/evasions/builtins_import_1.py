import builtins

db = builtins.__import__('sqlite3')
