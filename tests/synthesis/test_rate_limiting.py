"""The limit on emissions: what passes, what is held back, and that nothing is held back in silence."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toriwork.errors import BadInput, DurabilityError
from toriwork.synthesis import ObserverSynthesis, RateLimit, rate_limiting, token_id
from toriwork.synthesis.log import TokenLog


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def observers(clock):
    found = ObserverSynthesis(10_000, clock=clock, now=clock)
    found.limit_rate(RateLimit(per_second=1.0, burst=3))
    return found


def remembered(observers):
    """Every measurement in memory, in order."""
    for token in observers._memory._held:
        observers.add_to_context(token)
    found = observers.get_context_measurements()
    observers.clear_context()
    return found


def summaries(observers):
    return [found for found in remembered(observers) if found.get("type") == "suppressed"]


def burst(observers, n, source="s", kind="t"):
    return [observers.emit_token({"source": source, "type": kind, "n": k}) for k in range(n)]


def test_there_is_no_limit_unless_one_is_set(clock):
    observers = ObserverSynthesis(clock=clock)
    burst(observers, 500)
    assert observers.metrics["tokens_generated"] == 500
    assert observers.tokens_suppressed == 0


def test_a_suppressed_emission_still_has_its_id(observers):
    tokens = burst(observers, 5)
    assert tokens == [token_id({"source": "s", "type": "t", "n": k}) for k in range(5)]
    assert observers.metrics["tokens_generated"] == 3
    assert observers.tokens_suppressed == 2
    assert [observers.add_to_context(token) for token in tokens] == [True, True, True, False, False]


def test_a_measurement_that_cannot_be_is_refused_even_beyond_the_limit(observers):
    burst(observers, 5)
    with pytest.raises(BadInput, match="key 'bad'"):
        observers.emit_token({"source": "s", "type": "t", "bad": object()})
    assert observers.tokens_suppressed == 2


def test_one_summary_tells_what_was_held_back_when_the_bucket_refills(observers, clock):
    tokens = burst(observers, 5)
    clock.now = 0.5
    tokens += burst(observers, 2)
    clock.now = 1.0
    observers.emit_token({"source": "s", "type": "t", "n": 99})
    *_, summary, last = remembered(observers)
    assert last["n"] == 99
    assert summary == {
        "type": "suppressed",
        "source": "s",
        "suppressed_type": "t",
        "n": 4,
        "seconds": 0.5,
        "first": tokens[3],
        "last": tokens[6],
    }
    assert len(summaries(observers)) == 1


def test_another_source_that_emits_tells_it_too(observers, clock):
    burst(observers, 5)
    clock.now = 10.0
    observers.emit_token({"source": "other", "type": "t"})
    assert [found["n"] for found in summaries(observers)] == [2]


@pytest.mark.parametrize("how", ["flush", "close", "emit_suppressed_summary", "no limit", "another limit"])
def test_nothing_that_was_held_back_stays_untold(observers, how):
    burst(observers, 5)
    if how.endswith("limit"):
        observers.limit_rate(RateLimit(9.0) if how[0] == "a" else None)
    else:
        getattr(observers, how)()
        getattr(observers, how)()
    assert [found["n"] for found in summaries(observers)] == [2]


def test_each_source_and_type_has_its_own_bucket(observers):
    for source in ("a", "b", None, 7, ("x", 1)):
        for kind in ("t", "u"):
            burst(observers, 4, source, kind)
    assert observers.metrics["tokens_generated"] == 30
    assert observers.tokens_suppressed == 10


def test_a_bucket_fills_up_to_its_burst_and_no_further(observers, clock):
    clock.now = 1000.0
    burst(observers, 3)
    clock.now = 5000.0
    burst(observers, 10)
    assert observers.tokens_suppressed == 7


def test_a_clock_that_stands_still_or_goes_back_gives_nothing(observers, clock):
    clock.now = 50.0
    burst(observers, 4)
    clock.now = 0.0
    burst(observers, 4)
    assert observers.metrics["tokens_generated"] == 3


def test_the_rate_counts_what_was_held_back_too(observers, clock):
    burst(observers, 500)
    assert observers.get_measurement_rate() == 50.0
    assert observers.should_throttle()


@given(
    st.lists(st.tuples(st.floats(0, 3), st.sampled_from("ab")), max_size=60),
    st.floats(0.1, 5),
    st.integers(1, 4),
)
def test_every_emission_is_there_or_told_and_the_limit_holds(events, per_second, most):
    clock = Clock()
    observers = ObserverSynthesis(10_000, clock=clock, now=clock)
    observers.limit_rate(RateLimit(per_second, most))
    passed = {"a": [], "b": []}
    for number, (pause, source) in enumerate(events):
        clock.now += pause
        before = observers.tokens_suppressed
        observers.emit_token({"source": source, "type": "t", "number": number})
        if observers.tokens_suppressed == before:
            passed[source].append(clock.now)
    observers.flush()
    n_told = sum(found["n"] for found in summaries(observers))
    assert n_told == observers.tokens_suppressed
    assert n_told + sum(map(len, passed.values())) == len(events)
    assert observers.metrics["tokens_generated"] == len(events) - n_told + len(summaries(observers))
    for times in passed.values():
        for k, start in enumerate(times):
            for n, end in enumerate(times[k:], 1):
                assert n <= most + per_second * (end - start) + 1e-6


def test_a_summary_that_the_log_refuses_is_told_later(observers, clock, monkeypatch):
    tokens = burst(observers, 5)
    clock.now = 10.0
    emit, refusing = observers.emit_token, [True]

    def refuse(measurement):
        if refusing[0] and measurement.get("type") == "suppressed":
            raise DurabilityError("no disk")
        return emit(measurement)

    observers.emit_token = refuse
    with pytest.raises(DurabilityError):
        observers.emit_token({"source": "s", "type": "t", "n": 99})
    refusing[0] = False
    observers.flush()
    (summary,) = summaries(observers)
    assert (summary["n"], summary["first"], summary["last"]) == (2, tokens[3], tokens[4])


def test_the_buckets_are_bounded_and_forgetting_one_tells_it(observers, monkeypatch):
    monkeypatch.setattr(rate_limiting, "_MANY_BUCKETS", 8)
    for source in range(50):
        burst(observers, 4, source)
    observers.flush()
    assert len(observers._limiter._buckets) == 8
    assert sum(found["n"] for found in summaries(observers)) == 50


def test_threads_lose_none_and_tell_none_twice(clock):
    observers = ObserverSynthesis(100_000, clock=clock, now=clock)
    observers.limit_rate(RateLimit(5.0, 2))

    def work(number):
        for k in range(300):
            clock.now += 0.001
            observers.emit_token({"source": "s", "type": "t", "by": number, "k": k})

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    observers.flush()
    told = summaries(observers)
    assert sum(found["n"] for found in told) == observers.tokens_suppressed
    assert observers.metrics["tokens_generated"] - len(told) + observers.tokens_suppressed == 1800


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_does_not_tell_what_its_parent_held_back(observers):
    burst(observers, 5)
    with observers._limiter._lock.alone():
        child = os.fork()
        if child == 0:
            observers.flush()
            os._exit(len(summaries(observers)))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    observers.flush()
    assert len(summaries(observers)) == 1


def test_what_was_held_back_is_in_the_log_when_the_process_ends(state_root):
    script = (
        "from toriwork.synthesis import *\n"
        "observers = get_observer_synthesis()\n"
        "observers.limit_rate(RateLimit(0.001, 2))\n"
        "for k in range(7): emit_token({'source': 's', 'type': 't', 'k': k})\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    log = TokenLog(state_root / "observer_tokens.parquet")
    rows = log.rows().to_pylist()
    log.close()
    assert [row["type"] for row in rows] == ["t", "t", "suppressed"]
    assert '"n":5' in rows[-1]["body"]


@pytest.mark.parametrize(("per_second", "most"), [(0, 1), (-1, 1), (math.inf, 1), (math.nan, 1), (1, 0)])
def test_a_limit_that_makes_no_sense_is_refused(per_second, most):
    with pytest.raises(BadInput, match="expected"):
        RateLimit(per_second, most)
