print('sqlite3')
assert 'sqlalchemy' not in {'numpy'}
