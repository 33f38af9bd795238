"""SpectralDB: a bounded memory of spectra over the registry, and the distance of a new one to the nearest of them.

Spectra are rows of the registry (1-D vertices, kept bit for bit); a name in the metadata says to which stream they
belong. What is held in memory is only what the bounds allow; the file is not cut.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import math
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike, NDArray

from toriwork.checks import check_band
from toriwork.errors import BadInput
from toriwork.lifetime import OpenObjects
from toriwork.locks import Mutex
from toriwork.printed import one_line
from toriwork.registry.registry import TorusRegistry
from toriwork.registry.rows import restore_vertices
from toriwork.registry.shared import get_torus_registry

_LOG = logging.getLogger("toriwork.registry")
STREAM_KEY = "spectral_stream"
_COLUMNS = ("row_id", "metadata", "vertices", "vertices_dtype", "vertices_shape")
_BLOCK_NUMBERS = 2**18  # how many magnitudes are compared at once: 2 MB, whatever is held

_ALL: OpenObjects[SpectralDB] = OpenObjects(lambda spectra: spectra.after_fork())


def check_spectrum(eigenvalues: ArrayLike, name: str = "eigenvalues") -> NDArray[Any]:
    """A read-only copy of a spectrum: (n_modes,) float64 or complex128, finite; n_modes may be 0. Else BadInput."""
    try:
        given = np.asarray(eigenvalues)
    except ValueError as error:
        raise BadInput(f"{name}: expected shape (n_modes,): {error}") from error
    if given.ndim != 1 or given.dtype.kind not in "fiubc":
        raise BadInput(f"{name}: expected numbers of shape (n_modes,), got {given.dtype} {given.shape}")
    spectrum = np.array(given, dtype=np.complex128 if given.dtype.kind == "c" else np.float64)
    finite = np.isfinite(spectrum)
    if not finite.all():
        index = int(np.argmin(finite))
        raise BadInput(f"{name}: number {index} is not finite: {spectrum[index]}")
    spectrum.setflags(write=False)
    return spectrum


@dataclass(frozen=True, slots=True, eq=False)
class SpectralSignature:
    """One spectrum with what was known when it was measured.

    Parameters
    ----------
    timestamp : datetime, number or text
        When it was measured; kept as it is told.
    eigenvalues : array_like of shape (n_modes,)
        Real or complex, finite.
    hash_id : str
        The caller's name for it.
    betti_numbers : sequence of up to three numbers, optional
    coherence_state : {"local", "global", "critical"}
    gaps : sequence of float
        Differences of neighbouring magnitudes.

    Examples
    --------
    >>> from toriwork import SpectralDB
    >>> from toriwork.registry import SpectralSignature
    >>> memory = SpectralDB()
    >>> row_id = memory.add(SpectralSignature(1700000000.0, [0.5, 0.3], "first", betti_numbers=[1, 0]))
    >>> round(memory.distance([0.5, 0.2]), 3)
    0.05
    """

    timestamp: Any
    eigenvalues: NDArray[Any]
    hash_id: str
    betti_numbers: Sequence[float | None] | None = None
    coherence_state: str = "local"
    gaps: Sequence[float] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "eigenvalues", check_spectrum(self.eigenvalues))
        object.__setattr__(self, "gaps", tuple(float(gap) for gap in self.gaps))
        check_band(self.coherence_state)


def magnitudes(eigenvalues: ArrayLike) -> NDArray[np.float64]:
    """|λ| of a spectrum, largest first: (n_modes,) float64; BadInput also where a magnitude is beyond float64."""
    spectrum = check_spectrum(eigenvalues)
    with np.errstate(over="ignore"):
        sizes = np.ascontiguousarray(-np.sort(-np.abs(spectrum)), dtype=np.float64)
    if not np.isfinite(sizes).all():
        raise BadInput(f"eigenvalues: a magnitude is beyond float64: {spectrum[np.argmax(np.abs(spectrum.real))]}")
    return sizes


def spectral_distances(wanted: NDArray[np.float64], held: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Distances of one descending spectrum to each of many: (n_held,) float64.

    The mean absolute difference, the shorter spectrum padded with zeros at its small end; 0 for two empty ones. No
    metric: padding depends on the pair, so the triangle inequality fails. Each number depends on its own pair alone.
    """
    found = np.zeros(len(held))
    by_length: dict[int, list[int]] = {}
    for index, spectrum in enumerate(held):
        by_length.setdefault(len(spectrum), []).append(index)
    for length, indices in by_length.items():
        size = max(length, len(wanted))
        step = max(1, _BLOCK_NUMBERS // max(size, 1))
        for start in range(0, len(indices) if size else 0, step):
            picked = indices[start : start + step]
            block = np.concatenate([held[index] for index in picked]).reshape(len(picked), length)
            found[picked] = _summed_differences(wanted, block) / size
    return found


def _summed_differences(wanted: NDArray[np.float64], block: NDArray[np.float64]) -> NDArray[np.float64]:
    common = min(len(wanted), block.shape[1])
    with np.errstate(over="ignore"):
        shared: NDArray[np.float64] = np.abs(block[:, :common] - wanted[:common]).sum(axis=1)
        shared += block[:, common:].sum(axis=1) if common < block.shape[1] else wanted[common:].sum()
        return shared


def of_stream(stream: str, since: str = "") -> Any:
    """The rows, from a row id on, whose metadata may be of a stream: its text may stand under nested keys too."""
    mine = json.dumps({STREAM_KEY: stream}, separators=(",", ":"))[1:-1]
    where = pc.match_substring(pc.field("metadata"), mine)
    return where & (pc.field("row_id") >= since) if since else where


class SpectralDB:
    """The newest spectra of one stream of the registry; the same answers before and after a restart.

    Parameters
    ----------
    max_entries : int
        How many spectra are held and answered from.
    max_size_mb : float
        How many MiB of magnitudes; the oldest go first. A larger single spectrum is recorded but not held.
    registry : TorusRegistry, optional
        The shared one when not given. One that keeps no vertices gives none back after a restart.
    stream : str
        Only spectra of the same stream are seen.

    Raises
    ------
    BadInput
        A bound is not positive, or the stream has no name.

    Examples
    --------
    >>> from toriwork import SpectralDB
    >>> memory = SpectralDB()
    >>> memory.distance([0.5, 0.2])
    inf
    >>> row_id = memory.add([0.5, 0.3])
    >>> round(memory.distance([0.5, 0.2]), 3)
    0.05
    """

    def __init__(
        self,
        max_entries: int = 10_000,
        max_size_mb: float = 200,
        *,
        registry: TorusRegistry | None = None,
        stream: str = "spectral_db",
    ) -> None:
        if max_entries < 1 or not max_size_mb > 0:
            raise BadInput(f"max_entries, max_size_mb: expected positive numbers, got {max_entries}, {max_size_mb}")
        if not stream:
            raise BadInput(f"stream: expected a name, got {stream!r}")
        self.max_entries = max_entries
        self.max_size_mb = max_size_mb
        self.stream = stream
        self.registry = get_torus_registry() if registry is None else registry
        self._max_bytes = max_size_mb * 2**20
        self._lock = Mutex("_lock")
        self._held: deque[NDArray[np.float64]] = deque()
        self._bytes = 0
        for spectrum in self._recorded():
            self._hold(spectrum)
        _ALL.add(self)
        said = (len(self._held), one_line(stream), one_line(str(self.registry.path)))
        _LOG.info("SpectralDB loaded %d spectra of stream %s from %s", *said)

    def add(self, signature: SpectralSignature | ArrayLike, notes: Mapping[str, Any] | None = None) -> str:
        """The shape id of a spectrum, which is recorded in the registry and answered from as from now on.

        Parameters
        ----------
        signature : SpectralSignature or array_like of shape (n_modes,)
        notes : mapping, optional
            More keys for the row's metadata; :meth:`notes` finds them again.

        Raises
        ------
        BadInput
            See :class:`SpectralSignature`; or the notes have no JSON form. Nothing was recorded.
        """
        if not isinstance(signature, SpectralSignature):
            signature = _signature(signature)
        metadata = {
            **(notes or {}),
            STREAM_KEY: self.stream,
            "signature": {
                "timestamp": _time(signature.timestamp),
                "hash_id": signature.hash_id,
                "gaps": list(signature.gaps),
            },
        }
        spectrum = magnitudes(signature.eigenvalues)
        with self._lock.alone():  # held in the order of the rows
            shape_id = self.registry.record_shape(
                signature.eigenvalues, signature.betti_numbers, signature.coherence_state, metadata
            )
            self._hold(spectrum)
        return shape_id

    def distance(self, eigenvalues: ArrayLike, top_k: int = 10) -> float:
        """The distance to the nearest of the last ``top_k`` >= 1 spectra; inf when none is held.

        Magnitudes of real or complex eigenvalues count, in their unit; see :func:`spectral_distances`.
        """
        wanted = magnitudes(eigenvalues)
        held = self.last(top_k)
        return float(spectral_distances(wanted, held).min()) if held else math.inf

    def last(self, n: int) -> list[NDArray[np.float64]]:
        """The magnitudes of the newest ``n`` spectra, newest first, each descending."""
        if n < 1:
            raise BadInput(f"top_k: expected a number >= 1, got {n}")
        with self._lock.alone():
            return list(islice(reversed(self._held), n))

    def notes(self, key: str, n: int) -> list[Any]:
        """The values under a key of the notes, of the newest ``n`` spectra that have it, oldest first.

        Read from the registry: the bounds of what is held do not limit it.
        """
        where = of_stream(self.stream) & pc.match_substring(pc.field("metadata"), json.dumps(key) + ":")
        rows = self.registry.scan(["row_id", "metadata"], where).read_all().sort_by([("row_id", "descending")])
        metadata = (json.loads(text) for text in rows["metadata"].slice(0, n).to_pylist())
        return [found[key] for found in metadata if found.get(STREAM_KEY) == self.stream and key in found][::-1]

    def get_statistics(self) -> dict[str, Any]:
        """``entries`` and ``size_mb`` that are held, ``max_entries``, ``max_size_mb``, ``stream``."""
        with self._lock.alone():
            return {
                "entries": len(self._held),
                "size_mb": self._bytes / 2**20,
                "max_entries": self.max_entries,
                "max_size_mb": self.max_size_mb,
                "stream": self.stream,
            }

    def __len__(self) -> int:
        return len(self._held)

    def __repr__(self) -> str:
        return f"SpectralDB(stream={self.stream!r}): {len(self)} of at most {self.max_entries} spectra held"

    def _hold(self, spectrum: NDArray[np.float64]) -> None:
        """Take in the newest spectrum: what is held stays the longest run of newest ones within the bounds."""
        self._held.append(spectrum)
        self._bytes += spectrum.nbytes
        while len(self._held) > self.max_entries or self._bytes > self._max_bytes:
            self._bytes -= self._held.popleft().nbytes

    def _recorded(self) -> list[NDArray[np.float64]]:
        """The magnitudes of the newest spectra of the stream, oldest first; sizes are read before vertices are."""
        sizes = self.registry.scan(["row_id", "vertices_shape"], of_stream(self.stream)).read_all()
        oldest = self._oldest_within_bounds(sizes)
        if oldest is None:
            return []
        rows = self.registry.scan(_COLUMNS, of_stream(self.stream, oldest)).read_all().sort_by("row_id")
        return [spectrum for index in range(rows.num_rows) if (spectrum := self._spectrum(rows, index)) is not None]

    def after_fork(self) -> None:
        """In a child: a lock that no vanished thread holds."""
        self._lock = Mutex("_lock")

    def _oldest_within_bounds(self, sizes: pa.Table) -> str | None:
        """The row id from which on everything can be held; None when that is nothing."""
        found, n_bytes = None, 0.0
        newest = sizes.sort_by([("row_id", "descending")]).slice(0, self.max_entries)
        for row in newest.to_pylist():
            n_bytes += 8 * math.prod(row["vertices_shape"] or (0,))
            if n_bytes > self._max_bytes:
                break
            found = row["row_id"]
        return found

    def _spectrum(self, rows: pa.Table, index: int) -> NDArray[np.float64] | None:
        """The magnitudes in a row, None where it is none of this stream or its vertices were not kept."""
        values, shape = rows["vertices"][index], rows["vertices_shape"][index].as_py()
        if json.loads(rows["metadata"][index].as_py()).get(STREAM_KEY) != self.stream:
            return None
        if not values.is_valid or len(shape) != 1:
            return None
        spectrum = restore_vertices(values.values.to_numpy(), rows["vertices_dtype"][index].as_py(), shape)
        return magnitudes(spectrum) if np.isfinite(spectrum).all() else None  # of a migrated table: see compat


def _signature(eigenvalues: ArrayLike) -> SpectralSignature:
    spectrum = check_spectrum(eigenvalues)
    return SpectralSignature(time.time(), spectrum, blake2b(spectrum.tobytes(), digest_size=16).hexdigest())


def _time(timestamp: Any) -> Any:
    return timestamp.isoformat() if isinstance(timestamp, dt.date) else timestamp
