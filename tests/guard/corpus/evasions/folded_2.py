PART = 'lite3'
db = __import__(f"{'sq'}{PART}")
