# import sqlite3
x = 1  # from redis import Redis; sqlite:///x
