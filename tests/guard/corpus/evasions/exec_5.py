exec("exec('import ' + 'sqlite3')")
