import lmdb
