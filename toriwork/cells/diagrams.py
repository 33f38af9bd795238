"""How a remembered diagram becomes bytes in a journal, a row of plain columns, and the same diagram again.

A row is found by its key: a hash of the cloud's content and of everything that the answer depends on, engine and
version included. Nothing is opened or computed here.
"""

from __future__ import annotations

import dataclasses
import json
import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from toriwork.errors import BadInput
from toriwork.storage import Payload, arrays
from toriwork.storage.frames import Address
from toriwork.storage.spec import unify
from toriwork.topology import Diagram, Provenance, Representative
from toriwork.topology.compute import scale_of
from toriwork.topology.engines import ENGINES, engine_version, pick_engine
from toriwork.topology.entry import Given

_Made = TypeVar("_Made", Diagram, Provenance)

#: filtrations whose engine can be chosen
BY_CHOICE = ("rips", "landmark")
#: of keys and rows; another layout is another key
LAYOUT = 1
SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("cloud_hash", pa.string()),  # vertices_hash of the registry
        ("given", pa.string()),  # points or distances
        ("filtration", pa.string()),
        ("parameters", pa.string()),  # of the filtration, JSON; empty when it has none
        ("max_dimension", pa.int64()),
        ("field", pa.int64()),
        ("threshold", pa.float64()),
        ("min_persistence", pa.float64()),
        ("engine", pa.string()),
        ("engine_version", pa.string()),
        ("scale", pa.string()),
        ("dimensions", pa.list_(pa.int64())),
        ("births", pa.list_(pa.float64())),
        ("deaths", pa.list_(pa.float64())),  # inf: essential, or censored
        ("censored", pa.list_(pa.bool_())),
        ("n_points", pa.int64()),
        ("seconds", pa.float64()),
        ("error", pa.float64()),
        ("diagram_filtration", pa.string()),
        ("diagram_max_dimension", pa.int64()),
        ("diagram_threshold", pa.float64()),  # where the filtration was really cut
        ("reason", pa.string()),
        ("layout", pa.int64()),
        ("representatives", pa.string()),  # JSON, those that were asked for; null: none was
        ("timestamp", pa.timestamp("us", tz="UTC")),
        ("row_id", pa.string()),
    ]
)
DICTIONARY = (
    *("given", "filtration", "parameters", "max_dimension", "field", "engine", "engine_version", "scale"),
    *("diagram_filtration", "diagram_max_dimension", "reason", "layout"),
)
#: columns of one value each, in the order in which a row's text has them; text, then whole numbers
_TEXTS = ("given", "filtration", "parameters", "engine", "engine_version", "scale", "diagram_filtration", "reason")
_INTEGERS = ("max_dimension", "field", "diagram_max_dimension", "n_points", "layout")
#: of a representative
_STORED = tuple(field.name for field in dataclasses.fields(Representative) if field.name not in ("birth", "death"))
_FLOATS = ("threshold", "min_persistence", "seconds", "error", "diagram_threshold")
# key, hash of the cloud, pairs, whether flags of censored bars follow, bytes of text, the floats
_ROW = struct.Struct(f"<16s16sI?I{len(_FLOATS)}d")


class Question(NamedTuple):
    """Everything beside the cloud that an answer depends on."""

    given: str  #: points or distances
    filtration: str
    parameters: str
    max_dimension: int
    scale: str
    field: int
    threshold: float
    min_persistence: float
    engine: str  #: of Rips the first that is installed: which one computed makes no difference
    version: str

    def seeded(self) -> Any:
        """A BLAKE2b that has seen all of it and waits for the hash of the cloud."""
        facts = [part.hex() if isinstance(part, float) else part for part in self]
        return blake2b(json.dumps(["toriwork diagram row", LAYOUT, *facts]).encode(), digest_size=16)


def question(  # noqa: PLR0913  # the arguments of persistence
    given: str,
    *,
    filtration: Any = "rips",
    max_dimension: Any = 1,
    scale: Any = None,
    engine: str = "auto",
    field: Any = 2,
    threshold: Any = math.inf,
    min_persistence: Any = 0.0,
    weights: Any = None,
    mask: Any = None,
    metric: Any = "euclidean",
    period: Any = None,
) -> Question:
    """The question to :func:`toriwork.topology.persistence` with these arguments, "auto" resolved."""
    for whole in (max_dimension, field):
        if not isinstance(whole, int | np.integer):
            raise BadInput(f"expected an integer, got {whole!r}")
    data = Given(weights=weights, mask=mask, metric=metric, period=period)
    chosen = data.filtration(filtration)
    by_choice = chosen.name in BY_CHOICE
    pick_engine(engine if by_choice else "auto", int(field))  # a name that is none is refused
    used, _ = pick_engine("auto" if by_choice else "simple" if chosen.name == "h0" else "gudhi", int(field))
    if callable(metric):
        raise BadInput("metric: expected a name, since a function may be another one tomorrow")
    return Question(
        given,
        chosen.name,
        data.facts(chosen),
        int(max_dimension),
        scale_of(chosen, scale)[0],
        int(field),
        float(threshold),
        float(min_persistence),
        used.name,
        engine_version(used),
    )


def question_of(diagram: Diagram, given: str) -> Question:
    """The question that a diagram answers, by its provenance."""
    made = diagram.provenance
    if made is None:
        raise BadInput("diagram: expected one that says how it came about, got one without provenance")
    if (made.scale, made.field) != (diagram.scale, diagram.field):
        raise BadInput(
            f"diagram: expected scale and field of its provenance, {made.scale} and {made.field}, got "
            f"{diagram.scale} and {diagram.field}"
        )
    name, version = made.engine, made.version
    if made.filtration in BY_CHOICE and (name, version) in {(e.name, engine_version(e)) for e in ENGINES}:
        used, _ = pick_engine("auto", int(made.field))  # the engines of today give one answer, bit for bit
        name, version = used.name, engine_version(used)
    return Question(
        given,
        made.filtration,
        made.parameters,
        int(made.max_dimension),
        made.scale,
        int(made.field),
        float(made.threshold),
        float(diagram.min_persistence),
        name,
        version,
    )


def pack(key: bytes, digest: bytes, given: str, diagram: Diagram, representatives: str = "") -> bytes:
    """One diagram as bytes; it has a provenance, and :func:`question_of` has passed it."""
    made = diagram.provenance
    assert made is not None  # without one there is no key
    texts = [
        *(given, made.filtration, made.parameters, made.engine, made.version, made.scale, diagram.filtration),
        *(
            made.reason,
            int(made.max_dimension),
            int(made.field),
            int(diagram.max_dimension),
            int(made.n_points),
            LAYOUT,
        ),
        *([representatives] if representatives else []),  # rows of releases that knew none have the same bytes
    ]
    text = json.dumps(texts, separators=(",", ":")).encode()
    floats = (made.threshold, diagram.min_persistence, made.seconds, made.error, diagram.threshold)
    flags = diagram.censored.tobytes() if diagram.censored.any() else b""
    head = _ROW.pack(key, digest, len(diagram.pairs), bool(flags), len(text), *floats)
    return b"".join((head, text, diagram.pairs.astype("<f8", copy=False).tobytes(), flags))


class PackedRow(NamedTuple):
    """One packed diagram, not yet decoded."""

    key: bytes
    digest: bytes
    floats: tuple[float, ...]
    text: bytes
    pairs: memoryview
    flags: memoryview  #: empty when no bar is censored


def unpack(payload: Payload) -> list[PackedRow]:
    """The rows of one frame."""
    found = []
    data, at = payload.data, 0
    for _ in range(payload.n_rows):
        key, digest, n_pairs, flagged, n_text, *floats = _ROW.unpack_from(data, at)
        at += _ROW.size
        text, at = bytes(data[at : at + n_text]), at + n_text
        pairs, at = data[at : at + 24 * n_pairs], at + 24 * n_pairs
        n_flags = n_pairs if flagged else 0
        flags, at = data[at : at + n_flags], at + n_flags
        found.append(PackedRow(key, digest, tuple(floats), text, pairs, flags))
    if at != len(data):
        raise ValueError(f"expected {payload.n_rows} diagrams in {at} bytes, got {len(data)} bytes")
    return found


class DiagramCodec:
    """Frames of packed diagrams to columns. Nothing is ever completed later."""

    def open_positions(self, payload: Payload) -> Sequence[int]:
        """No row waits for anything."""
        return ()

    def decode(self, payloads: Sequence[Payload], done: Mapping[Address, bytes]) -> pa.RecordBatch:
        """The rows of some frames as a record batch of ``SCHEMA``."""
        rows = [row for payload in payloads for row in unpack(payload)]
        times = [payload.time_ns + k for payload in payloads for k in range(payload.n_rows)]
        halves = [payload.journal[:16] for payload in payloads for _ in range(payload.n_rows)]
        # the texts of many rows are few: each is read once, and its values are spread by number
        numbers: dict[bytes, int] = {}
        which = np.array([numbers.setdefault(row.text, len(numbers)) for row in rows], dtype=np.int32)
        found = [json.loads(text) for text in numbers]
        n_facts = len(_TEXTS) + len(_INTEGERS)
        if any(len(one) not in (n_facts, n_facts + 1) for one in found):
            raise ValueError(f"expected {n_facts} facts of a diagram, got {max(map(len, found))}")
        facts = list(zip(*(one[:n_facts] for one in found), strict=True))
        stored = [one[n_facts] if len(one) > n_facts else None for one in found]
        columns = {
            "key": arrays.texts([row.key.hex() for row in rows]),
            "cloud_hash": arrays.texts([row.digest.hex() for row in rows]),
            "timestamp": arrays.times([time // 1000 for time in times]),
            "row_id": arrays.texts([f"{time:016x}{half}" for time, half in zip(times, halves, strict=True)]),
            **_bars(rows),
        }
        places = _flat(pa.int32(), which)
        for name, values in zip(_TEXTS, facts or [()] * len(_TEXTS), strict=False):
            columns[name] = arrays.texts(values).take(places)
        for name, values in zip(_INTEGERS, facts[len(_TEXTS) :] or [()] * len(_INTEGERS), strict=True):
            columns[name] = _flat(pa.int64(), np.array(values, dtype=np.int64)[which])
        columns["representatives"] = arrays.texts([stored[place] for place in which.tolist()])
        floats = np.array([row.floats for row in rows]).reshape(-1, len(_FLOATS))
        for name, column in zip(_FLOATS, floats.T, strict=True):
            columns[name] = _flat(pa.float64(), column)
        return pa.RecordBatch.from_arrays([columns[name] for name in SCHEMA.names], schema=SCHEMA)

    def needle(self, value: str) -> bytes | None:
        """Nothing: keys are found by a catalogue of all of them."""
        return None

    def upgrade(self, table: pa.Table) -> pa.Table:
        """The table in this schema, columns that it lacks as nulls."""
        return unify(table, SCHEMA)


def _bars(rows: Sequence[PackedRow]) -> dict[str, pa.Array]:
    lengths = [len(row.pairs) // 24 for row in rows]
    pairs = np.frombuffer(b"".join(row.pairs for row in rows), "<f8").reshape(-1, 3)
    flags = b"".join(row.flags if len(row.flags) else bytes(n) for row, n in zip(rows, lengths, strict=True))
    packed = np.packbits(np.frombuffer(flags, np.uint8), bitorder="little")
    return {
        "dimensions": arrays.lists(pa.int64(), lengths, pairs[:, 0].astype(np.int64).tobytes()),
        "births": arrays.lists(pa.float64(), lengths, pairs[:, 1].tobytes()),
        "deaths": arrays.lists(pa.float64(), lengths, pairs[:, 2].tobytes()),
        "censored": arrays.lists(pa.bool_(), lengths, packed.tobytes()),
    }


def _flat(of: pa.DataType, values: NDArray[Any]) -> pa.Array:
    # NaN stays NaN here, bit for bit: no number of a row is ever missing
    return pa.Array.from_buffers(of, len(values), [None, pa.py_buffer(np.ascontiguousarray(values))])


class Rows:
    """The rows of one record batch as diagrams: columns are read once, a diagram is made when it is asked for."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self.keys: list[str] = batch["key"].to_pylist()
        self._texts = [batch[name].to_pylist() for name in _TEXTS]
        self._integers = [_values(batch[name], np.int64).tolist() for name in _INTEGERS]
        self._floats = [_values(batch[name], np.float64).tolist() for name in _FLOATS]
        births = batch["births"]
        self._starts: list[int] = (_values(births.offsets, np.int32) - births.offsets[0].as_py()).tolist()
        self._pairs = np.empty((self._starts[-1], 3))
        self._pairs[:, 0] = _values(batch["dimensions"].flatten(), np.int64)
        self._pairs[:, 1] = _values(births.flatten(), np.float64)
        self._pairs[:, 2] = _values(batch["deaths"].flatten(), np.float64)
        self._censored = _bits(batch["censored"].flatten())
        self._representatives: list[str | None] = batch["representatives"].to_pylist()
        n_text = sum(len(text) for text in self._representatives if text is not None)
        self.n_bytes = self._pairs.nbytes + self._censored.nbytes + n_text + 1000 * len(self.keys)

    def diagram(self, row: int) -> Diagram:
        """The diagram of a row, with arrays of its own."""
        _, filtration, parameters, engine, version, scale, kind, reason = [column[row] for column in self._texts]
        highest, field, top, n_points, _ = [column[row] for column in self._integers]
        threshold, least, seconds, error, cut = [column[row] for column in self._floats]
        facts = (engine, version, filtration, field, scale, highest, threshold, seconds, n_points)
        made = _restored(Provenance, *facts, reason, parameters, error)
        bars = slice(self._starts[row], self._starts[row + 1])
        pairs, censored = self._pairs[bars].copy(), self._censored[bars].copy()
        pairs.setflags(write=False)
        censored.setflags(write=False)
        return _restored(Diagram, pairs, top, kind, scale, field, cut, least, censored, made)

    def representatives(self, row: int) -> str:
        """The representatives of a row, as :func:`representatives_text` gave them; empty for none."""
        return self._representatives[row] or ""


def representatives_text(found: Iterable[Representative]) -> str:
    """Representatives as JSON; births and deaths are those of the diagram."""
    return json.dumps([[getattr(one, name) for name in _STORED] for one in found], separators=(",", ":"))


def representatives_from(text: str, diagram: Diagram) -> list[Representative]:
    """The representatives of a diagram that :func:`representatives_text` has written."""
    found = []
    for values in json.loads(text) if text else ():
        facts = {name: _simplices(value) for name, value in zip(_STORED, values, strict=True)}
        birth, death = diagram.in_dimension(facts["dimension"])[facts["bar"]].tolist()
        found.append(Representative(birth=birth, death=death, **facts))
    return found


def _simplices(value: Any) -> Any:
    """Lists as tuples, as deep as they go."""
    return tuple(map(_simplices, value)) if isinstance(value, list) else value


def _restored(kind: type[_Made], *values: object) -> _Made:
    """A frozen object with these values, in the order of its fields, without the checks that it passed before."""
    made = object.__new__(kind)
    for name, value in zip(kind.__dataclass_fields__, values, strict=True):
        object.__setattr__(made, name, value)
    return made


def _values(column: pa.Array, dtype: Any) -> NDArray[Any]:
    # from the buffer: Arrow's own conversion to NumPy imports pandas
    return np.frombuffer(column.buffers()[1] or b"", dtype)[column.offset : column.offset + len(column)]


def _bits(column: pa.Array) -> NDArray[np.bool_]:
    raw = np.unpackbits(np.frombuffer(column.buffers()[1] or b"", np.uint8), bitorder="little")
    return raw[column.offset : column.offset + len(column)].view(np.bool_)
