import sqlite3 as store
