"""What came from data is printed so that it steers no terminal and poses as no line of ours."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toriwork.printed import html_table, one_line, several_lines, text_table

STEERING = {
    "\x1b[2J": r"\x1b[2J",
    "\x1b]0;title\x07": r"\x1b]0;title\x07",
    "a\nsound: 0 findings": r"a\nsound: 0 findings",
    "\r": r"\r",
    "\x00": r"\x00",
    "\x7f": r"\x7f",
    "\x9b31m": r"\x9b31m",
    "\x85": r"\x85",
    "\u2028": r"\u2028",
    "\u202egpj.exe": r"\u202egpj.exe",
    "\u2066x\u2069": r"\u2066x\u2069",
    "\u061c": r"\u061c",
    "\udcff": r"\udcff",
}


@pytest.mark.parametrize(("text", "printed"), STEERING.items())
def test_signs_that_steer_are_written_out(text: str, printed: str) -> None:
    assert one_line(f"x{text}y") == f"x{printed}y"


@pytest.mark.parametrize("text", ["", "plain", "Grüße", "日本語", "a\u200db", "<b>&amp;</b>", r"C:\new", "🙂"])
def test_other_text_stays(text: str) -> None:
    assert one_line(text) is text


@given(st.text())
def test_whatever_is_given_one_line_comes_back_that_any_output_takes(text: str) -> None:
    printed = one_line(text)
    printed.encode()
    assert printed.splitlines() in ([], [printed])
    assert not [c for c in printed if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")]
    assert not [c for c in printed if unicodedata.bidirectional(c) in ("RLO", "LRO", "RLE", "LRE", "RLI", "LRI", "FSI")]
    assert one_line(printed) == printed


def test_several_lines_stay_several() -> None:
    assert several_lines("a\x1b\nb\r\n") == "a\\x1b\nb\\r\n"


def test_the_columns_of_a_table_are_aligned_on_either_side():
    rows = [("a", "long"), ("word", "b")]
    assert text_table(rows) == ["a     long", "word  b   "]
    assert text_table(rows, right=True) == ["   a  long", "word     b"]
    assert text_table([]) == []


def test_what_stands_in_a_table_of_a_page_is_no_markup():
    assert "<td>&lt;script&gt;</td>" in html_table(("name",), [("<script>",)])
