"""Database files: by their first bytes under any name, by their name whatever they hold, and what lies beside them."""

from __future__ import annotations

import re
from typing import NamedTuple

HEAD = 4096  #: bytes that are looked at

_SIGNS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"SQLite format 3\0", "a SQLite database"),
    (0, bytes.fromhex("377f0682"), "the write-ahead log of a SQLite database"),
    (0, bytes.fromhex("377f0683"), "the write-ahead log of a SQLite database"),
    (0, bytes.fromhex("d9d505f920a163d7"), "the rollback journal of a SQLite database"),
    (8, b"DUCK", "a DuckDB database"),
    (16, bytes.fromhex("dec0efbe"), "an LMDB database"),
    (12, bytes.fromhex("61150600"), "a Berkeley DB file"),
    (12, bytes.fromhex("62310500"), "a Berkeley DB file"),
    (0, bytes.fromhex("ce9a5713"), "a GNU dbm file"),
    (0, bytes.fromhex("cf9a5713"), "a GNU dbm file"),
    (4, b"Standard Jet DB", "an Access database"),
    (4, b"Standard ACE DB", "an Access database"),
    (0, b"REDIS0", "a Redis dump"),
    (0, b"FS21", "a file storage of ZODB"),
    (0, b"FS30", "a file storage of ZODB"),
)
_NAMES = re.compile(
    r".+\.(?:db|db3|sqlite|sqlite3|s3db|sl3|sqlitedb|duckdb|mdb|accdb|rdb|gdbm|gpkg|mbtiles|fdb)"
    r"(?:~|[.-](?:bak|old|orig|backup|copy|tmp)\d*)?\Z|appendonly\.aof\Z",
    re.IGNORECASE,
)
_SIDE = re.compile(
    r".+\.(?:db|db3|sqlite|sqlite3|s3db|sl3|sqlitedb|duckdb)(?:-(?:wal|shm|journal)|\.wal)\Z", re.IGNORECASE
)
_COVERAGE = re.compile(r"\.coverage(?:\..+)?\Z")
_MYPY = re.compile(r"(?:.*/)?\.mypy_cache/(?:[^/]+/)?cache(?:\.\d+)?\.db(?:-(?:wal|shm|journal))?\Z")
_OLE = bytes.fromhex("d0cf11e0a1b11ae1")


class Judged(NamedTuple):
    """A verdict on a file: a code and a message, or no code and why it is left alone."""

    code: str
    message: str


def judged(path: str, head: bytes) -> Judged | None:
    """Return the verdict by the first bytes and the name of a file; None when it is no database."""
    name = path.rsplit("/", 1)[-1]
    by_bytes = next((kind for at, sign, kind in _SIGNS if head[at : at + len(sign)] == sign and _is_binary(head)), "")
    if name == "CURRENT" and head.startswith(b"MANIFEST-0"):
        by_bytes = "a LevelDB database"
    by_name = _NAMES.match(name) or _SIDE.match(name)
    if not by_bytes and not by_name:
        return None
    if tool := _of_a_tool(path, name, head):
        return Judged("", tool)
    if by_bytes:
        return Judged("TWG201", f"{by_bytes}, by its first bytes")
    if _SIDE.match(name):
        return Judged("TWG203", "a side file of a database, by its name")
    return Judged("TWG202", "a database, by its name" + ("" if head else " (still empty)"))


def _is_binary(head: bytes) -> bool:
    """Tell if it is more than a text about databases."""
    return b"\0" in head or not head.isascii()


def _of_a_tool(path: str, name: str, head: bytes) -> str:
    """Why a database is a tool's own and no part of the project, or "".

    The name alone would be a hiding place: a first page that tells its tables has to tell those of the tool.
    """
    if _COVERAGE.match(name) and (b"coverage_schema" in head or b"CREATE TABLE" not in head.upper()):
        return "the data of coverage.py"
    if _MYPY.match(path) and (b"CREATE TABLE files" in head or b"CREATE TABLE" not in head.upper()):
        return "the cache of mypy"
    if name == "Thumbs.db" and head.startswith(_OLE):
        return "thumbnails of Windows"
    return ""
