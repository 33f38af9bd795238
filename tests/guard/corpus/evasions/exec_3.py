connect = eval("__import__('sqlite3').connect")
