"""Emitting, the context, and what is said about both."""

from __future__ import annotations

import logging
import math
import os
import sys
import threading

import numpy as np
import pytest

from toriwork.errors import BadInput, NotFound
from toriwork.synthesis import ObserverSynthesis, token_id

SPECTRAL = {"type": "origin_spectral", "source": "origin_sentry", "lambda_max": 0.05}
CURVATURE = {"type": "curvature", "source": "eigensentry", "action": "none"}


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def observers():
    return ObserverSynthesis()


def test_a_token_is_the_id_of_its_measurement(observers):
    token = observers.emit_token({**SPECTRAL, "timestamp": 1})
    assert token == token_id(SPECTRAL)
    assert token.startswith("t1:")
    assert len(token) == 43


def test_every_emission_counts_and_the_same_content_is_one_token(observers):
    tokens = {observers.emit_token({**SPECTRAL, "timestamp": moment}) for moment in range(3)}
    assert len(tokens) == 1
    assert observers.metrics == {
        "tokens_generated": 3,
        "tokens_in_context": 0,
        "reflexive_loops": 0,
        "references_cut": 0,
    }


def test_nothing_is_emitted_by_a_measurement_that_cannot_be(observers):
    with pytest.raises(BadInput, match="key 'bad'"):
        observers.emit_token({"bad": object()})
    assert observers.metrics["tokens_generated"] == 0


def test_the_logs_show_eight_digits(observers, caplog):
    caplog.set_level(logging.INFO, logger="toriwork.synthesis")
    token = observers.emit_token(SPECTRAL)
    observers.add_to_context(token)
    observers.add_to_context(token)
    assert caplog.messages == [
        f"Emitted token: {token[3:11]}...",
        f"Observer token {token[3:11]}... added to reasoning context",
    ]


def test_nothing_is_written_without_a_path(observers, state_root):
    observers.emit_token(SPECTRAL)
    assert observers.log is None
    assert not state_root.exists()


def test_a_synthesis_remembers_something():
    with pytest.raises(BadInput, match="max_tokens"):
        ObserverSynthesis(0)


# ---- memory ------------------------------------------------------------------------------------------------------


def test_the_oldest_token_is_forgotten_first():
    observers = ObserverSynthesis(3)
    tokens = [observers.emit_token({"n": n}) for n in range(5)]
    assert [observers.add_to_context(token) for token in tokens] == [False, False, True, True, True]
    assert observers.metrics["tokens_generated"] == 5


def test_what_is_emitted_again_is_new_again():
    observers = ObserverSynthesis(2)
    first = observers.emit_token({"n": 0})
    observers.emit_token({"n": 1})
    observers.emit_token({"n": 0})
    observers.emit_token({"n": 2})
    assert observers.add_to_context(first)


def test_memory_stays_flat_over_many_tokens_with_references():
    observers = ObserverSynthesis(50)
    token = observers.emit_token({"n": 0})
    for n in range(1, 2000):
        token = observers.emit_token({"type": f"kind {n % 300}", "n": n, "refs": [token]})
    memory = observers._memory
    assert len(memory) == 50
    assert len(memory._lineages) == 50
    assert max(len(lineage.observers) for lineage in memory._lineages.values()) <= 65


# ---- references --------------------------------------------------------------------------------------------------


def test_a_token_that_rests_on_its_own_observer_is_a_loop(observers):
    first = observers.emit_token(SPECTRAL)
    other = observers.emit_token({**CURVATURE, "refs": [first]})
    assert observers.metrics["reflexive_loops"] == 0
    second = observers.emit_token({**SPECTRAL, "lambda_max": 0.06, "refs": [other]})
    third = observers.emit_token({**SPECTRAL, "lambda_max": 0.07, "refs": [second, first]})
    assert observers.metrics["reflexive_loops"] == 2
    assert [observers.loop_order(token) for token in (first, other, second, third)] == [0, 0, 1, 2]
    assert observers._memory.get(third).lineage.depth == 3


@pytest.mark.parametrize("part", ["type", "source", "subject"])
def test_another_type_source_or_subject_is_another_observer(observers, part):
    first = observers.emit_token(SPECTRAL)
    observers.emit_token({**SPECTRAL, part: "other", "refs": [first]})
    assert observers.metrics["reflexive_loops"] == 0


def test_tokens_of_nobody_in_particular_are_no_loop(observers):
    first = observers.emit_token({"x": 1})
    observers.emit_token({"x": 2, "refs": [first]})
    assert observers.metrics["reflexive_loops"] == 0


def test_a_reference_that_leads_nowhere_is_a_state(observers):
    first = observers.emit_token(SPECTRAL)
    token = observers.emit_token({**CURVATURE, "refs": ["t1:nowhere", first]})
    assert observers.unresolved(token) == ("t1:nowhere",)
    assert observers.unresolved(first) == ()
    with pytest.raises(NotFound):
        observers.unresolved("t1:nowhere")


# ---- the context -------------------------------------------------------------------------------------------------


def test_a_context_holds_what_was_added(observers):
    one, two = observers.emit_token(SPECTRAL), observers.emit_token(CURVATURE)
    assert observers.add_to_context(two)
    assert observers.add_to_context(one)
    assert observers.add_to_context(one)
    assert observers.context_tokens == (two, one)
    assert not observers.add_to_context("t1:" + "0" * 40)
    assert observers.remove_from_context(two)
    assert not observers.remove_from_context(two)
    assert observers.metrics["tokens_in_context"] == 1
    observers.clear_context()
    assert observers.synthesize_context()["empty"]
    assert observers.add_to_context(two)


def test_a_context_keeps_what_memory_forgets():
    observers = ObserverSynthesis(2)
    token = observers.emit_token(SPECTRAL)
    observers.add_to_context(token)
    for n in range(5):
        observers.emit_token({"n": n})
    assert observers.get_context_measurements() == [SPECTRAL]
    assert observers.verify(token)


def test_a_context_is_bounded():
    observers = ObserverSynthesis(3)
    for n in range(10):
        observers.add_to_context(observers.emit_token({"n": n}))
    assert [measurement["n"] for measurement in observers.get_context_measurements()] == [7, 8, 9]


def test_measurements_come_back_as_they_were_emitted(observers):
    measurement = {
        **SPECTRAL,
        "subject": "shape_1",
        "timestamp": "2026-01-01",
        "refs": ["t1:a"],
        "$key": [math.inf, -math.inf, 2**70],
        "values": np.array([0.5, 1.5], dtype=np.float32),
        "nothing": None,
    }
    observers.add_to_context(observers.emit_token(measurement))
    assert observers.get_context_measurements() == [{**measurement, "values": [0.5, 1.5]}]


def test_changing_what_was_emitted_or_handed_out_changes_nothing(observers):
    measurement = {"nested": {"values": [1, 2]}}
    token = observers.emit_token(measurement)
    observers.add_to_context(token)
    measurement["nested"]["values"].append(3)
    observers.get_context_measurements()[0]["nested"]["values"].append(4)
    assert observers.get_context_measurements() == [{"nested": {"values": [1, 2]}}]
    assert observers.verify(token)


def test_an_empty_context_says_so(observers):
    facts = observers.synthesize_context()
    assert facts["empty"] is True
    assert facts["reflexive"] is False
    assert (facts["token_count"], facts["measurement_types"]) == (0, {})
    assert facts["summary"] == observers.create_reasoning_prompt() == "No measurements in context."


def test_a_synthesis_counts_types_and_loops(observers):
    first = observers.emit_token(SPECTRAL)
    for token in (
        first,
        observers.emit_token(CURVATURE),
        observers.emit_token({"x": 1}),
        observers.emit_token({**SPECTRAL, "lambda_max": 1, "refs": [first]}),
    ):
        observers.add_to_context(token)
    facts = observers.synthesize_context()
    assert facts["empty"] is False
    assert facts["token_count"] == 4
    assert facts["measurement_types"] == {"curvature": 1, "origin_spectral": 2, "untyped": 1}
    assert facts["reflexive"] is True
    assert facts["summary"] == "4 tokens: curvature 1, origin_spectral 2, untyped 1; 1 reflexive"


# ---- rate --------------------------------------------------------------------------------------------------------


def test_the_rate_is_that_of_the_last_ten_seconds():
    clock = Clock()
    observers = ObserverSynthesis(clock=clock)
    assert observers.get_measurement_rate() == 0.0
    for n in range(50):
        observers.emit_token({"n": n})
    assert observers.get_measurement_rate() == 5.0
    assert not observers.should_throttle()
    assert observers.should_throttle(max_rate=4.9)
    clock.now += 10.0
    assert observers.get_measurement_rate() == 0.0


def test_a_rate_above_what_is_remembered_is_still_told():
    clock = Clock()
    observers = ObserverSynthesis(clock=clock)
    for n in range(10_000):
        clock.now += 0.001
        observers.emit_token({"n": n % 7})
    assert observers.get_measurement_rate() == pytest.approx(1000, rel=0.01)


def test_throttling_is_advice_only():
    observers = ObserverSynthesis(clock=Clock())
    for n in range(500):
        observers.emit_token({"n": n})
    assert observers.should_throttle()
    assert observers.emit_token(SPECTRAL) == token_id(SPECTRAL)


# ---- monitors, threads, processes --------------------------------------------------------------------------------


class Guard:
    """A monitor as small as can be: it emits one token per look into the synthesis it is bound to."""

    synthesis: ObserverSynthesis | None = None

    def look(self) -> str:
        assert self.synthesis is not None
        return self.synthesis.emit_token(CURVATURE)


@pytest.mark.parametrize("helper", ["integrate_with_eigensentry", "integrate_with_origin_sentry"])
def test_a_bound_monitor_emits_here_and_once(observers, helper):
    guard = Guard()
    assert getattr(observers, helper)(guard) is guard
    getattr(observers, helper)(guard)
    guard.look()
    assert observers.metrics["tokens_generated"] == 1


def test_what_cannot_be_bound_is_refused(observers):
    with pytest.raises(BadInput, match="attribute 'synthesis'"):
        observers.integrate_with_eigensentry(object())


def test_threads_lose_no_emission():
    observers = ObserverSynthesis(100)
    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [
            threading.Thread(target=lambda k=k: [observers.emit_token({"k": k, "n": n}) for n in range(500)])
            for k in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(switch)
    assert observers.metrics["tokens_generated"] == 3000
    assert len(observers._memory) == 100


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_emits_although_a_thread_of_the_parent_held_the_lock(observers):
    with observers._lock.alone():
        child = os.fork()
        if child == 0:
            os._exit(0 if observers.emit_token(SPECTRAL) == token_id(SPECTRAL) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_synthesis_says_what_it_holds(observers):
    observers.emit_token(SPECTRAL)
    assert repr(observers) == (
        "ObserverSynthesis(max_tokens=1000): "
        "tokens_generated=1, tokens_in_context=0, reflexive_loops=0, references_cut=0"
    )
