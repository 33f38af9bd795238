import os

os.system('cat dump.sql | psql mydata')
