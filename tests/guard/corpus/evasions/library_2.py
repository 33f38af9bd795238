from ctypes import cdll, util

lib = cdll.LoadLibrary(util.find_library('sqlite3'))
