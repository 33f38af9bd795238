import ctypes

lib = ctypes.CDLL('libsqlite3.so.0')
