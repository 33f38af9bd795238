import importlib

json, db = map(importlib.import_module, ['json', 'sqlite3'])
