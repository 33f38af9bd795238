class Tool:
    sqlite3 = 'no'

    def import_module(self, name):
        return name


print(Tool.sqlite3, Tool().redis if False else 1)
