def f():
    'postgresql://host/data'


async def g():
    'sqlite:///x'
