db = __import__('%s%d' % ('sqlite', 3))
