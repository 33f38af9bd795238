"""What migrated code stands on: a SpectralDB that takes older signatures, and tokens for what older monitors return.

``toriwork migrate`` lets the core modules that it deploys name these; code written anew uses
:class:`toriwork.registry.SpectralDB` and the monitors themselves.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import json
import math
import os
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import PurePath
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike

from toriwork.errors import BadInput
from toriwork.monitors.legacy import as_signature, fields_of, plain, revived, said_beside
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
_APART = ("type", "source", "subject", "refs", "references")
_FIELDS = "fields"  #: note of a row: what a signature says beside what a column is there for
_COLUMNS = ("row_id", "metadata", "vertices", "vertices_dtype", "vertices_shape", "betti0", "betti1", "betti2")

_F = TypeVar("_F", bound=Callable[..., Any])
_R = TypeVar("_R")


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


class AdoptedSpectralDB(SpectralDB):
    """A :class:`~toriwork.registry.SpectralDB` that takes the signatures of older code and reads them back whole.

    ``signature_class`` is what it hands out: a class of the older code, or this library's own.
    """

    signature_class: Callable[..., Any] = SpectralSignature
    not_null: tuple[str, ...] = ()  #: fields of a signature that may not be None, as columns of the older table
    _adopted: deque[Any] | None = None  # once somebody asked: the signatures that are held, oldest first

    def add(self, signature: Any = None, notes: Mapping[str, Any] | None = None, **fields: Any) -> str:
        """The shape id of a signature that was recorded: an object, a mapping, an array, or its fields by name.

        Raises
        ------
        BadInput
            See :func:`as_signature`; or a field of ``not_null`` is None. Nothing was recorded.
        """
        given = fields if signature is None else signature
        if missing := [name for name in self.not_null if getattr(given, name, None) is None]:
            raise BadInput(f"signature: expected a value for {missing[0]}, got None")
        beside = {} if isinstance(given, SpectralSignature) else said_beside(given)
        taken = as_signature(given)
        shape_id = super().add(taken, {**({_FIELDS: beside} if beside else {}), **(notes or {})})
        if self._adopted is not None:
            own = isinstance(self.signature_class, type) and isinstance(given, self.signature_class)
            self._adopted.append(given if own else self._made(fields_of(taken), beside))
        return shape_id

    def distance(self, eigenvalues: ArrayLike, top_k: int = 10) -> float:
        """As :meth:`toriwork.registry.SpectralDB.distance`, whatever a subclass means by ``last``."""
        held = SpectralDB.last(self, top_k)
        return float(spectral_distances(magnitudes(eigenvalues), held).min()) if held else math.inf

    def recent(self, n: int | None = None) -> list[Any]:
        """The newest ``n`` signatures (all that are held when not given), newest first, with all that they had.

        Read from the registry once; from then on those that this object adds are known without reading.
        """
        if self._adopted is None:
            rows = self.registry.scan([*_COLUMNS, "coherence_band"], self._mine()).read_all()
            rows = rows.sort_by([("row_id", "descending")]).slice(0, self.max_entries)
            found = [self._signature(rows, index) for index in range(rows.num_rows)]
            held = [signature for signature in reversed(found) if signature is not None]
            self._adopted = deque(held, self.max_entries)
        return list(islice(reversed(self._adopted), n))

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
        return self._made(fields, told.get(_FIELDS, {}))

    def _made(self, fields: dict[str, Any], beside: dict[str, Any]) -> Any:
        """An object of ``signature_class``."""
        made = type(self).signature_class
        return SpectralSignature(**fields) if made is SpectralSignature else revived(made, beside | fields)

    @property
    def signatures(self) -> list[Any]:
        """All signatures that are held, oldest first."""
        return AdoptedSpectralDB.recent(self)[::-1]

    def __bool__(self) -> bool:
        """True, also when nothing is held: older code says ``given or SpectralDB()``."""
        return True

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
    said = {f"result_{key}" if key in _APART else str(key): plain(value) for key, value in measured.items()}
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
