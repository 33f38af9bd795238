import duckdb

duckdb.sql("SELECT count(*) FROM 'torus_registry.parquet'")
duckdb.execute("ATTACH ':memory:' AS scratch")
