"""A SpectralDB that takes the signatures of older code and hands them out again as objects of their own class."""

from __future__ import annotations

import json
import math
import os
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from toriwork.compat.signatures import as_signature, fields_of, other_fields, revived
from toriwork.errors import BadInput
from toriwork.registry.rows import restore_vertices
from toriwork.registry.spectral import SpectralDB, SpectralSignature, magnitudes, of_stream, spectral_distances

_FIELDS = "fields"  #: note of a row: the fields of a signature for which the registry has no place
_COLUMNS = ("row_id metadata vertices vertices_dtype vertices_shape betti0 betti1 betti2 coherence_band").split()


def stream_for(stream: str, path: Any, default: Any = None) -> str:
    """The stream of a memory that older code told apart by its file: its own name for the default file.

    Another file gives ``<stream>:<name of the file>``; ``:memory:`` one that nobody else has.
    """
    if path is None or path == default:
        return stream
    if os.fspath(path) == ":memory:":
        return f"{stream}:memory:{uuid.uuid4().hex}"
    name = PurePath(os.fspath(path)).name
    same = default is not None and name == PurePath(os.fspath(default)).name
    return stream if same else f"{stream}:{name}"


class AdoptedSpectralDB(SpectralDB):
    """A :class:`~toriwork.registry.SpectralDB` that takes the signatures of older code and reads them back whole.

    ``signature_class`` is what it hands out: a class of the older code, or this library's own.
    """

    signature_class: Callable[..., Any] = SpectralSignature
    not_null: tuple[str, ...] = ()  #: fields of a signature that may not be None, as columns of the older table
    _adopted: deque[Any] | None = None  # the signatures that are held, oldest first; read when somebody asks

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
        others = {} if isinstance(given, SpectralSignature) else other_fields(given)
        taken = as_signature(given)
        shape_id = super().add(taken, {**({_FIELDS: others} if others else {}), **(notes or {})})
        if self._adopted is not None:
            own = isinstance(self.signature_class, type) and isinstance(given, self.signature_class)
            self._adopted.append(given if own else self._made(fields_of(taken), others))
        return shape_id

    def distance(self, eigenvalues: ArrayLike, top_k: int = 10) -> float:
        """As :meth:`toriwork.registry.SpectralDB.distance`, whatever a subclass means by ``last``."""
        held = SpectralDB.last(self, top_k)
        return float(spectral_distances(magnitudes(eigenvalues), held).min()) if held else math.inf

    def recent(self, n: int | None = None) -> list[Any]:
        """The newest ``n`` signatures (all that are held when not given), newest first, with all their fields.

        They are read from the registry once; after that, signatures that this object adds are known without reading.
        """
        if self._adopted is None:
            rows = self.registry.scan(_COLUMNS, of_stream(self.stream)).read_all().sort_by([("row_id", "descending")])
            found = [self._signature(rows, index) for index in range(min(rows.num_rows, self.max_entries))]
            self._adopted = deque([one for one in reversed(found) if one is not None], self.max_entries)
        return list(islice(reversed(self._adopted), n))

    def _signature(self, rows: Any, index: int) -> Any:
        """One row as an object of ``signature_class``; None where it is of another stream."""
        if self._spectrum(rows, index) is None:
            return None
        row = rows.slice(index, 1).drop_columns(["vertices"]).to_pylist()[0]
        metadata = json.loads(row["metadata"])
        kept = metadata.get("signature", {})
        betti = [row[name] for name in ("betti0", "betti1", "betti2")]
        while betti and betti[-1] is None:
            betti.pop()
        values = rows["vertices"][index].values.to_numpy()
        fields = {
            "timestamp": kept.get("timestamp"),
            "eigenvalues": np.array(restore_vertices(values, row["vertices_dtype"], row["vertices_shape"])),
            "hash_id": kept.get("hash_id", ""),
            "betti_numbers": betti or None,
            "coherence_state": row["coherence_band"],
            "gaps": list(kept.get("gaps") or ()),
        }
        return self._made(fields, metadata.get(_FIELDS, {}))

    def _made(self, fields: dict[str, Any], others: dict[str, Any]) -> Any:
        """An object of ``signature_class``."""
        made = type(self).signature_class
        return SpectralSignature(**fields) if made is SpectralSignature else revived(made, others | fields)

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
