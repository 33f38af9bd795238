import builtins

db = vars(builtins)['__imp' + 'ort__']('sqlite3')
