import dbm
