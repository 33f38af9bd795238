import typing as t

if t.TYPE_CHECKING:
    from asyncpg import Connection
