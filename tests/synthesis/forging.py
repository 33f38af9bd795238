"""A tamperer: takes the public file of a token log apart and puts it together again, as well as anybody could."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from toriwork.storage.columns import ParquetSource
from toriwork.storage.files import OsFiles
from toriwork.storage.footer import Facts
from toriwork.storage.head import read_head, write_head
from toriwork.storage.paths import StorePaths
from toriwork.storage.sink import ParquetSink

FIRST = bytes(20)


def read(path: Path) -> tuple[list[dict], Facts]:
    """The rows of a public file, and what its footer says."""
    facts = Facts.from_json(pq.read_metadata(path).metadata[b"toriwork.store"])
    return pq.read_table(path).to_pylist(), facts


def write_plainly(path: Path, rows: list[dict]) -> None:
    """Rows put back by somebody who knows Parquet and nothing else; the footer's texts are kept."""
    schema = pq.read_schema(path)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)


def forge(path: Path, rows: list[dict], note: str | None = None) -> None:
    """Rows put back by somebody who also mends everything that the store checks: digests, counts and HEAD."""
    _, facts = read(path)
    schema = pq.read_schema(path).remove_metadata()
    files, paths = OsFiles(), StorePaths.of(path)
    temporary = path.with_name("forged")
    handle = files.create(temporary)
    sink = ParquetSink(handle, temporary, schema)
    for batch in pa.Table.from_pylist(rows, schema=schema).to_batches():
        sink.write(batch)
    facts = sink.close(replace(facts, note=facts.note if note is None else note))
    digest = ParquetSource(handle, temporary).footer.digest
    handle.close()
    temporary.replace(path)
    head = read_head(files, paths)
    if head is not None:
        write_head(files, paths, replace(head, digest=digest, n_rows=facts.n_rows, committed=True))


def linked(row: dict, before: bytes) -> bytes:
    """The link of a row behind another, written out from what the page says about it."""
    time = row["given_timestamp"]
    given = b"" if time is None else time.encode()
    us = int(row["timestamp"].timestamp()) * 10**6 + row["timestamp"].microsecond
    head = (
        b"\x02"
        + bytes.fromhex(row["token_id"][3:])
        + bytes.fromhex(row["writer"])
        + row["sequence"].to_bytes(8, "little")
        + us.to_bytes(8, "little", signed=True)
        + (-1 if time is None else len(given)).to_bytes(4, "little", signed=True)
        + len(row["body"].encode()).to_bytes(4, "little")
    )
    return blake2b(before + head + given, digest_size=20, person=b"toriwork.chain.1").digest()


def chained(rows: list[dict]) -> list[dict]:
    """The rows with links made anew."""
    links: dict[str, bytes] = {}
    found = []
    for row in rows:
        links[row["writer"]] = linked(row, links.get(row["writer"], FIRST))
        found.append({**row, "link": links[row["writer"]].hex()})
    return found


def note_of(path: Path) -> dict:
    """The note of a public file as plain values."""
    return json.loads(read(path)[1].note)
