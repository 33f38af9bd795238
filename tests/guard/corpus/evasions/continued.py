import \
    sqlite3 \
    as s
