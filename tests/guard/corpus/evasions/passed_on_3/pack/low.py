import importlib

thing = importlib.import_module('sqlite3')
