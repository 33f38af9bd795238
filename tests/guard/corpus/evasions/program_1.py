import subprocess

subprocess.run(['sqlite3', 'x.bin', '.dump'], check=True)
