"""Files of a store in which one field says something else, with checksums that are right again.

A checksum finds what went wrong by itself; these are what another program, another version or somebody could write.
``python -m tests.storage.mutants_of_files 5000`` makes that many and prints every outcome that is no answer and no
error of toriwork's.
"""

from __future__ import annotations

import json
import random
import struct
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.storage.memdisk import MemDisk, content
from tests.storage.rows import BY_HAND, CODEC, SPEC, batch, still
from toriwork.cells import diagram_store, diagrams, idea_store, ideas
from toriwork.cells.cache import BoundedCache
from toriwork.errors import ToriworkError
from toriwork.registry.codec import SPEC as SHAPES
from toriwork.registry.rows import COMPUTED, pack_shape, pack_values
from toriwork.storage import ParquetTable, TableSpec, frames
from toriwork.storage.footer import KEY_DIGEST, KEY_FACTS, footer_digest
from toriwork.storage.frames import Address, Kind
from toriwork.storage.paths import StorePaths
from toriwork.storage.seal import seal
from toriwork.synthesis.chain import Chain
from toriwork.synthesis.identity import identify
from toriwork.synthesis.log import token_spec
from toriwork.synthesis.retention import LogRetention
from toriwork.topology import persistence

BASE = Path("/state/table.parquet")
Disk = dict[str, bytes]
Mutant = tuple[str, Disk]
_ZEROS = b"0" * 64
_FIELD = KEY_DIGEST + b"\x18\x40"

VALUES: list[Any] = [
    *(None, True, -1, 0, 1, 2**31, 2**32, 2**63 - 1, 2**63, 10**400, 1.5, 1e300),
    *("", "x", "\ud800", "0" * 32, "g" * 32, "ab" * 16, "ab" * 32, "../../x"),
    *([], [1], [[]], {}, {"x": 1}, {"ab" * 16: -1}, {"ab" * 16: [2, 1]}, {"ab" * 16: 2**70}, {"ab" * 16: None}),
]
WORDS = ["NaN", "Infinity", "-Infinity", "1e999", "9" * 5000, "[" * 3000 + "]" * 3000, '{"a":1,"a":2}']


# ---- what is mutated ---------------------------------------------------------------------------------------------


def shape_frames() -> list[tuple[bytes, int, int]]:
    cloud = np.arange(6.0).reshape(3, 2)
    given = [pack_shape(cloud + n, (1, 0, 0), "local", {"n": n}).row for n in range(3)]
    waiting = pack_shape(cloud, None, "global", None).row
    return [(given[0] + given[1], 2, Kind.ROWS), (waiting, 1, Kind.OPEN), (given[2], 1, Kind.ROWS)]


def token_frames() -> list[tuple[bytes, int, int]]:
    chain, found = Chain(0), []
    for n in range(3):
        identity = identify({"type": "t", "source": "s", "n": n, "refs": ["t1:" + "ab" * 20], "big": 2**60})
        payload, chain.link = chain.pack(identity.digest, n, b"then" if n else None, identity.body)
        chain.sequence += 1
        found.append((payload, 1, Kind.ROWS))
    return found


def idea_frames() -> list[tuple[bytes, int, int]]:
    codec = idea_store._CODEC
    found = []
    for n in range(3):
        row = dict.fromkeys(ideas.SCHEMA.names) | {"idea_id": f"i{n}", "row_id": f"{n:032x}", "status": "protected"}
        row |= {
            "classes": [1.0, 0.5, 2.0],
            "coherence_band": "global",
            "vertices": [1.0, 2.0],
            "vertices_shape": [1, 2],
        }
        found.append((codec.encode(pa.RecordBatch.from_pylist([row], schema=ideas.SCHEMA)), 1, Kind.ROWS))
    return found


def diagram_frames() -> list[tuple[bytes, int, int]]:
    points = np.random.default_rng(0).normal(size=(6, 2))
    made = persistence(points)
    keys = [bytes([n]) * 16 for n in range(3)]
    return [(diagrams.pack(key, key, "points", made), 1, Kind.ROWS) for key in keys]


def plain_frames() -> list[tuple[bytes, int, int]]:
    return [(CODEC.encode(batch(f"a{n}", f"b{n}")), 2, Kind.ROWS) for n in range(3)]


TABLES: dict[str, tuple[TableSpec, Callable[[], list[tuple[bytes, int, int]]]]] = {
    "plain": (SPEC, plain_frames),
    "registry": (SHAPES, shape_frames),
    "tokens": (token_spec(LogRetention(1000, None, lambda note: None, now_us=lambda: 10)), token_frames),
    "ideas": (idea_store.SPEC, idea_frames),
    "diagrams": (diagram_store.DiagramStore(BASE, "process", 100, BoundedCache(1))._spec, diagram_frames),
}


@cache
def made(table: str) -> Disk:
    """A public file, a segment, and journals of dead writers."""
    spec, frames_of = TABLES[table]
    disk = MemDisk()
    with still(ParquetTable(BASE, spec, files=disk.files(), policy=BY_HAND)) as store:
        add_all(store, frames_of()[:1])
        store.flush(publish=True)
    store = still(ParquetTable(BASE, spec, files=disk.files(), policy=BY_HAND))
    plain = [found for found in frames_of() if found[2] == Kind.ROWS]
    add_all(store, plain[:2])
    store.flush(publish=False)
    with store.snapshot() as snapshot:
        assert snapshot.head is not None
        seal(disk.files(), StorePaths(BASE), spec, snapshot.head.store_id, snapshot.journals, {})
    disk.kill_processes()
    store = still(ParquetTable(BASE, spec, files=disk.files(), policy=BY_HAND))
    add_all(store, frames_of())
    store.flush(publish=False)
    disk.kill_processes()
    return dict(content(disk))


def add_all(store: ParquetTable, found: list[tuple[bytes, int, int]]) -> None:
    for payload, n_rows, kind in found:
        place = store.append(payload, n_rows, kind)
        if kind == Kind.OPEN:
            target = frames.pack_target(Address(place.journal, place.frame, 0))
            store.append(target + pack_values((1.0, 0.0), COMPUTED, "{}"), 0, Kind.DONE)
            store.append(target, 0, Kind.ATTEMPT)


# ---- mutations ---------------------------------------------------------------------------------------------------


def mutants(table: str, rng: random.Random) -> Iterator[Mutant]:
    """One store after the other, each with one thing changed, and what it was."""
    whole = made(table)
    journals = [name for name in whole if name.endswith(".journal")]
    columns = [name for name in whole if name.endswith(".parquet")]
    (head,) = [name for name in whole if name.endswith("/HEAD")]
    while True:
        what = rng.randrange(10)
        if what < 5:
            name = rng.choice(journals)
            said, data = mutated_journal(whole[name], rng)
        elif what < 6:
            name = head
            said, data = mutated_head(whole[name], rng)
        else:
            name = rng.choice(columns)
            said, data = (mutated_facts if what < 8 else mutated_columns)(whole[name], rng)
        found = {**whole, name: data}
        if name == str(BASE) and rng.random() < 0.8:  # else HEAD refuses it at once
            found[head] = with_digest(whole[head], data)
        yield f"{table}: {name.rpartition('/')[2][-12:]}: {said}", found


def mutated_journal(data: bytes, rng: random.Random) -> tuple[str, bytes]:
    header = data[: frames.FILE_HEADER_BYTES - 4]
    ident = header[28:44]
    found = frames.scan(data, ident.hex()).frames
    parts = [[*frames._FRAME_HEADER.unpack_from(data, f.offset - frames.FRAME_HEADER_BYTES)] for f in found]
    payloads = [data[f.offset : f.offset + f.length] for f in found]
    if rng.random() < 0.15:
        at, n = rng.choice([(8, 2), (10, 2), (12, 16), (28, 16), (44, 8), (52, 4)])
        header = header[:at] + extreme(n, rng) + header[at + n :]
        said = f"header at {at}"
    elif rng.random() < 0.4:
        index, (place, top) = (
            rng.randrange(len(parts)),
            rng.choice([(2, 2**64), (3, 2**64), (4, 2**64), (6, 2**32), (7, 256)]),
        )
        parts[index][place] = rng.choice([0, 1, 2, 3, 4, 5, 6, top - 1, top // 2, rng.randrange(top)]) % top
        said = f"frame {index + 1}: field {place} = {parts[index][place]}"
    elif rng.random() < 0.2:
        index, other = rng.randrange(len(parts)), rng.randrange(len(parts))
        payloads[index] = payloads[other]
        parts[index][7] = parts[other][7]
        said = f"frame {index + 1}: payload of {other + 1}"
    else:
        index = rng.randrange(len(parts))
        said, payloads[index] = mutated_bytes(payloads[index], rng)
        said = f"frame {index + 1}: {said}"
    packed = [header, struct.pack("<I", crc32(header))]
    for fields, payload in zip(parts, payloads, strict=True):
        fields[5], fields[8] = len(payload), crc32(payload)
        head = frames._FRAME_HEADER.pack(*fields)
        packed += [head, struct.pack("<I", crc32(head)), payload]
    return said, b"".join(packed)


def mutated_bytes(data: bytes, rng: random.Random) -> tuple[str, bytes]:
    way = rng.randrange(6)
    if way == 0 or not data:
        return "more", data + rng.randbytes(rng.choice([1, 8, 100]))
    if way == 1:
        cut = rng.randrange(len(data))
        return f"cut at {cut}", data[:cut]
    if way == 2:
        return "empty", b""
    n = rng.choice([1, 2, 4, 8])
    at = rng.randrange(min(len(data), 120) if way == 3 else len(data))
    return f"{n} bytes at {at}", (data[:at] + extreme(n, rng) + data[at + n :])[: len(data)]


def extreme(n: int, rng: random.Random) -> bytes:
    return rng.choice([bytes(n), b"\xff" * n, b"\xff" * (n - 1) + b"\x7f", (1).to_bytes(n, "little"), rng.randbytes(n)])


def mutated_object(raw: dict[str, Any], rng: random.Random) -> tuple[str, str]:
    name = rng.choice(sorted(raw))
    if rng.random() < 0.15:
        return f"without {name}", json.dumps({key: value for key, value in raw.items() if key != name})
    if rng.random() < 0.2:
        word = rng.choice(WORDS)
        return f"{name} = {word[:20]}", json.dumps({**raw, name: "@@"}).replace('"@@"', word)
    if rng.random() < 0.05:
        word = rng.choice(["null", "5", "[]", '"x"', "{}", "", "{", *WORDS])
        return f"= {word[:20]}", word
    value = rng.choice(VALUES)
    return f"{name} = {repr(value)[:40]}" if value != 10**400 else name, json.dumps({**raw, name: value})


def mutated_head(data: bytes, rng: random.Random) -> tuple[str, bytes]:
    said, text = mutated_object(json.loads(data.rpartition(b" ")[0]), rng)
    return said, head_of(text)


def head_of(text: str) -> bytes:
    return f"{text} {crc32(text.encode()):08x}\n".encode()


def with_digest(head: bytes, base: bytes) -> bytes:
    """HEAD that names this very public file."""
    raw = json.loads(head.rpartition(b" ")[0])
    return head_of(json.dumps({**raw, "digest": base[base.rfind(_FIELD) + len(_FIELD) :][:64].decode("latin-1")}))


def mutated_facts(data: bytes, rng: random.Random) -> tuple[str, bytes]:
    table = pq.read_table(pa.BufferReader(data))
    said, text = mutated_object(facts_of(data), rng)
    return said, written(table, text)


def mutated_columns(data: bytes, rng: random.Random) -> tuple[str, bytes]:
    table = pq.read_table(pa.BufferReader(data))
    name = rng.choice(table.column_names)
    at = table.column_names.index(name)
    way = rng.choice(["none", "other", "nulls", "type", "more", "text", "rows"])
    if way == "none":
        table = table.drop_columns([name])
    elif way == "other":
        table = table.rename_columns([("x" if found == name else found) for found in table.column_names])
    elif way == "nulls":
        table = table.set_column(at, name, pa.nulls(len(table), table.schema.field(name).type))
    elif way == "type":
        values: Any = rng.choice(
            [[1] * len(table), [b"\xff"] * len(table), [[1.5]] * len(table), [{"a": 1}] * len(table)]
        )
        table = table.set_column(at, name, pa.array(values))
    elif way == "text":
        texts = rng.choice(["", "x", "\0", "zz" * 16, "{", "[1]", "ab" * 16])
        table = table.set_column(at, name, pa.array([texts] * len(table)))
    elif way == "rows":
        table = table.slice(1)
    else:
        table = table.append_column("more", pa.array([1] * len(table)))
    return f"{way} {name}", written(table, json.dumps({**facts_of(data), "n_rows": len(table)}))


def facts_of(data: bytes) -> dict[str, Any]:
    """The facts of a file as the first format has them, which every version reads."""
    raw = json.loads(pq.read_metadata(pa.BufferReader(data)).metadata[KEY_FACTS])
    kept = ("store_id", "generation", "n_rows", "absorbed", "covers", "note")
    return {**{name: raw[name] for name in kept}, "min_reader": 1, "min_writer": 1, "data_blake2b": _ZEROS.decode()}


def written(table: pa.Table, facts: str) -> bytes:
    """A file with these rows and facts; digests that are 64 zeros in them come out right."""
    sink = pa.BufferOutputStream()
    writer = pq.ParquetWriter(sink, table.schema, write_page_checksum=True)
    writer.write_table(table)
    text = facts.encode("utf-8", "surrogatepass")
    writer.add_key_value_metadata({KEY_FACTS: text, KEY_DIGEST: _ZEROS})
    writer.close()
    whole = bytes(sink.getvalue())
    start = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    data, footer = whole[:start], whole[start:]
    at = footer.find(_ZEROS, footer.find(KEY_FACTS))
    if at >= 0 and at < footer.rfind(_FIELD):
        digest = blake2b(data, digest_size=32, person=b"toriwork.data").hexdigest().encode()
        footer = footer[:at] + digest + footer[at + 64 :]
    at = footer.rfind(_FIELD) + len(_FIELD)
    return data + footer[:at] + footer_digest(footer).encode() + footer[at + 64 :]


# ---- what comes of it --------------------------------------------------------------------------------------------


def outcome(table: str, files: Disk, **options: Any) -> str:
    """What opening, reading, checking and publishing such a store ends with: "answered", or an error's kind.

    Raises
    ------
    Exception
        Anything that is no error of toriwork's, or one that does not name a file.
    """
    disk = MemDisk()
    there = disk.files()
    for name, data in files.items():
        there.make_folder(Path(name).parent)
        handle = there.create(Path(name))
        handle.write(data)
        handle.sync()
        handle.close()
        there.sync_folder(Path(name).parent)
    spec = TABLES[table][0]
    try:
        store = still(ParquetTable(BASE, spec, files=disk.files(), policy=BY_HAND, **options))
        with store:
            str(store.verify())
            with store.snapshot() as snapshot:
                n_rows = sum(found.num_rows for found in snapshot.base_batches())
                n_rows += sum(found.num_rows for found in snapshot.pending_batches())
                assert n_rows == snapshot.n_rows()
            if not options.get("read_only"):
                store.flush(publish=True)
    except ToriworkError as error:
        if "/state/" not in str(error):
            raise AssertionError(f"no file is named: {error}") from error
        return error.kind
    finally:
        disk.kill_processes()
    return "answered"


WAYS: tuple[dict[str, Any], ...] = ({"read_only": True}, {}, {"repair": True})


def tried(n_mutants: int, seed: int = 0) -> tuple[Counter[str], list[str]]:
    """How the mutants ended, and what was no answer and no error of toriwork's."""
    rng = random.Random(seed)
    sources = {table: mutants(table, rng) for table in TABLES}
    counts: Counter[str] = Counter()
    wrong = []
    for number in range(n_mutants):
        table = list(TABLES)[number % len(TABLES)]
        said, files = next(sources[table])
        for options in WAYS:
            try:
                counts[f"{next(iter(options), 'open')}: {outcome(table, files, **options)}"] += 1
            except Exception as error:  # noqa: BLE001 - what is looked for
                where = traceback.extract_tb(error.__traceback__)[-1]
                place = f"{where.filename[-40:]}:{where.lineno}"
                wrong.append(f"{said} {options}: {type(error).__name__}: {str(error)[:150]} ({place})")
    return counts, wrong


if __name__ == "__main__":
    found, failures = tried(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    sys.stdout.write("\n".join([*map(str, sorted(found.items())), *failures, ""]))
    sys.exit(bool(failures))
