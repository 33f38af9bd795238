connect = __import__('sqlite3', globals(), locals(), ['connect']).connect
