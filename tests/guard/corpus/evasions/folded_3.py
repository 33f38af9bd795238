db = __import__(''.join(['s', 'q', 'l', 'ite3']))
