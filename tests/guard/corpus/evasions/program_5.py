import shutil
import subprocess

program = shutil.which('sqlite3')
subprocess.call([program, 'x'])
