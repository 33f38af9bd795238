from dbm.sqlite3 import open as opened
