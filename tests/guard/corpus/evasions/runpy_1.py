import runpy

runpy.run_module('sqlite3')
