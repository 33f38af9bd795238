"""Registry growth: rows and bytes after each row, whatever order and form the table has."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from toriwork.errors import BadInput
from toriwork.plots import describe_registry_growth, plot_registry_growth
from toriwork.plots.registry import MOST_STEPS, read_growth, readable_bytes

TABLE = pd.DataFrame(
    {
        "timestamp": pd.to_datetime(["2026-01-03", "2026-01-01", "2026-01-02"], utc=True),
        "vertices_dtype": ["float32", "float64", None],
        "vertices_shape": [[5, 2], [10, 3], None],
    }
)


def test_rows_and_bytes_are_counted_in_the_order_of_time() -> None:
    growth = read_growth(TABLE)
    assert growth.times.astype("datetime64[D]").astype(str).tolist() == ["2026-01-01", "2026-01-02", "2026-01-03"]
    assert growth.total_bytes is not None
    assert growth.total_bytes.tolist() == [240, 240, 280]


def test_the_curves_end_at_the_totals(axes: Axes) -> None:
    assert plot_registry_growth(TABLE, ax=axes, along="row") is axes
    (rows,) = axes.get_lines()
    assert rows.get_xdata(orig=True).tolist() == rows.get_ydata(orig=True).tolist() == [1, 2, 3]
    right = axes.figure.axes[1]
    assert right.get_lines()[0].get_ydata(orig=True).tolist() == [240, 240, 280]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["rows", "bytes of clouds"]


def test_a_table_without_sizes_shows_rows_alone(axes: Axes) -> None:
    plot_registry_growth(TABLE[["timestamp"]], ax=axes)
    assert len(axes.figure.axes) == 1
    assert describe_registry_growth(TABLE[["timestamp"]]).rows[-1][2] == "–"


def test_times_written_as_iso_text_by_the_legacy_code_are_read() -> None:
    legacy = pd.DataFrame({"timestamp": ["2026-01-02T00:00:00.5", "2026-01-01T00:00:00+01:00"]})
    assert read_growth(legacy).times.astype(str).tolist() == [
        "2025-12-31T23:00:00.000000",
        "2026-01-02T00:00:00.500000",
    ]


def test_the_words_along_rows_hold_no_time_and_those_along_time_do() -> None:
    by_row = describe_registry_growth(TABLE, along="row")
    assert by_row.sentence == "Registry of 3 rows with 280 B of clouds."
    assert by_row.rows[-1] == ("row 3", "3", "280 B")
    by_time = describe_registry_growth(TABLE)
    assert by_time.sentence.endswith("from 2026-01-01 00:00:00 to 2026-01-03 00:00:00 UTC.")


def test_an_empty_table_is_drawn_and_described(axes: Axes) -> None:
    plot_registry_growth(TABLE.iloc[:0], ax=axes)
    assert describe_registry_growth(TABLE.iloc[:0]).sentence == "Registry without rows."


def test_a_large_registry_draws_no_more_corners_than_a_screen_shows_and_keeps_the_last() -> None:
    n_rows = 5 * MOST_STEPS
    stamps = pd.to_datetime(np.arange(n_rows) * 1_000_000_000, utc=True)
    axes = plot_registry_growth(pd.DataFrame({"timestamp": stamps}), ax=Figure().add_subplot())
    (line,) = axes.get_lines()
    assert len(line.get_xdata(orig=True)) <= MOST_STEPS
    assert line.get_ydata(orig=True)[-1] == n_rows


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (48_200, "48.2 kB"), (2.4e9, "2.4 GB"), (5e16, "50000 TB")],
)
def test_bytes_are_readable(number: float, words: str) -> None:
    assert readable_bytes(number) == words


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(BadInput, match="'timestamp' column"):
        read_growth(pd.DataFrame({"a": [1]}))
    with pytest.raises(BadInput, match="'time' or 'row'"):
        plot_registry_growth(TABLE, ax=Figure().add_subplot(), along="bytes")  # type: ignore[arg-type]
