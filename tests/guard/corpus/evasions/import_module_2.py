from importlib import import_module

db = import_module('psycopg2.extras')
