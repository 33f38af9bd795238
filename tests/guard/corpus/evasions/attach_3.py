import duckdb

rows = duckdb.query("SELECT * FROM sqlite_" + "scan('old.bin', 't')")
