"""The sizes of a registry are measured in steps, and fitted by what grows with the rows."""

from __future__ import annotations

import pytest

from benchmarks.sizing import FIGURES, fitted, one_size, table


def test_two_small_sizes_are_measured_and_written_as_a_table(tmp_path: object) -> None:
    found = [one_size(str(tmp_path), 0, 300), one_size(str(tmp_path), 300, 1300)]
    assert [one["rows"] for one in found] == [300, 1300]
    assert all(value > 0 for one in found for value in one.values())
    assert found[1]["bytes"] > found[0]["bytes"]
    lines = table(found).splitlines()
    assert len(lines) == 4
    assert all(line.count("|") == len(FIGURES) + 2 for line in lines)


def test_a_line_through_the_two_largest_sizes_is_followed() -> None:
    small, large = ({"rows": n, **dict.fromkeys(FIGURES, 2.0 + n / 1000)} for n in (1000.0, 3000.0))
    assert fitted([{}, small, large], 1e6)["publish"] == pytest.approx(1002.0)
    constant = [{"rows": n, **dict.fromkeys(FIGURES, 5.0 - n / 3000)} for n in (1000.0, 3000.0)]
    assert fitted(constant, 1e6)["open"] == 4.0
    assert fitted([small, large], 1e6)["record"] == 5.0
