"""What migrated code stands on: a SpectralDB that takes older signatures, and tokens for what older monitors return.

``toriwork migrate`` lets the core modules that it deploys name these; code written anew uses
:class:`toriwork.registry.SpectralDB` and the monitors themselves.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import inspect
import json
import math
import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from pathlib import PurePath
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike

from toriwork.checks import BANDS
from toriwork.errors import BadInput
from toriwork.monitors.observing import rounded
from toriwork.registry.rows import restore_vertices
from toriwork.registry.spectral import SpectralDB, SpectralSignature, magnitudes, spectral_distances
from toriwork.synthesis import ObserverSynthesis, get_observer_synthesis

_SOURCES = {
    "origin_spectral": "origin_sentry",
    "curvature": "eigensentry",
    "braid_summary": "braid_aggregator",
    "chaos_burst": "chaos_controller",
}
#: field of a signature -> what older code calls it
CALLED: dict[str, tuple[str, ...]] = {
    "eigenvalues": ("eigenvalues", "eigenvals", "eigvals", "eigs", "spectrum", "lambdas", "values", "vec"),
    "timestamp": ("timestamp", "time", "ts", "when", "created_at", "t"),
    "hash_id": ("hash_id", "hash", "id", "key", "name", "label"),
    "betti_numbers": ("betti_numbers", "betti", "bettis"),
    "coherence_state": ("coherence_state", "coherence", "band", "state"),
    "gaps": ("gaps",),
}
_APART = ("type", "source", "subject", "refs", "references")
_FIELDS = "fields"  #: note of a row: what a signature says beside what a column is there for
_COLUMNS = ("row_id", "metadata", "vertices", "vertices_dtype", "vertices_shape", "betti0", "betti1", "betti2")

_F = TypeVar("_F", bound=Callable[..., Any])
_R = TypeVar("_R")


def as_signature(given: Any) -> SpectralSignature:
    """The signature in a mapping, a dataclass, any object with eigenvalues, or a bare array.

    Raises
    ------
    BadInput
        There are no eigenvalues in it, or they are not usable.
    """
    if isinstance(given, SpectralSignature):
        return given
    fields = given if isinstance(given, Mapping) else _attributes(given)
    found = {name: next((fields[key] for key in keys if key in fields), None) for name, keys in CALLED.items()}
    if found["eigenvalues"] is None:
        raise BadInput(f"signature: eigenvalues are wanted, given was {type(given).__name__} with {sorted(fields)}")
    state = found["coherence_state"]
    state = str(state.value if isinstance(state, Enum) else state).lower()
    betti = found["betti_numbers"]
    return SpectralSignature(
        timestamp=time.time() if found["timestamp"] is None else found["timestamp"],
        eigenvalues=found["eigenvalues"],
        hash_id="" if found["hash_id"] is None else str(found["hash_id"]),
        betti_numbers=None if betti is None else list(betti)[:3],
        coherence_state=state if state in BANDS else "local",
        gaps=() if found["gaps"] is None else found["gaps"],
    )


def _attributes(given: Any) -> dict[str, Any]:
    if isinstance(given, np.ndarray | list) or (isinstance(given, tuple) and not hasattr(given, "_fields")):
        return {"eigenvalues": given}
    names = [key for keys in CALLED.values() for key in keys if hasattr(given, key)]
    return {name: getattr(given, name) for name in names}


def _said_beside(given: Any) -> dict[str, Any]:
    """The fields of a signature that are none of the registry's, in a form that it can keep."""
    if isinstance(given, Mapping):
        fields = dict(given)
    elif dataclasses.is_dataclass(given) and not isinstance(given, type):
        fields = {field.name: getattr(given, field.name) for field in dataclasses.fields(given)}
    else:
        fields = given._asdict() if hasattr(given, "_asdict") else dict(getattr(given, "__dict__", {}))
    taken = {next((key for key in keys if key in fields), None) for keys in CALLED.values()}
    beside = {str(key): _plain(value) for key, value in fields.items() if key not in taken}
    return {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in beside.items()}


def stream_for(stream: str, path: Any, default: Any = None) -> str:
    """The stream of a memory that older code told apart by its file: its own name for the default file.

    Another file gives ``<stream>:<name of the file>``; ``:memory:`` one that nobody else has.
    """
    if path is None or path == default:
        return stream
    name = os.fspath(path)
    if name == ":memory:":
        return f"{stream}:memory:{uuid.uuid4().hex}"
    same = default is not None and PurePath(name).name == PurePath(os.fspath(default)).name
    return stream if same else f"{stream}:{PurePath(name).name}"


def revived(made: Callable[..., Any], fields: Mapping[str, Any]) -> Any:
    """An object of an older signature class, made of the fields of a row.

    Each parameter of the class gets the field that it is another word for, as its annotation wants it: times as
    ``datetime``, members of an ``Enum``, tuples. Parameters that no field answers keep their default.

    Raises
    ------
    TypeError
        The class wants more than a row has.
    """
    given = {}
    for parameter in inspect.signature(made).parameters.values():
        role = next((role for role, names in CALLED.items() if parameter.name in names and role in fields), None)
        name = parameter.name if parameter.name in fields else role
        if name is not None:
            given[parameter.name] = _as_annotated(fields[name], parameter.annotation, made)
    return made(**given)


def _as_annotated(value: Any, annotation: Any, made: Callable[..., Any]) -> Any:
    told = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    wanted = getattr(sys.modules.get(made.__module__), told, annotation)
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        return wanted(value)
    if "datetime" in told and isinstance(value, int | float):
        return dt.datetime.fromtimestamp(value, dt.UTC)
    if "datetime" in told and isinstance(value, str):
        return dt.datetime.fromisoformat(value)
    return tuple(value) if "tuple" in told.lower() and value is not None else value


class AdoptedSpectralDB(SpectralDB):
    """A :class:`~toriwork.registry.SpectralDB` that takes the signatures of older code and reads them back whole.

    ``signature_class`` is what it hands out: a class of the older code, or this library's own.
    """

    signature_class: Callable[..., Any] = SpectralSignature

    def add(self, signature: Any = None, notes: Mapping[str, Any] | None = None, **fields: Any) -> str:
        """The shape id of a signature that was recorded: an object, a mapping, an array, or its fields by name.

        Raises
        ------
        BadInput
            See :func:`as_signature`; nothing was recorded.
        """
        given = fields if signature is None else signature
        beside = {} if isinstance(given, SpectralSignature) else _said_beside(given)
        return super().add(as_signature(given), {**({_FIELDS: beside} if beside else {}), **(notes or {})})

    def distance(self, eigenvalues: ArrayLike, top_k: int = 10) -> float:
        """As :meth:`toriwork.registry.SpectralDB.distance`, whatever a subclass means by ``last``."""
        held = SpectralDB.last(self, top_k)
        return float(spectral_distances(magnitudes(eigenvalues), held).min()) if held else math.inf

    def recent(self, n: int | None = None) -> list[Any]:
        """The newest ``n`` signatures (all that are held when not given), newest first, with all that they had."""
        wanted = self.max_entries if n is None else n
        rows = self.registry.scan([*_COLUMNS, "coherence_band"], self._mine()).read_all()
        rows = rows.sort_by([("row_id", "descending")]).slice(0, wanted)
        found = (self._signature(rows, index) for index in range(rows.num_rows))
        return [signature for signature in found if signature is not None]

    def _signature(self, rows: Any, index: int) -> Any:
        """One row as an object of ``signature_class``; None where it is of another stream."""
        if self._spectrum(rows, index) is None:
            return None
        row = {name: rows[name][index] for name in rows.column_names if name != "metadata"}
        told = json.loads(rows["metadata"][index].as_py())
        kept = told.get("signature", {})
        betti = [row[name].as_py() for name in ("betti0", "betti1", "betti2")]
        while betti and betti[-1] is None:
            betti.pop()
        fields = {
            "timestamp": kept.get("timestamp"),
            "eigenvalues": np.array(
                restore_vertices(
                    row["vertices"].values.to_numpy(), row["vertices_dtype"].as_py(), row["vertices_shape"].as_py()
                )
            ),
            "hash_id": kept.get("hash_id", ""),
            "betti_numbers": betti or None,
            "coherence_state": row["coherence_band"].as_py(),
            "gaps": list(kept.get("gaps") or ()),
        }
        made = type(self).signature_class
        return (
            SpectralSignature(**fields) if made is SpectralSignature else revived(made, told.get(_FIELDS, {}) | fields)
        )

    @property
    def signatures(self) -> list[Any]:
        """All signatures that are held, oldest first."""
        return AdoptedSpectralDB.recent(self)[::-1]

    def __iter__(self) -> Iterator[Any]:
        return iter(AdoptedSpectralDB.recent(self)[::-1])

    def flush(self) -> None:
        """Return when every spectrum that was added survives a power cut."""
        self.registry.flush()

    def close(self) -> None:
        """The same: the registry belongs to the process and stays open."""
        self.flush()

    def __enter__(self) -> AdoptedSpectralDB:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def emit_measurement(monitor: Any, result: _R, kind: str) -> _R:
    """The result itself, after one token of what it says was emitted; it joins the context when it matters.

    Parameters
    ----------
    monitor : object
        Its ``synthesis``, where it has one, takes the token; else the shared one. Its ``name`` is the subject.
    result : mapping, dataclass or None
        None: nothing was measured, no token.
    kind : {"origin_spectral", "curvature", "braid_summary", "chaos_burst"}

    Raises
    ------
    StoreError
        The token log refused.
    """
    measured = (
        dataclasses.asdict(result) if dataclasses.is_dataclass(result) and not isinstance(result, type) else result
    )
    if not isinstance(measured, Mapping):
        return result
    said = {f"result_{key}" if key in _APART else str(key): _plain(value) for key, value in measured.items()}
    moment = said.pop("timestamp", None)
    bound = getattr(monitor, "synthesis", None)
    synthesis = bound if isinstance(bound, ObserverSynthesis) else get_observer_synthesis()
    name = getattr(monitor, "name", None)
    token = synthesis.emit_token(
        {
            **{key: rounded(value) for key, value in said.items()},
            "type": kind,
            "source": _SOURCES[kind],
            "subject": name if isinstance(name, str) and name else None,
            "timestamp": moment,
        }
    )
    if matters(measured, kind):
        synthesis.add_to_context(token)
    return result


def matters(result: Mapping[str, Any], kind: str) -> bool:
    """Whether a token of a result belongs into the context: the rule of the monitor of its kind."""
    if kind == "origin_spectral":
        return bool(result.get("novelty_score", 0.0) > 0.5 or result.get("dim_expansion"))
    if kind == "curvature":
        top, threshold = result.get("max_eigenvalue", 0.0), result.get("threshold", 1.0)
        return bool(result.get("action", "none") != "none" or top > 0.8 * threshold)
    if kind == "braid_summary":
        judged = result.get("classification") or result
        return bool(result.get("spike") or judged.get("novelty_score", 0.0) > 0.7)
    return True


def emitting(kind: str) -> Callable[[_F], _F]:
    """A decorator that emits a token of what a method returns, also of an async one; of a generator, for each item."""

    def decorate(function: _F) -> _F:
        if inspect.isasyncgenfunction(function):

            @functools.wraps(function)
            async def items(self: Any, *args: Any, **named: Any) -> Any:
                async for item in function(self, *args, **named):
                    yield emit_measurement(self, item, kind)

            return cast("_F", items)
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def awaited(self: Any, *args: Any, **named: Any) -> Any:
                return emit_measurement(self, await function(self, *args, **named), kind)

            return cast("_F", awaited)
        if inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def each(self: Any, *args: Any, **named: Any) -> Any:
                for item in function(self, *args, **named):
                    yield emit_measurement(self, item, kind)

            return cast("_F", each)

        @functools.wraps(function)
        def plain(self: Any, *args: Any, **named: Any) -> Any:
            return emit_measurement(self, function(self, *args, **named), kind)

        return cast("_F", plain)

    return decorate


def _plain(value: Any) -> Any:
    """A value that a token can hold: what has no form of its own is told by its type."""
    if isinstance(value, Enum):
        value = value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    if value is None or isinstance(value, bool | int | float | str | np.generic | np.ndarray):
        return value.item() if isinstance(value, np.generic) else value
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset) or hasattr(value, "__iter__"):
        return [_plain(inner) for inner in value]
    return type(value).__name__
