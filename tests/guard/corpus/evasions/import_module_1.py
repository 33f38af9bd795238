import importlib

db = importlib.import_module('sqlite3')
