BANNED = {'sqlite3': 'sqlite', 'psycopg2': 'postgres'}
for name in BANNED:
    print(name)
