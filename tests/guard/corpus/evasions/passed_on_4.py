from nbformat.sign import sqlite3
