SOURCE = '''
import math
import sqlite3
'''
exec(SOURCE, {})
