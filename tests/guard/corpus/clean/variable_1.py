sqlite3 = None
redis = {'a': 1}
print(redis['a'], sqlite3)
