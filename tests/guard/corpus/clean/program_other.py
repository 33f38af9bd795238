import subprocess

subprocess.run(['grep', '-r', 'import sqlite3', '.'])
subprocess.run(['echo', 'psql'])
subprocess.run('git log --grep sqlite3', shell=True)
