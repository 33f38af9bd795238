MESSAGE = 'import sqlite3 is what we left behind'
NAMES = ['sqlite3', 'redis']
