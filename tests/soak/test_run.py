"""The reports of a run as text."""

from __future__ import annotations

from toriwork.soak.run import RoundReport


def test_a_line_tells_growth_and_where_memory_is_not_known_says_nothing_of_it() -> None:
    report = RoundReport("round", 2, 7.4, 834, 216, 1000, 2, 5, 1, 300_000, 11, 231_000_000, False, ())
    assert report.line() == (
        "round 2: 7 s, 834 rows, 216 tokens, 2 killed, 5 publishes, 1 restored, 0.30 MB in 11 files, "
        "231 MB of memory at most: sound"
    )
    assert "memory" not in RoundReport("end", 2, 7.4, 1, 1, 1, 2, 0, 0, 1, 1, None, False, ()).line()
