"""Diagrams as other libraries write them, and as plain columns: one function each way.

Foreign formats know neither scale nor field; whoever reads one has to say them.  The columns and their header carry
everything, provenance included, and give back the same diagram bit for bit, through Parquet as well.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toriwork.errors import BadInput
from toriwork.topology.diagram import Diagram, Provenance, Scale

if TYPE_CHECKING:
    import pandas as pd

#: key of the header in ``DataFrame.attrs``
HEADER = "toriwork"
_FORMAT = 1


def from_gudhi(
    bars: Iterable[tuple[int, tuple[float, float]]],
    *,
    scale: Scale,
    field: int,
    filtration: str = "rips",
    max_dimension: int | None = None,
) -> Diagram:
    """The diagram of a gudhi ``persistence()`` list: (dimension, (birth, death)) per bar.

    Parameters
    ----------
    bars : iterable of (int, (float, float))
        As gudhi gives them; essential classes have death = inf.
    scale : {"diameter", "radius", "value"}
        Take the root of the squared radii of an alpha complex first.
    field : int
        gudhi's own default is 11.
    filtration : str
        What the bars are of.
    max_dimension : int, optional
        Highest dimension that was computed; None: that of the last bar.

    Raises
    ------
    BadInput
        No valid diagram; see :class:`toriwork.topology.Diagram`.
    """
    rows = [(dimension, birth, death) for dimension, (birth, death) in bars]
    pairs = np.array(rows, dtype=np.float64).reshape(-1, 3)
    return _diagram(pairs, max_dimension, filtration, scale, field)


def to_gudhi(diagram: Diagram) -> list[tuple[int, tuple[float, float]]]:
    """The bars as gudhi lists them: (dimension, (birth, death)), longest first."""
    rows = diagram.pairs[np.argsort(diagram.pairs[:, 1] - diagram.pairs[:, 2], kind="stable")].tolist()
    return [(int(dimension), (birth, death)) for dimension, birth, death in rows]


def from_ripser(
    dgms: Sequence[ArrayLike], *, scale: Scale = "diameter", field: int = 2, filtration: str = "rips"
) -> Diagram:
    """The diagram of ripser's ``dgms``: an (n_bars, 2) array per dimension from 0 on.

    Raises
    ------
    BadInput
        No valid diagram; see :class:`toriwork.topology.Diagram`.
    """
    arrays = [np.asarray(bars, dtype=np.float64).reshape(-1, 2) for bars in dgms]
    pairs = np.vstack([np.empty((0, 3)), *(np.insert(bars, 0, k, axis=1) for k, bars in enumerate(arrays))])
    return _diagram(pairs, max(len(arrays) - 1, 0), filtration, scale, field)


def to_ripser(diagram: Diagram) -> list[NDArray[np.float64]]:
    """A writable (n_bars, 2) float64 array of births and deaths per dimension 0..max_dimension."""
    return [diagram.in_dimension(k).copy() for k in range(diagram.max_dimension + 1)]


def from_giotto(
    rows: ArrayLike,
    *,
    scale: Scale = "diameter",
    field: int = 2,
    filtration: str = "rips",
    max_dimension: int | None = None,
    reduced_homology: bool = True,
) -> Diagram:
    """The diagram of one giotto-tda sample: (n_rows, 3) birth, death, dimension; rows on the diagonal are padding.

    ``reduced_homology`` as in giotto: True says that the component that never dies was left out; it is put back,
    born at 0, if there is any bar at all.

    Raises
    ------
    BadInput
        Another shape (a batch is three-dimensional: hand over its samples one by one), or no valid diagram.
    """
    array = np.asarray(rows, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != 3:
        raise BadInput(f"giotto: shape (n_rows, 3) of one sample is wanted, given was {array.shape}")
    pairs = array[array[:, 0] != array[:, 1]][:, [2, 0, 1]]
    if reduced_homology and len(array):
        pairs = np.vstack([[0.0, 0.0, math.inf], pairs])
    highest = int(array[:, 2].max()) if max_dimension is None and len(array) else max_dimension
    return _diagram(pairs, highest, filtration, scale, field)


def to_giotto(diagram: Diagram, *, reduced_homology: bool = True) -> NDArray[np.float64]:
    """The bars as one giotto-tda sample, (n_pairs, 3) birth, death, dimension, never padded.

    With ``reduced_homology`` the first component that never dies is left out, as giotto does.
    """
    kept = np.ones(len(diagram.pairs), dtype=np.bool_)
    if reduced_homology:
        endless = (diagram.pairs[:, 0] == 0) & np.isinf(diagram.pairs[:, 2]) & ~diagram.censored
        kept[np.flatnonzero(endless)[:1]] = False
    return diagram.pairs[kept][:, [1, 2, 0]]


def to_columns(diagram: Diagram) -> dict[str, NDArray[Any]]:
    """Four arrays of length n_pairs: dimension int64, birth and death float64, censored bool.

    Conventions and provenance are in :func:`header_of`; :func:`from_columns` takes both.
    """
    return {
        "dimension": diagram.pairs[:, 0].astype(np.int64),
        "birth": diagram.pairs[:, 1].copy(),
        "death": diagram.pairs[:, 2].copy(),
        "censored": diagram.censored.copy(),
    }


def header_of(diagram: Diagram) -> str:
    """Conventions and provenance as compact JSON text; floats in hexadecimal, so that none is rounded."""
    facts: dict[str, Any] = {
        "format": _FORMAT,
        "filtration": diagram.filtration,
        "scale": diagram.scale,
        "field": int(diagram.field),
        "max_dimension": int(diagram.max_dimension),
        "threshold": float(diagram.threshold).hex(),
        "min_persistence": float(diagram.min_persistence).hex(),
    }
    if diagram.provenance is not None:
        made = {name: getattr(diagram.provenance, name) for name in Provenance.__dataclass_fields__}
        facts["provenance"] = {k: v.hex() if isinstance(v, float) else _plain(v) for k, v in made.items()}
    return json.dumps(facts, separators=(",", ":"))


def from_columns(columns: Any, header: str) -> Diagram:
    """The diagram that :func:`to_columns` and :func:`header_of` took apart.

    Parameters
    ----------
    columns : mapping of str to array_like
        dimension, birth, death, censored; a DataFrame will do.
    header : str
        JSON text.

    Raises
    ------
    BadInput
        A column is missing, or the header is none of ours or of a later format.
    """
    facts = _header(header)
    try:
        pairs = np.column_stack(
            [np.asarray(columns[name], dtype=np.float64) for name in ("dimension", "birth", "death")]
        )
        censored = np.asarray(columns["censored"], dtype=np.bool_)
    except KeyError as error:
        raise BadInput(f"columns: dimension, birth, death, censored are wanted, missing is {error}") from error
    made = facts.get("provenance")
    return Diagram(
        pairs,
        facts["max_dimension"],
        filtration=facts["filtration"],
        scale=facts["scale"],
        field=facts["field"],
        threshold=float.fromhex(facts["threshold"]),
        min_persistence=float.fromhex(facts["min_persistence"]),
        censored=censored,
        provenance=None if made is None else Provenance(**{k: _unhex(k, v) for k, v in made.items()}),
    )


def to_frame(diagram: Diagram) -> pd.DataFrame:
    """A pandas DataFrame with the columns of :func:`to_columns` and the header in ``attrs``.

    ``to_parquet`` keeps both; ``pyarrow.table(diagram)`` gives the same table without the detour.
    """
    import pandas as pd

    frame = pd.DataFrame(to_columns(diagram))
    frame.attrs[HEADER] = header_of(diagram)
    return frame


def from_frame(frame: Any) -> Diagram:
    """The diagram of a table that :func:`to_frame` or ``pyarrow.table(diagram)`` made, read from Parquet or not.

    ``frame`` is a pandas DataFrame, or anything whose ``to_pandas()`` gives one, as an Arrow table does.

    Raises
    ------
    BadInput
        It carries no header, or a column is missing.
    """
    table = frame if hasattr(frame, "attrs") else frame.to_pandas()
    if HEADER not in table.attrs:
        raise BadInput(f"frame: attrs[{HEADER!r}] is wanted, given were the attrs {sorted(map(str, table.attrs))}")
    return from_columns(table, table.attrs[HEADER])


def _diagram(
    pairs: NDArray[np.float64], max_dimension: int | None, filtration: str, scale: Scale, field: int
) -> Diagram:
    highest = int(pairs[:, 0].max(initial=0.0)) if max_dimension is None else max_dimension
    return Diagram(pairs, highest, filtration=filtration, scale=scale, field=field)


def _header(text: str) -> dict[str, Any]:
    try:
        facts = json.loads(text)
    except (TypeError, ValueError) as error:
        raise BadInput(f"header: JSON text is wanted, given was {text!r:.80}") from error
    if not isinstance(facts, dict) or facts.get("format") != _FORMAT:
        raise BadInput(f"header: format {_FORMAT} is wanted, given was {text!r:.80}")
    return facts


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, int | np.integer) else value


def _unhex(name: str, value: Any) -> Any:
    return float.fromhex(value) if name in ("threshold", "seconds", "error") else value
