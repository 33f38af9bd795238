from redis import Redis as Cache
