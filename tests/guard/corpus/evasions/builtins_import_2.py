db = getattr(__builtins__, '__import__')('sqlite3')
