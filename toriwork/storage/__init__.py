"""Crash-safe plain Parquet tables: journals in front, one public file that is only ever replaced whole."""

from toriwork.storage.policy import PublishPolicy
from toriwork.storage.retention import Chosen, NewestPerKey, Pass, Retention, Rows
from toriwork.storage.spec import ArrowCodec, Codec, Payload, TableSpec, unify
from toriwork.storage.table import ParquetTable
from toriwork.storage.verify import VerifyReport

__all__ = [
    "ArrowCodec",
    "Chosen",
    "Codec",
    "NewestPerKey",
    "ParquetTable",
    "Pass",
    "Payload",
    "PublishPolicy",
    "Retention",
    "Rows",
    "TableSpec",
    "VerifyReport",
    "unify",
]
