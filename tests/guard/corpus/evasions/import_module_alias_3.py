import importlib

db = getattr(importlib, 'import_' + 'module')('redis')
