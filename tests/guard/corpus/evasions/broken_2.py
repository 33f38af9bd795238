def f(:
    pass


from sqlite3 import connect
