"""The page tells totals of all pieces, violations, and what grew; names are escaped."""

from __future__ import annotations

from pathlib import Path

from toriwork.soak.history import History
from toriwork.soak.report import report


def history_of(folder: Path, *findings: str) -> History:
    history = History(folder)
    for piece in range(2):
        history.add("start", run="r", time=0.0, pause=0.1)
        for number in range(80):
            seconds = 5.0 * (80 * piece + number + 1)
            last = piece == 1 and number == 79
            history.add(
                "round",
                seconds=seconds,
                rows=int(10 * seconds),
                tokens=1,
                promised=2,
                killed=3,
                publishes=4,
                drills=5,
                disk_bytes=6_000_000,
                files=7,
                findings=list(findings) if last else [],
                growth={"writer": [(100 + number) * 1_000_000, 9]},
                durations={"record": {"-60": 10}, "duckdb": {"-20": 1}},
            )
    return history


def test_figures_add_up_over_the_pieces(tmp_path: Path) -> None:
    page = report(history_of(tmp_path))
    for name, value in {
        "began": "1970-01-01 00:00 UTC",
        "hours at work": "0.22, in 2 pieces",
        "rows": "8,000",
        "reads by duckdb": "160",
        "violations": "0",
    }.items():
        assert f"<td>{name}</td><td>{value}</td>" in page
    assert "<td>record</td><td>1,600</td><td>1.06 ms</td>" in page
    assert page.count("<svg") == page.count("role='img'") == 8
    assert "<td>writer</td><td>2</td><td>memory, MB</td><td>120</td><td>172</td>" in page


def test_violations_are_told_and_nothing_of_them_is_markup(tmp_path: Path) -> None:
    page = report(history_of(tmp_path, "lost: 1 row <b>"))
    assert "<p>lost: 1 row &lt;b&gt;</p>" in page
    assert "<td>violations</td><td>1</td>" in page


def test_a_run_without_a_round_has_a_page(tmp_path: Path) -> None:
    assert "No round is over yet" in report(History(tmp_path))
