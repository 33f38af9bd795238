exec('import sqlite3')
