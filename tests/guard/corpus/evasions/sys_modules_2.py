from sys import modules

db = modules.get('sql' + 'ite3')
