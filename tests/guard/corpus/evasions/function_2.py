class Store:
    async def open(self):
        from aiosqlite import connect

        return await connect('x')
