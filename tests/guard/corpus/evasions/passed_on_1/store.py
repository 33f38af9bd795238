import sqlite3 as engine
