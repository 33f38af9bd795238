import sys

db = sys.modules['sqlite3']
