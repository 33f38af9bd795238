TEXT = """
import sqlite3
from redis import Redis
"""
