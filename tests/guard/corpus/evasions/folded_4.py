db = __import__('{}{}'.format('sql', 'ite3'))
