"""BraidAggregator: every event accounted for at every moment, summaries as the slow twin's, spikes, the schedule."""

from __future__ import annotations

import asyncio
import math
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.monitors import oracles
from toriwork.cells import TorusCells
from toriwork.errors import BadInput, NotFound, StoreError
from toriwork.monitors import BraidAggregator, OriginSentry
from toriwork.monitors.timescales import SCALES, Event, Ring, Scale, coherences, merge, summarise

NAMES = ("micro", "meso", "macro")
SMALL = (Scale("micro", 50, 1.0, 0.02, 1.0), Scale("meso", 20, 5.0, 0.05, 2.0), Scale("macro", 10, 60.0, 0.1, 30.0))


class Clock:
    """Time that moves when it is told to."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def braid(synthesis, clock):
    return BraidAggregator(synthesis=synthesis, clock=clock)


def balance(braid):
    status = braid.get_status()
    return sum(scale["waiting"] for scale in status["scales"].values()) + status["retired"] - status["recorded"]


def test_a_hundred_thousand_events_are_all_accounted_for_and_none_is_handed_up_twice(braid, clock):
    handed = {"meso": [], "macro": []}
    for number in range(1, 100_001):
        clock.now += 1e-4
        braid.record_event("lattice", lambda_max=number)
        if number % 500 == 0:
            assert balance(braid) == 0
            for name, seen in handed.items():
                new = [event for event in braid.get_events(name) if not seen or event["lambda_max"] > seen[-1]]
                seen += [event["lambda_max"] for event in new]
                assert {event["source_events"] for event in new} <= {10 if name == "meso" else 100}
    assert braid.get_status()["recorded"] == 100_000
    assert braid.get_status()["retired"] > 80_000
    assert len(braid.get_events("micro")) == 10_000  # they stay until displaced
    # the largest of ten in a row each: nothing left out, nothing twice
    assert handed["meso"] == list(range(10, 100_001, 10))[: len(handed["meso"])]
    assert handed["macro"] == list(range(100, 100_001, 100))[: len(handed["macro"])]
    assert min(map(len, handed.values())) > 900


@given(st.lists(st.integers(1, 400), max_size=8))
def test_the_balance_holds_after_any_number_of_events(parts):
    braid = BraidAggregator(scales=SMALL, clock=lambda: 0.0)
    for part in parts:
        for _ in range(part):
            braid.record_event("x")
        assert balance(braid) == 0
    assert braid.get_status()["recorded"] == sum(parts)


def test_a_ring_hands_up_when_it_is_ninety_percent_full_and_not_before(braid):
    for _ in range(8999):
        braid.record_event("x", 1.0)
    assert braid.get_status()["scales"]["meso"]["events"] == 0
    braid.record_event("x", 1.0)
    scales = braid.get_status()["scales"]
    assert [scales[name]["events"] for name in NAMES] == [9000, 900, 90]
    assert [scales[name]["waiting"] for name in NAMES] == [0, 0, 9000]


def test_threads_that_record_at_once_lose_nothing(synthesis):
    braid = BraidAggregator(synthesis=synthesis, scales=SMALL)
    threads = [threading.Thread(target=lambda: [braid.record_event("x", 1.0) for _ in range(2000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (braid.get_status()["recorded"], balance(braid)) == (8000, 0)


def test_ten_become_one_with_their_largest_numbers_and_the_time_of_the_sixth():
    chunk = [Event(float(n), "x", None if n == 9 else -float(n), (n % 3, 1, 0)[: n % 4] or None) for n in range(10)]
    assert merge(chunk) == Event(5.0, "aggregate", 0.0, (2, 1, 0), None, 10)
    assert merge([Event(0.0, "x")] * 10).lambda_max is None


def test_a_ring_that_could_not_hold_ten_is_refused():
    with pytest.raises(BadInput, match="capacity >= 10"):
        Ring(Scale("tiny", 9, 1.0, 1.0, 1.0))


def test_the_scales_are_those_of_the_contract():
    assert SCALES == (
        ("micro", 10_000, 1e-3, 0.1, 1e-3),
        ("meso", 1000, 60, 10, 10),
        ("macro", 100, 3600, 300, 600),
    )


# ---- summaries -------------------------------------------------------------------------------------------------------


def test_a_thousand_random_windows_are_summarised_as_the_slow_twin_does():
    rng = np.random.default_rng(2)
    for _ in range(1000):
        events = [
            Event(
                float(rng.uniform(0, 2)),
                "x",
                None if rng.random() < 0.3 else float(rng.normal()),
                None if rng.random() < 0.5 else tuple(rng.integers(0, 4, rng.integers(1, 4)).astype(float).tolist()),
            )
            for _ in range(rng.integers(0, 30))
        ]
        ring = Ring(SCALES[0])
        for event in events:
            ring.put(event)
        found = summarise("micro", ring.within(1.0, 2.0), 2.0)
        expected = oracles.summary([(event.time, event.lambda_max, event.betti) for event in events], 1.0, 2.0)
        for key, value in expected.items():
            assert found[key] == pytest.approx(value, rel=0, abs=1e-12), key


def test_a_thousand_random_pairs_of_scales_are_as_coherent_as_the_slow_twin_says():
    rng = np.random.default_rng(3)
    for _ in range(1000):
        one, other = (rng.integers(0, 4, rng.integers(0, 14)).astype(float).tolist() for _ in range(2))
        expected = oracles.pearson(one, other)
        found = coherences({"micro": one, "meso": other}).get("micro_meso")
        assert found == (None if expected is None else pytest.approx(expected, rel=0, abs=1e-12))


@given(st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=12), st.floats(0.1, 10), st.floats(-5, 5))
def test_coherence_is_one_with_a_shifted_and_scaled_copy_and_minus_one_with_its_mirror(values, factor, shift):
    values = [round(value, 2) for value in values]
    found = coherences(
        {"a": values, "b": [factor * value + shift for value in values], "c": [-value for value in values]}
    )
    if len(set(values[-10:])) > 1:
        assert found["a_b"] == pytest.approx(1.0, abs=1e-6)
        assert found["a_c"] == pytest.approx(-1.0, abs=1e-9)
    else:
        assert found == {}


def test_coherence_survives_the_smallest_and_the_largest_numbers():
    ramp = [0.0, 1.0, 2.0]
    for scale in (1e-300, 1e300):
        found = coherences({"a": ramp, "b": [value * scale for value in ramp]})
        assert found["a_b"] == pytest.approx(1.0)


def test_windows_select_and_remove_nothing(braid, clock):
    for value in (1.0, 2.0, 3.0):
        braid.record_event("x", value)
        clock.now += 0.0006
    summary = braid.aggregate_once("micro")
    assert (summary["event_count"], summary["lambda_max"], summary["lambda_last"]) == (1, 3.0, [3.0])
    assert len(braid.get_events("micro")) == 3


def test_an_empty_window_measures_nothing(braid, clock, generated):
    braid.record_event("x", 1.0)
    clock.now += 1.0
    summary = braid.aggregate_once("micro")
    assert (summary["event_count"], summary["classification"], summary["spike"]) == (0, None, False)
    assert (braid.get_spectral_timeline(), generated()) == ([], 0)


def test_coherence_across_scales_is_that_of_their_last_summaries(braid, clock):
    for number in range(12):
        for scale in NAMES:
            ring = braid._rings[scale]
            value = {"micro": number, "meso": -number, "macro": 1.0}[scale]
            ring.events.clear()
            ring.put(Event(clock.now, "x", 10.0 + value))
            braid.aggregate_once(scale)
        clock.now += 1.0
    assert braid.get_cross_scale_coherence() == {"micro_meso": pytest.approx(-1.0)}
    assert len(braid.get_spectral_timeline("meso")) == 12
    times = [summary["time"] for summary in braid.get_spectral_timeline()]
    assert times == sorted(times)
    assert len(times) == 36


# ---- spikes ----------------------------------------------------------------------------------------------------------


def test_a_change_of_betti_numbers_and_of_the_spectrum_is_a_spike_that_labels_what_led_to_it(braid, clock):
    braid.record_event("old", 0.5, [1, 0])
    assert not braid.aggregate_once("micro")["spike"]  # novelty 0.7 is not above 0.7
    clock.now += 1.0
    braid.record_event("new", 0.9, [1, 1])
    summary = braid.aggregate_once("micro")
    assert summary["spike"]
    assert summary["classification"]["novelty_score"] == pytest.approx(1.0)
    assert [event["retro_label"] for event in braid.get_events("micro")] == [None, "novelty_spike_micro"]
    assert braid.get_status()["spikes"] == 1


def test_a_spike_of_a_coarse_scale_reaches_back_over_all_scales(synthesis, clock):
    braid = BraidAggregator(synthesis=synthesis, clock=clock, scales=SMALL)
    for number, betti in ((0, [1]), (200, [2])):
        for n in range(200):
            clock.now += 0.01
            braid.record_event("x", 0.1 + 0.002 * (number + n), betti)
        summary = braid.aggregate_once("meso")
    assert summary["spike"]
    labels = {name: {event["retro_label"] for event in braid.get_events(name)} for name in NAMES}
    assert labels["micro"] == {"novelty_spike_meso"}
    assert "novelty_spike_meso" in labels["meso"]
    events = braid.get_events("meso")
    assert all((event["retro_label"] is not None) == (clock.now - event["time"] <= 2.0) for event in events)


def test_its_own_sentry_leaves_the_users_alone(braid, clock, synthesis):
    mine = OriginSentry(synthesis=synthesis)
    for value in (0.5, 0.6):
        clock.now += 1
        braid.record_event("x", value, [1])
        braid.aggregate_once("micro")
    assert mine.classify([0.5])["novelty_score"] == 0.7
    assert OriginSentry(synthesis=synthesis).metrics["total_classifications"] == 1
    assert braid.origin_sentry.metrics["total_classifications"] == 2


def test_a_given_sentry_judges_the_last_ten_lambdas(synthesis, clock):
    sentry = OriginSentry(name="given", synthesis=synthesis)
    braid = BraidAggregator(sentry, synthesis=synthesis, clock=clock)
    for value in range(1, 13):
        braid.record_event("x", float(value))
    braid.aggregate_once("micro")
    assert braid.origin_sentry is sentry
    assert sentry.spectral_db.last(1)[0].tolist() == [12, 11, 10, 9, 8, 7, 6, 5, 4, 3]


def test_nothing_above_zero_is_not_judged(braid, generated):
    braid.record_event("x", -1.0)
    assert braid.aggregate_once("micro")["classification"] is None
    assert generated() == 1
    assert braid._sentry is None


# ---- Betti numbers ---------------------------------------------------------------------------------------------------


def circle(n):
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    return np.column_stack([np.cos(angle), np.sin(angle)])


def test_betti_numbers_come_from_the_cells_where_a_cloud_is_there(braid):
    braid.record_event("ring", data={"vertices": circle(40), "step": 3})
    (event,) = braid.get_events("micro")
    assert event["betti"][:2] == (1.0, 1.0)
    assert event["data"] == {"step": 3}  # the cloud is not kept
    braid.record_event("ring", betti=[7], data={"vertices": circle(40)})
    assert braid.get_events("micro")[1]["betti"] == (7.0,)


def test_undecided_numbers_are_no_evidence(synthesis, clock, monkeypatch):
    cells = TorusCells()
    braid = BraidAggregator(cells=cells, synthesis=synthesis, clock=clock)
    answers = iter([[1.0, math.nan, 0.0], [1.0, 2.0, math.nan], [1.0, 2.0, 3.0]])
    monkeypatch.setattr(cells, "compute_betti", lambda vertices: next(answers))
    for _ in range(3):
        braid.record_event("x", data={"vertices": circle(5)})
    assert [event["betti"] for event in braid.get_events("micro")] == [None, (1.0, 2.0), (1.0, 2.0, 3.0)]
    braid.record_event("spectrum", data={"vertices": None})
    assert braid.get_events("micro")[-1]["betti"] is None
    cells.close()


# ---- tokens ----------------------------------------------------------------------------------------------------------


def test_a_summary_is_one_token_that_refers_to_the_sentrys_and_a_spike_is_in_the_context(braid, clock, synthesis):
    for value, betti in ((0.5, [1]), (0.9, [3])):
        clock.now += 1.0
        braid.record_event("x", value, betti)
        braid.aggregate_once("micro")
    assert synthesis.metrics["tokens_generated"] == 4  # two summaries, two classifications
    assert braid.last_token in synthesis.context_tokens
    measured = {one["type"]: one for one in synthesis.get_context_measurements()}["braid_summary"]
    assert (measured["source"], measured["scale"], measured["spike"]) == ("braid_aggregator", "micro", True)
    assert measured["refs"] == [braid.origin_sentry.last_token]


def test_binding_moves_the_tokens_of_both(synthesis, clock, generated):
    braid = BraidAggregator(clock=clock)
    synthesis.integrate_with_origin_sentry(braid)
    braid.record_event("x", 0.5)
    braid.aggregate_once("micro")
    assert generated() == 2


# ---- on a schedule ---------------------------------------------------------------------------------------------------


def test_it_runs_on_its_schedule_and_stops(synthesis):
    braid = BraidAggregator(synthesis=synthesis, scales=SMALL)

    async def story():
        await braid.start()
        await braid.start()  # once is enough
        assert braid.running
        assert len(braid._tasks) == 3
        until = time.monotonic() + 30
        while not all(braid.get_spectral_timeline(name) for name in ("micro", "meso")) and time.monotonic() < until:
            for _ in range(60):
                braid.record_event("x", 0.5)
            await asyncio.sleep(0.01)
        await braid.stop()
        await braid.stop()
        assert not braid.running

    asyncio.run(story())
    n_summaries = len(braid.get_spectral_timeline())
    assert all(braid.get_spectral_timeline(name) for name in ("micro", "meso"))
    asyncio.run(story())  # in another loop
    assert len(braid.get_spectral_timeline()) >= n_summaries
    assert balance(braid) == 0


def test_a_loop_that_ended_without_a_stop_leaves_it_ready_for_another(synthesis):
    braid = BraidAggregator(synthesis=synthesis, scales=SMALL)
    asyncio.run(braid.start())
    assert not braid.running

    async def again():
        await braid.start()
        running = braid.running
        await braid.stop()
        return running

    assert asyncio.run(again())


def test_a_disk_that_refuses_is_logged_and_the_next_summary_tries_again(synthesis, caplog):
    sentry = OriginSentry(synthesis=synthesis)
    braid = BraidAggregator(sentry, synthesis=synthesis, scales=(Scale("micro", 50, 100.0, 0.01, 1.0),))
    braid.record_event("x", 0.5)
    refusals, thrice = [], threading.Event()

    def refuse(*arguments):
        refusals.append(arguments)
        if len(refusals) == 3:
            thrice.set()
        raise StoreError("the disk is full")

    sentry.classify_with_token = refuse

    async def story():
        await braid.start()
        assert await asyncio.to_thread(thrice.wait, 30)
        await braid.stop()

    asyncio.run(story())
    assert "the disk is full" in caplog.text
    with pytest.raises(StoreError):
        braid.aggregate_once("micro")


# ---- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({"kind": 3}, "kind"),
        ({"kind": "x", "lambda_max": math.nan}, "finite"),
        ({"kind": "x", "lambda_max": math.inf}, "finite"),
        ({"kind": "x", "lambda_max": "much"}, "number"),
        ({"kind": "x", "betti": [math.nan]}, "undecided"),
        ({"kind": "x", "data": [1]}, "mapping"),
        ({"kind": "x", "data": {"vertices": [[math.nan, 0.0]]}}, "not finite"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_bad_input_is_refused_and_not_recorded(braid, event, words):
    with pytest.raises(BadInput, match=words):
        braid.record_event(**event)
    assert (braid.get_status()["recorded"], balance(braid)) == (0, 0)


def test_an_unknown_scale_is_named(braid):
    for ask in (braid.aggregate_once, braid.get_events, braid.get_spectral_timeline):
        with pytest.raises(NotFound, match="nano"):
            ask("nano")
