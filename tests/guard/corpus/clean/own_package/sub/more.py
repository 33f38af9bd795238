from ..redis import connect
