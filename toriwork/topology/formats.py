"""Diagrams as other libraries write them, and as plain columns: one function each way.

Foreign formats know neither scale nor field; whoever reads one has to say them.  The columns and their header carry
everything, provenance included, and give back the same diagram bit for bit, through Parquet as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toriwork.errors import BadInput
from toriwork.topology.columns import HEADER, arrays_of, columns_of, frame_of, header_facts
from toriwork.topology.diagram import CERTIFYING, Diagram, Provenance, Scale

if TYPE_CHECKING:
    import pandas as pd

UNKNOWN = "unknown"  #: filtration of bars of which nobody tells how they came about


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
    """The diagram of ripser's ``dgms``: an (n_bars, 2) array per dimension from 0 on."""
    arrays = [np.asarray(bars, dtype=np.float64).reshape(-1, 2) for bars in dgms]
    pairs = np.vstack([np.empty((0, 3)), *(np.insert(bars, 0, k, axis=1) for k, bars in enumerate(arrays))])
    return _diagram(pairs, max(len(arrays) - 1, 0), filtration, scale, field)


def as_diagram(given: Any) -> Diagram:
    """The diagram of whatever holds one: for figures and comparisons of bars that came from elsewhere.

    Parameters
    ----------
    given : Diagram, object with a ``diagram``, mapping, DataFrame, or list
        A list has an (n_bars, 2) array of births and deaths per dimension from 0 on, as ripser's ``dgms``, or gudhi's
        (dimension, (birth, death)) per bar; a mapping is ripser's answer, a frame that of :func:`to_frame`. A list
        tells neither filtration nor scale nor field: its filtration is "unknown", its scale "value", its field 2.

    Raises
    ------
    BadInput
        Nothing of that, or bars that are none.
    """
    found = getattr(given, "diagram", given)
    if isinstance(found, Diagram):
        return found
    if hasattr(given, "attrs"):
        return from_frame(given)
    if isinstance(given, Mapping) and "dgms" in given:
        return from_ripser(given["dgms"])
    if isinstance(given, list | tuple):
        if given and all(isinstance(bar, tuple) and len(bar) == 2 and np.ndim(bar[0]) == 0 for bar in given):
            return from_gudhi(given, scale="value", field=2, filtration=UNKNOWN)
        if all(np.shape(bars)[1:] == (2,) or np.size(bars) == 0 for bars in given):
            return from_ripser(given, scale="value", filtration=UNKNOWN)
    shape = f" of shape {np.shape(given)}" if isinstance(given, np.ndarray) else ""
    raise BadInput(
        "diagram: expected a Diagram, a list with an (n_bars, 2) array of births and deaths per dimension, gudhi's "
        f"list of (dimension, (birth, death)) or ripser's dict, got {type(given).__name__}{shape}; of points, "
        "persistence() makes one"
    )


def to_ripser(diagram: Diagram) -> list[NDArray[np.float64]]:
    """A writable (n_bars, 2) float64 array of births and deaths per dimension 0..max_dimension."""
    return [diagram.in_dimension(k).copy() for k in range(diagram.max_dimension + 1)]


def to_columns(diagram: Diagram) -> dict[str, NDArray[Any]]:
    """Four arrays of length n_pairs: dimension int64, birth and death float64, censored bool.

    Conventions and provenance are in :func:`header_of`; :func:`from_columns` takes both.
    """
    return columns_of(diagram.pairs, diagram.censored)


def header_of(diagram: Diagram) -> str:
    """Conventions and provenance as compact JSON text; floats in hexadecimal, so that none is rounded."""
    return diagram.header()


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
        A column is missing, the header is none of ours or of a later format, or the rows are not those that it was
        written for: filtered, concatenated with others, or changed; in another order they are the same.
    """
    convention, made, (n_pairs, content_id) = header_facts(header)
    pairs, censored = arrays_of(columns)
    if n_pairs not in (None, len(pairs)):
        raise BadInput(
            f"columns: expected the {n_pairs} rows of one diagram, got {len(pairs)}: filtered or concatenated"
        )
    provenance = None if made is None else Provenance(**made)
    diagram = Diagram(pairs, **convention, censored=censored, provenance=provenance)
    if content_id not in (None, diagram.content_id):
        raise BadInput("columns: expected the bars that the header was written for, got others")
    if content_id is None and provenance is not None and provenance.n_points and diagram.filtration in CERTIFYING:
        lives = np.isinf(diagram.in_dimension(0)[:, 1]).sum() - diagram.censored[diagram.pairs[:, 0] == 0].sum()
        if lives != 1:
            raise BadInput(f"columns: expected one component that never dies, got {lives}: filtered or concatenated")
    return diagram


def to_frame(diagram: Diagram) -> pd.DataFrame:
    """A pandas DataFrame with the columns of :func:`to_columns` and the header in ``attrs``.

    ``to_parquet`` keeps both; ``pyarrow.table(diagram)`` gives the same table without the detour.
    """
    return frame_of(to_columns(diagram), header_of(diagram))


def from_frame(frame: Any) -> Diagram:
    """The diagram of a table that :func:`to_frame` or ``pyarrow.table(diagram)`` made, read from Parquet or not.

    ``frame`` is a pandas DataFrame, or anything whose ``to_pandas()`` gives one, as an Arrow table does. One that was
    filtered or concatenated is refused, see :func:`from_columns`.
    """
    table = frame if hasattr(frame, "attrs") else frame.to_pandas()
    if HEADER not in table.attrs:
        raise BadInput(f"frame: expected attrs[{HEADER!r}], got the attrs {sorted(map(str, table.attrs))}")
    return from_columns(table, table.attrs[HEADER])


def _diagram(
    pairs: NDArray[np.float64], max_dimension: int | None, filtration: str, scale: Scale, field: int
) -> Diagram:
    highest = int(pairs[:, 0].max(initial=0.0)) if max_dimension is None else max_dimension
    return Diagram(pairs, highest, filtration=filtration, scale=scale, field=field)
