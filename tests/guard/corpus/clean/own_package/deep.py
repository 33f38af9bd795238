from own_package.redis import connect
import own_package.redis as store
