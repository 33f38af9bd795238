from subprocess import check_output as out
import sys

out([sys.executable, '-c', 'import sqlite3; print(1)'])
