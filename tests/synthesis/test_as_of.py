"""Occurrences, and the context as of an earlier time."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys

import pytest

from toriwork.errors import BadInput, NotFound
from toriwork.synthesis import Budget, ObserverSynthesis, Reason, Rules, token_id

SERIES = {"type": "lambda", "source": "sentry"}


@pytest.fixture
def observers(tmp_path):
    found = ObserverSynthesis(path=tmp_path / "tokens.parquet")
    yield found
    found.close()


def numbers(selection):
    return [json.loads(found.line.split(": ", 1)[1])["n"] for found in selection.chosen]


def test_occurrences_are_every_emission_in_the_order_of_time(observers):
    tokens = [observers.emit_token({**SERIES, "n": n % 2, "timestamp": n}) for n in range(5)]
    found = observers.occurrences()
    assert [one.token for one in found] == tokens
    assert [one.given_time for one in found] == list("01234")
    assert [one.time_us for one in found] == sorted(one.time_us for one in found)
    assert len({one.row_id for one in found}) == 5
    assert found[1].core.measurement == {"n": 1}
    assert observers.occurrences(newest=2) == found[-2:]
    observers.flush()
    assert observers.occurrences() == found


def test_without_a_log_they_are_the_last_of_each_token_in_memory():
    clock = iter(range(100))
    observers = ObserverSynthesis(3, now=lambda: float(next(clock)))
    tokens = [observers.emit_token({"n": n}) for n in (0, 1, 2, 3, 1)]
    found = observers.occurrences()
    assert [one.token for one in found] == [tokens[2], tokens[3], tokens[1]]
    assert [one.time_us for one in found] == [2_000_000, 3_000_000, 4_000_000]
    assert observers.occurrences(newest=1) == found[-1:]
    assert observers.occurrences(newest=0) == []


def test_a_context_as_of_a_time_shows_what_was_known_then(observers):
    first = observers.emit_token({**SERIES, "n": 1})
    observers.emit_token({**SERIES, "n": 2})
    observers.emit_token({**SERIES, "n": 1})
    observers.emit_token({**SERIES, "subject": "other", "n": 3, "refs": [first]})
    times = [one.time_us / 1e6 for one in observers.occurrences()]
    assert numbers(observers.as_of(times[0] - 1)) == []
    assert [numbers(observers.as_of(time)) for time in times] == [[1], [2], [1], [1, 3]]
    assert observers.as_of(times[1]).reasons == {Reason.SUPERSEDED: 1}


def test_loops_are_found_again(observers):
    token = observers.emit_token({**SERIES, "n": 0})
    for n in range(1, 4):
        token = observers.emit_token({**SERIES, "n": n, "refs": [token]})
    (only,) = observers.as_of(dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)).chosen
    assert only.order == 3


def test_the_past_is_the_same_bytes_in_another_process_and_after_more_was_emitted(observers, tmp_path):
    for n in range(50):
        observers.emit_token({"type": f"t{n % 7}", "source": "s", "subject": n % 20, "n": n})
    moment = observers.occurrences()[29].time_us / 1e6
    text = observers.as_of(moment, Budget(characters=900)).text
    observers.emit_token({"type": "t1", "source": "s", "subject": 1, "n": "later"})
    assert observers.as_of(moment, Budget(characters=900)).text == text
    observers.close()
    script = (
        "import sys\nfrom toriwork.synthesis import *\n"
        "observers = ObserverSynthesis(path=sys.argv[1])\n"
        "sys.stdout.write(observers.as_of(float(sys.argv[2]), Budget(characters=900)).text)\n"
    )
    line = [sys.executable, "-c", script, str(tmp_path / "tokens.parquet"), repr(moment)]
    assert subprocess.run(line, capture_output=True, text=True, check=True).stdout == text


def test_only_the_newest_tokens_by_then_are_looked_at(tmp_path):
    observers = ObserverSynthesis(3, path=tmp_path / "tokens.parquet")
    for n in range(10):
        observers.emit_token({"n": n})
    times = [one.time_us / 1e6 for one in observers.occurrences()]
    assert numbers(observers.as_of(times[6])) == [4, 5, 6]
    observers.close()


def test_a_given_clock_is_that_of_the_log_too(tmp_path):
    clock = iter([1000.0, 4600.0, 4600.0])
    observers = ObserverSynthesis(path=tmp_path / "tokens.parquet", now=lambda: next(clock))
    for n in range(3):
        observers.emit_token({**SERIES, "subject": n, "n": n})
    assert [one.time_us for one in observers.occurrences()] == [1_000_000_000, 4_600_000_000, 4_600_000_000]
    assert [numbers(observers.as_of(time)) for time in (999.9, 1000.0, 4599.9, 4600.0)] == [[], [0], [0], [0, 1, 2]]
    assert {one.weight for one in observers.as_of(4600.0).chosen} == {0.5, 0.5 * 0.995}
    observers.close()


def test_old_rows_are_old_by_the_given_clock(tmp_path):
    moment = 0.0
    observers = ObserverSynthesis(path=tmp_path / "tokens.parquet", now=lambda: moment, keep_days=1.0)
    for moment in (0.0, 0.6 * 86400, 1.2 * 86400):
        observers.emit_token({"at": moment})
        observers.log.flush(publish=True)
    assert [one.core.measurement["at"] for one in observers.occurrences()] == [0.6 * 86400, 1.2 * 86400]
    observers.close()


def test_rules_and_budget_hold_in_the_past_too(observers):
    observers.emit_token({"n": 1})
    observers.emit_token({"n": 2})
    now = dt.datetime.now(dt.UTC) + dt.timedelta(days=365)
    assert observers.as_of(now, Budget(items=1)).reasons == {Reason.OVER_BUDGET: 1}
    assert observers.as_of(now, rules=Rules(floor=0.1)).reasons == {Reason.BELOW_FLOOR: 2}


def test_a_time_without_a_zone_and_a_synthesis_without_a_log_are_refused(observers):
    with pytest.raises(BadInput, match="time zone"):
        observers.as_of(dt.datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point
    with pytest.raises(NotFound, match="no token log"):
        ObserverSynthesis().as_of(0.0)


def test_the_token_of_the_past_is_the_token(observers):
    observers.emit_token({**SERIES, "n": 1})
    (only,) = observers.as_of(4e9).chosen
    assert only.token == token_id({**SERIES, "n": 1})
