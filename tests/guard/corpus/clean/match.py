def f(x):
    match x:
        case {'sqlite3': name}:
            return name
        case _:
            return 'redis'
