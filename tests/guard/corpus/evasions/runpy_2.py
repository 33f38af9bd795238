from runpy import run_module as go

go('sqlite3' + '.dump')
