"""Crash-safe plain Parquet tables: journals in front, one public file that is only ever replaced whole."""

from toriwork.storage.policy import PublishPolicy
from toriwork.storage.spec import ArrowCodec, Codec, Payload, TableSpec, unify
from toriwork.storage.table import ParquetTable
from toriwork.storage.verify import VerifyReport

__all__ = ["ArrowCodec", "Codec", "ParquetTable", "Payload", "PublishPolicy", "TableSpec", "VerifyReport", "unify"]
