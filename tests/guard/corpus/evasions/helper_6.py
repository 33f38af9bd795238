from functools import partial
from importlib import import_module

opened = partial(import_module, 'sqlite3')
