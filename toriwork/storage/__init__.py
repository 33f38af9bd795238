"""Crash-safe plain Parquet tables: journals in front, one public file that is only ever replaced whole."""

from toriwork.storage.policy import PublishPolicy
from toriwork.storage.spec import ArrowCodec, Codec, Payload, TableSpec, unify
from toriwork.storage.table import ParquetTable

__all__ = ["ArrowCodec", "Codec", "ParquetTable", "Payload", "PublishPolicy", "TableSpec", "unify"]
