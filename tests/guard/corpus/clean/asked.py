import sys

if 'sqlite3' in sys.modules:
    raise SystemExit('somebody imported sqlite3')
assert 'redis' not in sys.modules
