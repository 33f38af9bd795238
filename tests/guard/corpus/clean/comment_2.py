x = 1
#: __import__('sqlite3')
#exec('import sqlite3')
