db = __import__('3etilqs'[::-1])
