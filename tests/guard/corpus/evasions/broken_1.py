import sqlite3

print 'python 2'
