"""The newest rows that are wanted are found, whatever their number, and the rest is counted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toriwork.errors import BadInput
from toriwork.registry import TorusRegistry
from toriwork.widgets.rows import Span, Wanted, find

BANDS = ("local", "global", "critical")
NUMBERS = [(1.0, 0.0), (1.0, 1.0), (2.0, None), (None, 3.0), (1.0, 2.0, 1.0)]
N_ROWS = 30


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TorusRegistry]:
    """Thirty rows, half of them published."""
    with TorusRegistry(tmp_path_factory.mktemp("rows") / "r.parquet", compute_betti=False) as made:
        for n in range(N_ROWS):
            made.record_shape(np.full((3, 2), float(n)), NUMBERS[n % 5], BANDS[n % 3])
            if n == N_ROWS // 2:
                made.flush(publish=True)
        yield made


def by_hand(registry: TorusRegistry, wanted: Wanted) -> list[str]:
    """The slow, obvious text: row ids, the newest first."""

    def holds(row: Any) -> bool:
        for k, span in wanted.betti.items():
            value = row[f"betti{k}"]
            if span.unknown != (value is None or np.isnan(value)):
                return False
            if not span.unknown and not span.low <= value <= span.high:
                return False
        return wanted.band in (None, row["coherence_band"])

    rows = registry.to_pandas(["row_id", "coherence_band", "betti0", "betti1", "betti2"]).to_dict("records")
    return sorted((row["row_id"] for row in rows if holds(row)), reverse=True)


spans = st.one_of(
    st.just(Span(unknown=True)),
    st.tuples(st.integers(0, 3), st.integers(0, 3)).map(lambda ends: Span(min(ends), max(ends))),
)
wishes = st.builds(
    Wanted,
    band=st.sampled_from([None, *BANDS]),
    betti=st.dictionaries(st.integers(0, 2), spans, max_size=2),
)


@settings(max_examples=30)
@given(wishes, st.sampled_from([1, 4, 100]))
def test_the_newest_of_the_wanted_rows_are_found_and_all_are_counted(
    registry: TorusRegistry, wanted: Wanted, most: int
) -> None:
    found = find(registry, wanted, most)
    ids = by_hand(registry, wanted)
    assert found.rows["row_id"].tolist() == ids[:most]
    assert (found.n_matching, found.n_rows) == (len(ids), N_ROWS)


def test_times_are_a_half_open_interval_in_utc(registry: TorusRegistry) -> None:
    times: pd.Series = registry.df["timestamp"]
    found = find(registry, Wanted(since=times[10].to_pydatetime(), until=times[20].to_pydatetime()))
    expected = [time for time in times if times[10] <= time < times[20]]
    assert sorted(found.rows["timestamp"]) == expected
    assert find(registry, Wanted(since="2100-01-01")).n_matching == 0
    tomorrow = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
    assert find(registry, Wanted(until=tomorrow.replace(tzinfo=None))).n_matching == N_ROWS


def test_a_registry_without_rows_has_none(tmp_path: Path) -> None:
    with TorusRegistry(tmp_path / "r.parquet") as empty:
        found = find(empty, Wanted(band="local", betti={1: Span(1, 2)}))
    assert (len(found.rows), found.n_matching, found.n_rows) == (0, 0, 0)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("", None),
        ("  ", None),
        ("2", Span(2, 2)),
        ("0", Span(0, 0)),
        ("1-3", Span(1, 3)),
        (" 1 - 3 ", Span(1, 3)),
        ("1-", Span(1)),
        ("1.5", Span(1.5, 1.5)),
        ("Unknown", Span(unknown=True)),
    ],
)
def test_a_span_is_read_from_a_text(text: str, span: Span | None) -> None:
    assert Span.read(text) == span
    assert span is None or Span.read(str(span)) == span


@pytest.mark.parametrize("text", ["x", "-1", "1--2", "3-1", "1,2", "nan", "1-x"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="expected"):
        Span.read(text)


@pytest.mark.parametrize("options", [{"band": "blue"}, {"betti": {3: Span()}}, {"betti": {-1: Span()}}])
def test_no_such_band_or_dimension(options: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match=r"wanted|expected"):
        Wanted(**options)
