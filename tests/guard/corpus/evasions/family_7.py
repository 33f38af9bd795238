import aioredis
import tinydb
