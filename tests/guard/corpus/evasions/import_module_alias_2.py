import importlib as lib

load = lib.import_module
db = load('sqlite3')
