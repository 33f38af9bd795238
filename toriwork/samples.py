"""The sample clouds of ``data_samples/``: what they are, where they came from, and their points, checked by sha256.

Which samples exist is written in ``data_samples/index.json`` alone; ``data_samples/make_samples.py`` makes them.
The delay embedding lives here too, for it is how a sampled series becomes a cloud.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toriwork.errors import BadInput, DamagedFile, NotFound

__all__ = ["Sample", "delay_embedding", "load_sample", "sample", "sample_index", "sample_names"]

INDEX_FILE = "index.json"
INDEX_FORMAT = 1
#: inside an installed package first, beside the package in a checkout second
FOLDERS = (Path(__file__).parent / "data_samples", Path(__file__).parent.parent / "data_samples")


@dataclass(frozen=True, slots=True)
class Sample:
    """One entry of the index: a small file and the facts about it."""

    name: str
    file: str
    sha256: str  #: 64 hex digits over the bytes of the file
    shape: tuple[int, int]  #: (n_points, n_columns)
    dtype: str  #: "float64" or "int64"
    columns: tuple[str, ...]
    homology: tuple[int, ...] | Literal["unknown"]  #: Betti numbers of dimension 0, 1, ...
    scale: float | None  #: the Rips scale (a diameter) at which ``homology`` holds; None: of the space sampled
    origin: str
    licence: str
    description: str

    def __post_init__(self) -> None:
        if len(self.sha256) != 64 or len(self.columns) != self.shape[1]:
            raise BadInput(f"sample {self.name!r}: its index entry has a bad sha256, or columns that miss its shape")


def sample_names() -> tuple[str, ...]:
    """The names of all samples, in the order of the index: real data first, then the clouds of known homology.

    Examples
    --------
    >>> from toriwork.samples import sample_names
    >>> len(sample_names()), sample_names()[-1]
    (12, 'torus')
    """
    return tuple(entry.name for entry in sample_index())


def sample_index() -> list[Sample]:
    """Every entry of the index, in its order.

    Raises
    ------
    NotFound
        There is no ``data_samples`` folder inside or beside the package.
    DamagedFile
        The index cannot be read.
    """
    return list(_entries(samples_folder()))


def sample(name: str) -> Sample:
    """The index entry of one sample.

    Raises
    ------
    NotFound
        No sample has this name; the message lists those that exist.

    Examples
    --------
    >>> from toriwork.samples import sample
    >>> sample("torus").homology
    (1, 2, 1)
    """
    known = {entry.name: entry for entry in sample_index()}
    if name not in known:
        raise NotFound(f"sample {name!r}: not in the index; known are {', '.join(known)}")
    return known[name]


def load_sample(name: str) -> NDArray[Any]:
    """The rows of one sample, shape (n_points, n_columns), in the dtype of its index entry; a fresh array each time.

    Clouds hold coordinates without a unit; ``sunspots_yearly`` holds the year and the yearly mean sunspot number.

    Raises
    ------
    NotFound
        No sample has this name.
    DamagedFile
        The file is missing, or its sha256 is not the one in the index.

    Examples
    --------
    >>> from toriwork.samples import load_sample
    >>> load_sample("torus").shape
    (400, 3)
    """
    entry = sample(name)
    path = samples_folder() / entry.file
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DamagedFile(f"{path}: not readable: {error}; restore data_samples/ from the project") from error
    _check_content(entry, path, content)
    return np.loadtxt(content.decode("ascii").splitlines(), dtype=entry.dtype, delimiter=",", skiprows=1, ndmin=2)


def delay_embedding(
    series: ArrayLike, dimension: int = 2, delay: int = 1, *, normalize: bool = False
) -> NDArray[np.float64]:
    """The cloud of windows of a series, shape (n_samples - (dimension - 1) * delay, dimension), float64, finite.

    Row i is ``series[i], series[i + delay], ..., series[i + (dimension - 1) * delay]``. A cycle of the series
    becomes a loop of the cloud; the loop is roundest when the window ``dimension * delay`` is near the period.

    Parameters
    ----------
    series : array_like of shape (n_samples,)
        Real and finite, evenly sampled, in any unit.
    dimension : int
        Number of coordinates of a point, at least 1.
    delay : int
        Number of samples between neighbouring coordinates, at least 1.
    normalize : bool
        Centre each window and scale it to length 1: what is left is the shape of the window, not its level or its
        strength, so that strong and weak cycles run along the same loop.

    Raises
    ------
    BadInput
        The series is not 1-D, real and finite, a parameter is below 1, the window is longer than the series, or a
        window that is to be normalized is constant.

    Sources
    -------
    Takens 1981, doi:10.1007/BFb0091924, theorem 1 (the embedding);
    Perea & Harer 2015, doi:10.1007/s10208-014-9206-z, sect. 4 (the window to take for a period), 5 (normalizing it).

    Examples
    --------
    >>> from toriwork.samples import delay_embedding
    >>> delay_embedding([1.0, 2.0, 3.0, 4.0], dimension=2, delay=2).tolist()
    [[1.0, 3.0], [2.0, 4.0]]
    """
    values = np.asarray(series)
    if values.ndim != 1 or values.dtype.kind not in "fiub":
        raise BadInput(f"series: expected real numbers of shape (n_samples,), got {values.dtype} {values.shape}")
    if not np.isfinite(values).all():
        raise BadInput(f"series: sample {int(np.argmin(np.isfinite(values)))} is not finite")
    if dimension < 1 or delay < 1:
        raise BadInput(f"dimension and delay: expected at least 1, got {dimension} and {delay}")
    n_points = len(values) - (dimension - 1) * delay
    if n_points < 1:
        raise BadInput(f"series: {len(values)} samples are fewer than a window of {(dimension - 1) * delay + 1}")
    places = np.arange(n_points)[:, None] + delay * np.arange(dimension)[None, :]
    cloud: NDArray[np.float64] = values.astype(np.float64)[places]
    return _normalized(cloud) if normalize else cloud


def _normalized(windows: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = windows - windows.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    # rounding leaves a constant window a length of a few units in the last place
    flat = lengths[:, 0] <= 1e-12 * np.abs(windows).max(axis=1)
    if flat.any():
        raise BadInput(f"series: the window from sample {int(flat.argmax())} on is constant and cannot be normalized")
    unit: NDArray[np.float64] = centred / lengths
    return unit


def samples_folder() -> Path:
    """The folder that holds the index.

    Raises
    ------
    NotFound
        Neither the installed package nor the checkout has one.
    """
    for folder in FOLDERS:
        if (folder / INDEX_FILE).is_file():
            return folder
    raise NotFound(f"data_samples/{INDEX_FILE}: found neither in {FOLDERS[0]} nor in {FOLDERS[1]}")


@cache
def _entries(folder: Path) -> tuple[Sample, ...]:
    path = folder / INDEX_FILE
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        if index["format"] != INDEX_FORMAT:
            raise DamagedFile(f"{path}: expected format {INDEX_FORMAT}, got {index['format']!r}")
        return tuple(_entry(**fields) for fields in index["samples"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, DamagedFile):
            raise
        raise DamagedFile(f"{path}: not readable as a sample index: {error}") from error


def _entry(*, shape: list[int], columns: list[str], homology: list[int] | str, **rest: Any) -> Sample:
    known: tuple[int, ...] | Literal["unknown"] = "unknown" if isinstance(homology, str) else tuple(homology)
    return Sample(shape=(shape[0], shape[1]), columns=tuple(columns), homology=known, **rest)


def _check_content(entry: Sample, path: Path, content: bytes) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != entry.sha256:
        raise DamagedFile(
            f"{path}: sha256 is {found[:12]}..., the index says {entry.sha256[:12]}...; "
            "restore data_samples/ from the project, or make it anew with data_samples/make_samples.py"
        )
