import sqlite3.dbapi2
