from importlib import import_module as im

db = im('sqlite3')
