lazy import sqlite3
