from sqlite3 import connect as opened
