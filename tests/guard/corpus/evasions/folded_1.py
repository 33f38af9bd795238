db = __import__('sql' + 'ite3')
