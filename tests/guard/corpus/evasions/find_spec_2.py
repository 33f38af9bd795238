from importlib.util import find_spec as look

loader = look(name='sqlite3').loader
