"""How a registry grew: rows and bytes of clouds, over time or row by row."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from toriwork.errors import BadInput
from toriwork.plots.options import styled
from toriwork.plots.style import INK, axes_or_current, look, mark_dates
from toriwork.plots.text_alternative import TextAlternative, counted, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Along = Literal["time", "row"]
COLUMNS = ("timestamp", "vertices_dtype", "vertices_shape")
MOST_STEPS = 2000  #: more corners than a screen has columns are not drawn; the curve goes through those that are
HEADROOM = 1.08  #: the highest value stays clear of the edge of the frame
UNITS = ("B", "kB", "MB", "GB", "TB")


@dataclass(frozen=True, slots=True, eq=False)
class Growth:
    """Rows and bytes after each row, in the order of time."""

    times: NDArray[np.datetime64]  #: (n_rows,) datetime64[us], UTC, never falling
    total_bytes: NDArray[np.int64] | None  #: (n_rows,) bytes of clouds so far; None: sizes are not recorded

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.times)


@styled
def plot_registry_growth(registry: Any, *, ax: Axes | None = None, along: Along = "time") -> Axes:
    """The axes with the number of rows so far as a step curve, and on a second scale the bytes of their vertices.

    Parameters
    ----------
    registry : TorusRegistry or pandas.DataFrame
        A registry (its rows are streamed, pending ones included), or a table with a ``timestamp`` column and, for the
        bytes, ``vertices_dtype`` and ``vertices_shape``.
    ax : Axes, optional
        Where to draw; None means pyplot's current axes.
    along : {"time", "row"}
        What goes across: the time of the row in UTC, or its number, which is the same in every run.

    Raises
    ------
    BadInput
        The table has no ``timestamp`` column, or ``along`` is neither of the two.

    Examples
    --------
    >>> from toriwork import TorusRegistry, plot_registry_growth
    >>> with TorusRegistry("shapes.parquet") as registry:
    ...     shape_id = registry.record_shape([[0, 0], [0, 1], [1, 1], [1, 0]])
    ...     axes = plot_registry_growth(registry, along="row")
    >>> axes.get_xlabel()
    'row number'
    """
    growth = read_growth(registry)
    _check_along(along)
    axes = axes_or_current(ax)
    picked = _picked(growth.n_rows)
    across = growth.times[picked] if along == "time" else picked + 1
    rows_look, bytes_look = look(0), look(1)
    drawn: dict[str, Any] = {"color": rows_look.colour, "linestyle": rows_look.line, "label": "rows"}
    marker = rows_look.marker if growth.n_rows == 1 else None  # a step alone is no line
    axes.step(across, picked + 1, where="post", marker=marker, **drawn)
    axes.set_ylabel("rows", color=rows_look.colour)
    axes.set_ylim(0, HEADROOM * max(growth.n_rows, 1))
    if along == "time":
        mark_dates(axes)
    else:
        axes.set_xlabel("row number", color=INK)
    if growth.total_bytes is not None:
        _draw_bytes(axes, across, growth.total_bytes[picked], bytes_look.colour, bytes_look.line)
    return axes


def describe_registry_growth(registry: Any, *, along: Along = "time") -> TextAlternative:
    """The text alternative of :func:`plot_registry_growth`; times are in it only when they are in the picture."""
    growth = read_growth(registry)
    _check_along(along)
    header = ("after", "rows", "bytes of clouds")
    if growth.n_rows == 0:
        return TextAlternative("Registry without rows.", header, ())
    quarters = sorted({math.ceil(growth.n_rows * k / 4) for k in range(1, 5)})
    rows = tuple((_place(growth, n, along), str(n), _bytes_after(growth, n)) for n in quarters)
    size = f" with {rows[-1][2]} of clouds" if growth.total_bytes is not None else ""
    when = ""
    if along == "time":
        when = f", from {_stamp(growth.times[0])} to {_stamp(growth.times[-1])} UTC"
    return TextAlternative(f"Registry of {counted(growth.n_rows, 'row')}{size}{when}.", header, rows)


def read_growth(registry: Any) -> Growth:
    """Rows and bytes of a registry or a table, in the order of time; BadInput without a ``timestamp`` column."""
    if hasattr(registry, "scan"):
        parts = [_columns_of(batch.to_pandas()) for batch in registry.scan(columns=list(COLUMNS))]
    else:
        parts = [_columns_of(registry)]
    times = np.concatenate([np.zeros(0, dtype="datetime64[us]"), *(times for times, _ in parts)])
    order = np.argsort(times, kind="stable")
    if any(sizes is None for _, sizes in parts):
        return Growth(times[order], None)
    sizes = np.concatenate([np.zeros(0, dtype=np.int64), *(sizes for _, sizes in parts if sizes is not None)])
    return Growth(times[order], np.cumsum(sizes[order]))


def readable_bytes(number: float) -> str:
    """A number of bytes to three digits in a unit of powers of 1000: ``12 B``, ``48.2 kB``, ``1.3 MB``."""
    power = 0
    while number >= 1000 and power < len(UNITS) - 1:
        number, power = number / 1000, power + 1
    return f"{short(number)} {UNITS[power]}"


def _columns_of(table: Any) -> tuple[NDArray[np.datetime64], NDArray[np.int64] | None]:
    import pandas as pd

    if "timestamp" not in table:
        raise BadInput("registry growth: expected a table with a 'timestamp' column")
    stamps = pd.to_datetime(table["timestamp"], utc=True, format=None if len(table) == 0 else "ISO8601")
    times = stamps.dt.tz_localize(None).to_numpy(dtype="datetime64[us]")
    if not {"vertices_dtype", "vertices_shape"} <= set(table.columns):
        return times, None
    sizes = [_size(dtype, shape) for dtype, shape in zip(table["vertices_dtype"], table["vertices_shape"], strict=True)]
    return times, np.array(sizes, dtype=np.int64)


def _size(dtype: Any, shape: Iterable[int] | None) -> int:
    if not isinstance(dtype, str) or shape is None:
        return 0  # a row without vertices: written by the legacy code, or recorded with keep_vertices=False
    return int(math.prod(int(length) for length in shape)) * np.dtype(dtype).itemsize


def _picked(n_rows: int) -> NDArray[np.int64]:
    if n_rows <= MOST_STEPS:
        return np.arange(n_rows, dtype=np.int64)
    return np.unique(np.linspace(0, n_rows - 1, MOST_STEPS).astype(np.int64))


def _draw_bytes(axes: Axes, across: Any, total: NDArray[np.int64], colour: str, line: str) -> None:
    right = axes.twinx()
    right.step(across, total, where="post", color=colour, linestyle=line, label="bytes of clouds")
    right.set_ylim(0, HEADROOM * max(int(total.max(initial=0)), 1))
    right.set_ylabel("bytes of clouds", color=colour)
    right.yaxis.set_major_formatter(lambda value, _: readable_bytes(value))
    right.spines["right"].set_visible(True)
    handles = [*axes.get_lines(), *right.get_lines()]
    axes.legend(handles, [str(handle.get_label()) for handle in handles], loc="upper left")


def _check_along(along: str) -> None:
    if along not in ("time", "row"):
        raise BadInput(f"along: expected 'time' or 'row', got {along!r}")


def _place(growth: Growth, n: int, along: Along) -> str:
    return _stamp(growth.times[n - 1]) if along == "time" else f"row {n}"


def _bytes_after(growth: Growth, n: int) -> str:
    return "–" if growth.total_bytes is None else readable_bytes(float(growth.total_bytes[n - 1]))


def _stamp(time: np.datetime64) -> str:
    return str(time.astype("datetime64[s]")).replace("T", " ")
