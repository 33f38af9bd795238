"""Crash-safe plain Parquet tables: journals in front, one public file that is only ever replaced whole."""

from toriwork.storage.backup import backup, find_backup
from toriwork.storage.manifest import Backup
from toriwork.storage.policy import PublishPolicy
from toriwork.storage.restore import Restored, rehearse_repair, restore
from toriwork.storage.retention import Chosen, NewestPerKey, Pass, Retention, Rows
from toriwork.storage.spec import ArrowCodec, Codec, Payload, TableSpec, unify
from toriwork.storage.table import ParquetTable
from toriwork.storage.verify import VerifyReport

__all__ = [
    "ArrowCodec",
    "Backup",
    "Chosen",
    "Codec",
    "NewestPerKey",
    "ParquetTable",
    "Pass",
    "Payload",
    "PublishPolicy",
    "Restored",
    "Retention",
    "Rows",
    "TableSpec",
    "VerifyReport",
    "backup",
    "find_backup",
    "rehearse_repair",
    "restore",
    "unify",
]
