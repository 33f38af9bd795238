"""The state of a browser of a registry: filter, page, row; it works without any widget."""

from __future__ import annotations

import datetime as dt
import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from toriwork.checks import check_count, check_integer, shown
from toriwork.errors import BadInput, NotFound, ToriworkError
from toriwork.plots.browser import Preview
from toriwork.plots.text_alternative import TextAlternative, counted, short
from toriwork.printed import one_line
from toriwork.registry.reader import RegistryReader
from toriwork.topology import persistence
from toriwork.widgets.rows import MatchingRows, Wanted, find

if TYPE_CHECKING:
    from toriwork.registry import TorusRegistry

PAGE_ROWS = 12
HEADER = ("row", "time (UTC)", "shape", "band", "b0", "b1", "b2", "Betti numbers", "vertices")
#: the column of the registry behind each of them
SORTED_BY = (
    "row_id", "timestamp", "shape_id", "coherence_band", "betti0", "betti1", "betti2", "betti_status", "vertices_shape",
)  # fmt: skip
MOST_POINTS = 300  #: of a cloud that is drawn, and whose diagram is computed
MOST_MODES = 2000  #: of a spectrum that is drawn
MOST_NUMBERS = 4_000_000  #: coordinates of a row that are read at all
_ID = slice(len("shape_"), len("shape_") + 8)


class BrowserState:
    """A walk through the rows of a registry, the newest first.

    Rows are those of the last :meth:`refresh`. Takes what ``RegistryBrowser`` takes, and refuses the same.
    """

    def __init__(self, registry: TorusRegistry, wanted: Wanted | None = None, *, page_rows: int = PAGE_ROWS) -> None:
        if not isinstance(registry, RegistryReader):
            raise BadInput(f"registry: expected a TorusRegistry, got {shown(registry)}")
        self.registry = registry
        self.wanted = wanted or Wanted()
        self.page_rows = check_count(page_rows, name="page_rows")
        self.page = 0
        self.row_id: str | None = None
        self.order: tuple[int, bool] | None = None  #: the column that rows are sorted by, and True for falling
        self._preview: tuple[str, Preview] | None = None
        self._found: MatchingRows = find(registry, self.wanted)
        self._sorted = self._found.rows
        self.go_to(0)

    def filter(self, wanted: Wanted) -> None:
        """Show the first page of other rows; BadInput where a time is none, and nothing has changed."""
        self._found = find(self.registry, wanted)
        self._sorted = self._in_order()
        self.wanted = wanted
        self.row_id = None
        self.go_to(0)

    def refresh(self) -> int:
        """Read the registry again and return how many more rows match.

        The first page shows what is new; a later one stays with the chosen row, while that can be paged to.
        """
        before = self._found.n_matching
        chosen = self.row_id
        self._found = find(self.registry, self.wanted)
        self._sorted = self._in_order()
        ids = self._sorted["row_id"].tolist()
        if self.page and chosen in ids:
            self.page = ids.index(chosen) // self.page_rows
        else:
            self.go_to(0)  # the first page follows what is new
        self.row_id = chosen if chosen in self.page_ids else self.row_id
        return self._found.n_matching - before

    def sort(self, column: int, descending: bool = False) -> None:
        """Sort the rows that can be paged to by a column of :attr:`header`, and show the first page.

        Equal ones stay newest first, unknown numbers come last; the first column is the order of recording.

        Raises
        ------
        BadInput
            There is no such column.
        """
        if not 0 <= check_integer(column, name="sort") < len(self.header):
            raise BadInput(f"sort: expected a column from 0 to {len(self.header) - 1}, got {column}")
        self.order = column, descending
        self._sorted = self._in_order()
        self.go_to(0)

    def _in_order(self) -> Any:
        rows = self._found.rows
        if self.order is None:
            return rows
        column, descending = self.order
        if column == 0:
            return rows[::-1] if descending else rows
        name = (*SORTED_BY, *self._found.typed)[column]
        keys = rows[name].map(_volume) if name == "vertices_shape" else rows[name]
        return rows.loc[keys.sort_values(ascending=not descending, kind="stable", na_position="last").index]

    def go_to(self, page: int) -> None:
        """Show a page, or the last one, and choose its first row."""
        self.page = min(max(check_integer(page, name="page"), 0), self.n_pages - 1)
        ids = self.page_ids
        self.row_id = ids[0] if ids else None

    def choose(self, row_id: str) -> None:
        """Choose a row of this page; NotFound when it is on another one."""
        if row_id not in self.page_ids:
            raise NotFound(f"{row_id!r}: no row of page {self.page + 1}")
        self.row_id = row_id

    @property
    def n_matching(self) -> int:
        """The number of rows that match, with those that are too old to be paged to."""
        return self._found.n_matching

    @property
    def n_pages(self) -> int:
        """The number of pages, at least one."""
        return max(1, math.ceil(len(self._found.rows) / self.page_rows))

    @property
    def page_ids(self) -> tuple[str, ...]:
        """The row ids of this page, the newest first."""
        return tuple(self._page()["row_id"])

    @property
    def text(self) -> TextAlternative:
        """The page as a table with the chosen row marked, and its place in a sentence."""
        found = self._found
        shown = len(found.rows)
        facts = [
            f"{found.n_matching:,} of {counted(found.n_rows, 'row')} match; page {self.page + 1} of {self.n_pages}"
        ]
        if shown < found.n_matching:
            facts.append(f"only the newest {shown:,} can be paged to")
        rows = tuple(
            _cells(int(place) + 1, row, chosen=row["row_id"] == self.row_id)
            + tuple(_typed(row[k]) for k in found.typed)
            for place, row in zip(self._page().index, self._page().to_dict("records"), strict=True)
        )
        return TextAlternative("; ".join(facts) + ".", self.header, rows)

    @property
    def header(self) -> tuple[str, ...]:
        """The columns of the table, those that users declared behind the others."""
        return (*HEADER, *self._found.typed)

    def row(self) -> dict[str, Any] | None:
        """The chosen row, its narrow columns; None when there is none."""
        chosen = self._page()
        rows = chosen[chosen["row_id"] == self.row_id].to_dict("records")
        return {str(name): value for name, value in rows[0].items()} if rows else None

    def facts(self) -> list[tuple[str, str]]:
        """The chosen row as names and values, its metadata among them; nothing without a row."""
        row = self.row()
        if row is None:
            return []
        facts = [("row id", row["row_id"]), ("shape id", row["shape_id"]), ("time (UTC)", row["timestamp"].isoformat())]
        end = row["timestamp"] + dt.timedelta(microseconds=1)
        for batch in self.registry.scan(["row_id", "metadata"], since=row["timestamp"], until=end):
            for found in batch.to_pylist():
                if found["row_id"] == row["row_id"] and found["metadata"]:
                    facts += [(name, _fact(value)) for name, value in json.loads(found["metadata"]).items()]
        return facts

    @property
    def preview(self) -> Preview:
        """The chosen row as it is drawn, made once as long as the row stays chosen."""
        row = self.row()
        if row is None:
            return Preview("No row is chosen")
        if self._preview is None or self._preview[0] != row["row_id"]:
            self._preview = row["row_id"], self._make_preview(row)
        return self._preview[1]

    def _page(self) -> Any:
        return self._sorted.iloc[self.page * self.page_rows : (self.page + 1) * self.page_rows]

    def _make_preview(self, row: dict[str, Any]) -> Preview:
        caption = f"Shape {row['shape_id'][_ID]}: {_vertices(row)}"
        shape = row["vertices_shape"]
        if shape is None:
            return Preview(caption, note="its vertices were not kept")
        if math.prod(int(length) for length in shape) > MOST_NUMBERS:
            return Preview(caption, note=f"more than {MOST_NUMBERS:,} numbers are not drawn")
        try:
            array = self.registry.vertices(row["shape_id"])
            return preview_spectrum(caption, array) if is_spectrum(array) else preview_cloud(caption, array)
        except ToriworkError as error:
            return Preview(caption, note=f"it cannot be drawn: {error}")


def is_spectrum(array: NDArray[Any]) -> bool:
    """True when a row's numbers are a spectrum: one-dimensional or complex."""
    return array.ndim == 1 or np.iscomplexobj(array)


def preview_spectrum(caption: str, array: NDArray[Any]) -> Preview:
    """A spectrum, the eigenvalues of largest magnitude when there are too many."""
    wide = np.complex128 if np.iscomplexobj(array) else np.float64
    finite = (values := array.ravel().astype(wide))[np.isfinite(values)]
    shown = finite[np.argsort(-np.abs(finite), kind="stable")[:MOST_MODES]]
    return Preview(caption, spectrum=shown, note=_left_out(len(values), len(shown), "eigenvalue"))


def preview_cloud(caption: str, array: NDArray[Any]) -> Preview:
    """A cloud, or evenly spaced rows of it when there are too many, with the Rips diagram of what is drawn."""
    finite = array[np.isfinite(array).all(axis=1)].astype(np.float64)
    places = np.unique(np.linspace(0, len(finite) - 1, min(len(finite), MOST_POINTS)).astype(np.intp))
    shown = finite[places] if len(finite) else finite
    note = _left_out(len(array), len(shown), "point")
    return Preview(caption, points=shown, diagram=persistence(shown), note=note)


def _left_out(n_all: int, n_shown: int, noun: str) -> str:
    return f"drawn are {n_shown:,} of {n_all:,} {noun}s, and nothing here is of the others" if n_shown < n_all else ""


def _cells(number: int, row: dict[Any, Any], *, chosen: bool) -> tuple[str, ...]:
    numbers = (short(float("nan") if row[f"betti{k}"] is None else float(row[f"betti{k}"])) for k in range(3))
    time = row["timestamp"].strftime("%Y-%m-%d %H:%M:%S")
    name = f"{number:,}" + (" (chosen)" if chosen else "")
    return name, time, row["shape_id"][_ID], row["coherence_band"], *numbers, row["betti_status"], _vertices(row)


def _typed(value: Any) -> str:
    """A value of a declared column; of a time to the second."""
    if value is None or value != value:  # noqa: PLR0124 - NaN and NaT are not equal to themselves
        return short(math.nan)
    if isinstance(value, dt.datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    return f"{value:.10g}" if isinstance(value, float) else one_line(str(value))


def _fact(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _volume(shape: Any) -> float:
    return math.nan if shape is None else float(math.prod(int(length) for length in shape))


def _vertices(row: dict[Any, Any]) -> str:
    if row["vertices_shape"] is None:
        return "not kept"
    shape = " × ".join(str(int(length)) for length in row["vertices_shape"])
    return f"{shape}, {np.dtype(row['vertices_dtype']).name}"
