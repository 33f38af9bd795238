"""Numbers and counts as a reader expects them."""

from __future__ import annotations

import pytest

from toriwork.plots.style import LOOKS, look
from toriwork.plots.text_alternative import TextAlternative, counted, short


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.1, "0.1"), (1.23456, "1.23"), (1234.5, "1234"), (1e9, "1e+09"), (1e-7, "1e-07"),
     (float("inf"), "∞"), (float("-inf"), "-∞"), (float("nan"), "–"), (-2.5, "-2.5")],
)  # fmt: skip
def test_short_numbers(value: float, text: str) -> None:
    assert short(value) == text


def test_counts_take_the_right_number() -> None:
    assert [counted(n, "bar") for n in (0, 1, 2)] == ["no bars", "1 bar", "2 bars"]


def test_text_lines_up_and_html_is_escaped() -> None:
    text = TextAlternative("S.", ("name", "n"), (("a<b", "1"), ("c", "2>1")))
    assert text.to_text() == "S.\n  name  n\n  a<b   1\n  c     2>1"
    assert "a&lt;b" in text.to_html("T & U")
    assert "2&gt;1" in text.to_html("T & U")
    assert "<caption>T &amp; U</caption>" in text.to_html("T & U")


def test_each_dimension_has_its_own_look_and_higher_ones_share_the_last() -> None:
    for attribute in ("colour", "marker", "line"):
        assert len({getattr(appearance, attribute) for appearance in LOOKS}) == len(LOOKS)
    assert look(0) is LOOKS[0]
    assert look(9) is LOOKS[-1]
