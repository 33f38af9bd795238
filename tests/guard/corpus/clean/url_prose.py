import logging

logging.warning('sqlite:///old.db is no longer read')
HELP = 'an address like sqlite:///x or postgresql://y is refused'
