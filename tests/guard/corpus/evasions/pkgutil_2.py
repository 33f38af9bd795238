from pkgutil import find_loader

loader = find_loader('sqlite3')
