A = 'https://sqlite.org/lang.html'
B = 'file:///tmp/sqlite'
C = 's3://bucket/redis'
