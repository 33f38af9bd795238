import importlib

DRIVERS = {'fast': 'sqlite3'}


def load(kind):
    return importlib.import_module(DRIVERS['fast'])
