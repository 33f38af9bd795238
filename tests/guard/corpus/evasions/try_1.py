try:
    import apsw
except ImportError:
    apsw = None
