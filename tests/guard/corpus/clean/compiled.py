import re

PATTERN = re.compile(r'import sqlite3')
model = object()
# torch: model.eval()
