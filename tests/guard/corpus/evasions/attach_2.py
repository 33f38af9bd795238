import duckdb

connection = duckdb.connect()
connection.execute('''
    install sqlite;
    load sqlite;
''')
