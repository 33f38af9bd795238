import importlib


def load(name):
    return importlib.import_module(name)


db = load('sqlite3')
