import duckdb

duckdb.sql("ATTACH 'old.bin' AS old (TYPE sqlite)")
