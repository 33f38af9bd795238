from .redis import connect
from . import redis
