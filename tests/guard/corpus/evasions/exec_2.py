exec(compile('from sqlite3 import connect', 'x', 'exec'))
