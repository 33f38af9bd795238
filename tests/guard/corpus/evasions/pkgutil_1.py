import pkgutil

connect = pkgutil.resolve_name('sqlite3:connect')
