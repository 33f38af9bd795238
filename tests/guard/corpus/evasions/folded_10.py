db = __import__(''.join(chr(c + 1) for c in [114, 112, 107, 104, 115, 100, 50]))
