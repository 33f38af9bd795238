import sqlite3  # noqa
