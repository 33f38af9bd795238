"""Verdicts, and the table in which they are printed."""

from __future__ import annotations

import json

import pytest

from benchmarks.report import Line, Target, compare, readable, show, table

AT_LEAST_TWICE = Target("at least", 2.0, stretch=2.5)
UNDER_A_SECOND = Target("at most", 1.0, of="ours")


def line(ratio: float = 1.0, ours: float = 1.0, target: Target | None = None) -> Line:
    return Line("record_shape", ours, 4.0, "s", "SQLite", ratio, target)


@pytest.mark.parametrize(
    ("one", "verdict"),
    [
        pytest.param(line(), "-", id="nothing to meet"),
        pytest.param(line(ratio=2.0, target=AT_LEAST_TWICE), "met", id="the bound itself is enough"),
        pytest.param(line(ratio=1.99, target=AT_LEAST_TWICE), "missed", id="a ratio below"),
        pytest.param(line(ours=1.0, ratio=9.0, target=UNDER_A_SECOND), "met", id="our own figure counts"),
        pytest.param(line(ours=1.01, target=UNDER_A_SECOND), "missed", id="our own figure above"),
    ],
)
def test_a_verdict(one, verdict):
    assert one.verdict == verdict


def test_the_ratio_is_the_median_of_the_rounds_not_the_ratio_of_medians():
    found = compare("x", [10.0, 30.0, 20.0], "peer", [10.0, 10.0, 40.0], "rows/s")
    assert (found.ours, found.peer, found.ratio) == (20.0, 10.0, 1.0)


def test_rounds_must_be_pairs():
    with pytest.raises(ValueError, match="shorter"):
        compare("x", [1.0, 2.0], "peer", [1.0], "s")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (12345.6, "rows/s", "12,346 rows/s"),
        (0.5, "x", "0.5 x"),
        (2.5, "s", "2.5 s"),
        (0.0031, "s", "3.1 ms"),
        (0.0000031, "s", "3.1 us"),
        (140e6, "bytes", "140 MB"),
        (2.04e6, "bytes", "2.0 MB"),
    ],
)
def test_figures_are_readable(value, unit, text):
    assert readable(value, unit) == text


def test_the_table_has_one_line_per_figure():
    lines = table([line(ratio=2.2, target=AT_LEAST_TWICE), line(target=UNDER_A_SECOND)]).splitlines()
    assert lines[0].split() == ["name", "ours", "peer", "ratio", "target", "verdict"]
    assert lines[2].split("  ")[-1] == "met"
    assert "2.20 x" in lines[2]
    assert ">= 2 x (stretch 2.5 x)" in lines[2]
    assert "<= 1 s" in lines[3]
    assert len(lines) == 4


def test_json_holds_lines_verdicts_and_the_machine(capsys):
    show([line(target=UNDER_A_SECOND)], {"cores": 2}, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["machine"] == {"cores": 2}
    assert told["lines"][0] | {"name": "record_shape", "verdict": "met", "peer_name": "SQLite"} == told["lines"][0]
