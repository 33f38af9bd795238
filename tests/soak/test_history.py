"""What happened in a run is there for its next piece, and durations add up."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np

from toriwork.soak.history import History, class_of, merged, percentile


def test_events_are_there_again_and_a_line_that_was_cut_short_is_not(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.add("start", run="r")
    history.add("dead", number=7, promised=Counter(b"rrt"))
    history.add("round", round=1, rows=5)
    with history.path.open("a") as file:
        file.write('{"event": "round", "ro')
    again = History(tmp_path)
    assert again.events == [*again.of("start", "dead"), {"event": "round", "round": 1, "rows": 5}]
    assert again.last()["rows"] == 5
    assert again.buried() == {7: Counter(b"rrt")}
    again.add("end", round=2)
    assert [one["event"] for one in History(tmp_path).events] == ["start", "dead", "round", "end"]


def test_percentiles_of_all_rounds_are_those_of_all_durations() -> None:
    durations = np.random.default_rng(0).lognormal(-6.0, 2.0, 3000)
    rounds = [{"durations": {"record": Counter(map(class_of, part))}} for part in np.split(durations, 6)]
    together = merged(rounds)["record"]
    for share in (0.5, 0.95, 0.99):
        exact = np.quantile(durations, share, method="inverted_cdf")
        assert 0.93 <= percentile(together, share) / exact <= 1.07
    assert sum(together.values()) == 3000
    assert math.isnan(percentile({}, 0.5))
