try:
    import pysqlite3 as db
except ImportError:
    import sqlite3 as db
