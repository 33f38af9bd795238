"""Findings in words, and the lines that the demo prints."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from toriwork.cli import demo
from toriwork.cli.first_look import Cloud, Finding, FirstLook, betti_words
from toriwork.topology import Diagram

NAN = float("nan")


def finding(found: tuple[float, ...], expected: tuple[int, ...] | None) -> Finding:
    cloud = Cloud("ring", np.zeros((7, 2)), expected, None, "A ring.")
    return Finding(cloud, Diagram(np.zeros((0, 3)), 1), found, "estimated by x", "shape_0", "t1:0")


def look(*findings: Finding, **changes: object) -> FirstLook:
    whole = FirstLook(Path("/s"), Path("/s/r.parquet"), findings, 0, {"pandas": len(findings)}, 10)
    return replace(whole, **changes)


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((1, 1), "1 component, 1 loop"),
        ((2.0, 0.0, 3.0), "2 components, no loops, 3 voids"),
        ((1, NAN), "1 component, loops undecided"),
        ((1, 0, 0, 2), "1 component, no loops, no voids, 2 classes of dimension 3"),
        ((1, 0, 0, 1), "1 component, no loops, no voids, 1 class of dimension 3"),
    ],
)
def test_betti_numbers_in_words(numbers: tuple[float, ...], text: str) -> None:
    assert betti_words(numbers) == text


@pytest.mark.parametrize(
    ("found", "expected", "verdict", "line"),
    [
        ((1.0, 1.0), (1, 1), "as expected", "ring: 7 points, expected and found 1 component, 1 loop"),
        (
            (1.0, 0.0),
            (1, 1),
            "different",
            "ring: 7 points, expected 1 component, 1 loop; found 1 component, no loops",
        ),
        (
            (1.0, NAN),
            (1, 1),
            "undecided",
            "ring: 7 points, expected 1 component, 1 loop; found 1 component, loops undecided",
        ),
        (
            (1.0, 1.0),
            None,
            "nothing known",
            "ring: 7 points, nothing known beforehand; found 1 component, 1 loop",
        ),
    ],
)
def test_a_finding_in_one_line(found: tuple, expected: tuple | None, verdict: str, line: str) -> None:
    one = finding(found, expected)
    assert one.verdict == verdict
    assert one.line() == line


def test_only_clouds_of_known_shape_are_counted() -> None:
    right, wrong, new = finding((1.0, 1.0), (1, 1)), finding((1.0, 0.0), (1, 1)), finding((1.0, 1.0), None)
    assert look(right, wrong, new).summary().startswith("1 of 2 clouds")


def test_readers_must_see_the_rows_of_before_and_of_now() -> None:
    one = finding((1.0, 1.0), (1, 1))
    assert look(one, n_rows_before=3, n_rows={"pandas": 4, "DuckDB": 4}).readers_agree
    assert not look(one, n_rows_before=3, n_rows={"pandas": 4, "DuckDB": 1}).readers_agree
    assert "pip install 'toriwork[demo]'" in look(one).summary()
    assert "pip" not in look(one, n_rows={"pandas": 1, "DuckDB": 1}).summary()


def test_the_printed_lines_say_where_everything_is_and_whose_state_root_it_is() -> None:
    one = look(finding((1.0, 1.0), (1, 1)))
    text = "\n".join(demo.lines(one, Path("/s/report.html"), temporary=True))
    assert "your own state root was not touched" in text
    assert str(one.registry_path) in text
    assert "/s/report.html" in text
    assert "not touched" not in "\n".join(demo.lines(one, Path("/x"), temporary=False))


def test_an_undecided_number_is_null_in_json() -> None:
    facts = demo.to_json(look(finding((1.0, NAN), (1, 1))), Path("/x"))
    assert facts["clouds"][0]["found"] == [1, None]
