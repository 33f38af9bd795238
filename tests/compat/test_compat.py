"""What migrated code stands on."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import namedtuple
from dataclasses import dataclass
from enum import Enum
from importlib import import_module

import numpy as np
import pytest

from toriwork import compat
from toriwork.compat import AdoptedSpectralDB, emit_measurement, emitting, stream_for
from toriwork.compat.measurements import matters
from toriwork.compat.signatures import as_signature
from toriwork.errors import BadInput
from toriwork.registry import SpectralDB, SpectralSignature, TorusRegistry
from toriwork.synthesis import ObserverSynthesis, get_observer_synthesis


class Band(Enum):
    HIGH = "critical"


@dataclass
class Older:
    spectrum: list
    time: float = 3.0
    betti: tuple = (1, 0, 0, 7)
    coherence: Band = Band.HIGH


class Monitor:
    name = "m"

    def __init__(self):
        self.synthesis = ObserverSynthesis()


def test_signatures_of_any_make_are_taken_with_all_that_they_say():
    found = as_signature(Older([0.2, 0.1]))
    assert (list(found.eigenvalues), found.timestamp, found.betti_numbers) == ([0.2, 0.1], 3.0, [1, 0, 0])
    assert found.coherence_state == "critical"
    assert list(as_signature([0.5]).eigenvalues) == [0.5]
    assert as_signature({"eigs": [0.5], "id": 7, "state": "odd"}).coherence_state == "local"
    same = SpectralSignature(0.0, [1.0], "x")
    assert as_signature(same) is same


def test_code_that_version_0_1_migrated_finds_the_same_names_where_they_were():
    old = import_module("toriwork.monitors.adopted")
    assert all(getattr(old, name) is getattr(compat, name) for name in old.__all__)


def test_what_has_no_eigenvalues_is_refused_by_name():
    with pytest.raises(BadInput, match="expected eigenvalues, got dict with the fields \\['id'\\]"):
        as_signature({"id": 7})


def test_an_empty_one_is_true_and_refuses_what_the_older_table_refused(tmp_path):
    class Strict(AdoptedSpectralDB):
        not_null = ("hash_id",)

    with TorusRegistry(tmp_path / "registry.parquet") as registry:
        db = Strict(registry=registry)
        assert (db or None) is db
        with pytest.raises(BadInput, match="expected a value for hash_id, got None"):
            db.add(SpectralSignature(1.0, [0.5], None))
        db.add(SpectralSignature(1.0, [0.5], "a"))
        assert len(db) == 1


def test_signatures_come_back_whole_after_a_restart(tmp_path):
    path = tmp_path / "registry.parquet"
    with TorusRegistry(path) as registry:
        db = AdoptedSpectralDB(registry=registry)
        db.add(SpectralSignature(5.0, [-0.3, 0.1], "a", [1, 2], "critical", [0.2]))
        db.add(eigenvalues=[0.4], betti=None)
    with TorusRegistry(path) as registry, AdoptedSpectralDB(registry=registry) as db:
        newest, oldest = db.recent()
        assert (oldest.timestamp, oldest.hash_id, oldest.betti_numbers) == (5.0, "a", [1.0, 2.0])
        assert (list(oldest.eigenvalues), oldest.coherence_state, oldest.gaps) == ([-0.3, 0.1], "critical", (0.2,))
        assert (list(newest.eigenvalues), newest.betti_numbers) == ([0.4], None)
        assert [list(one.eigenvalues) for one in db] == [[-0.3, 0.1], [0.4]]
        assert len(db.recent(1)) == 1
        assert db.distance([0.4]) == SpectralDB.distance(db, [0.4]) == 0.0


def test_a_subclass_may_mean_something_else_by_last(tmp_path):
    class Own(AdoptedSpectralDB):
        def last(self, n):
            raise AssertionError

    with TorusRegistry(tmp_path / "registry.parquet") as registry:
        db = Own(registry=registry)
        db.add([0.4])
        assert db.distance([0.5]) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("path", "default", "stream"),
    [
        (None, "a.db", "s"),
        ("a.db", "a.db", "s"),
        ("/data/a.db", "data/a.db", "s"),
        ("b.db", "a.db", "s:b.db"),
        ("b.db", None, "s:b.db"),
    ],
)
def test_memories_that_files_told_apart_stay_apart(path, default, stream):
    assert stream_for("s", path, default) == stream


def test_memories_in_memory_are_never_shared():
    assert stream_for("s", ":memory:") != stream_for("s", ":memory:")


def test_a_result_comes_back_and_one_token_says_it():
    monitor, result = Monitor(), {"action": "none", "type": "x", "timestamp": dt.datetime(2024, 1, 1, tzinfo=dt.UTC)}
    assert emit_measurement(monitor, result, "curvature") is result
    assert monitor.synthesis.metrics["tokens_generated"] == 1
    assert emit_measurement(monitor, None, "curvature") is None
    assert monitor.synthesis.metrics["tokens_generated"] == 1


def test_the_same_measurement_at_another_time_is_the_same_token():
    monitor = Monitor()
    for moment in (1.0, 2.0):
        emit_measurement(monitor, {"action": "emergency_damp", "timestamp": moment}, "curvature")
    assert monitor.synthesis.metrics["tokens_in_context"] == 1


def test_values_that_no_token_holds_are_told_by_their_type():
    result = {
        1: object(),
        "e": Band.HIGH,
        "a": np.float32(1),
        "n": {"d": dt.date(2024, 1, 1)},
        "s": {3},
        "o": Older([1]),
    }
    monitor = Monitor()
    emit_measurement(monitor, result, "chaos_burst")
    assert monitor.synthesis.metrics["tokens_in_context"] == 1


@pytest.mark.parametrize(
    ("kind", "result", "wanted"),
    [
        ("origin_spectral", {"novelty_score": 0.6}, True),
        ("origin_spectral", {"novelty_score": 0.5, "dim_expansion": False}, False),
        ("curvature", {"action": "none", "max_eigenvalue": 0.81, "threshold": 1.0}, True),
        ("curvature", {"action": "none", "max_eigenvalue": 0.8, "threshold": 1.0}, False),
        ("braid_summary", {"spike": False, "novelty_score": 0.8}, True),
        ("braid_summary", {"classification": {"novelty_score": 0.7}}, False),
        ("chaos_burst", {}, True),
    ],
)
def test_what_matters_is_what_matters_to_the_monitor_of_its_kind(kind, result, wanted):
    assert matters(result, kind) is wanted


def test_the_decorator_knows_every_kind_of_method():
    class Own(Monitor):
        @emitting("chaos_burst")
        def plain(self):
            return {"n": 1}

        @emitting("chaos_burst")
        async def awaited(self):
            return {"n": 2}

        @emitting("chaos_burst")
        def each(self):
            yield from ({"n": 3}, {"n": 4})

        @emitting("chaos_burst")
        async def items(self):
            yield {"n": 5}

        @property
        @emitting("chaos_burst")
        def told(self):
            return {"n": 6}

    async def through(own):
        return [await own.awaited(), *[item async for item in own.items()]]

    own = Own()
    found = [own.plain(), *own.each(), own.told, *asyncio.run(through(own))]
    assert [one["n"] for one in found] == [1, 3, 4, 6, 2, 5]
    assert own.synthesis.metrics["tokens_generated"] == 6


def test_without_a_synthesis_of_its_own_the_shared_one_takes_the_token():
    emit_measurement(object(), {"n": 1}, "chaos_burst")
    assert get_observer_synthesis().metrics["tokens_generated"] == 1


class State(Enum):
    LOCAL = "local"
    CRITICAL = "Critical"


@dataclass
class Old:
    """A signature of somebody's backend."""

    timestamp: dt.datetime
    eigenvalues: np.ndarray
    hash_id: str
    betti_numbers: tuple[float, ...] | None = None
    coherence_state: State = State.LOCAL
    label: str = ""


class Memory(AdoptedSpectralDB):
    signature_class = Old


def old(n: int) -> Old:
    when = dt.datetime(2024, 1, 1, 0, 0, n, tzinfo=dt.UTC)
    return Old(when, np.array([0.5, 0.25 * n]), f"h{n}", (1.0, 2.0), State.CRITICAL, f"run {n}")


@pytest.mark.parametrize("asked_before", [True, False])
def test_signatures_come_back_as_the_class_that_they_were(tmp_path, asked_before):
    with TorusRegistry(tmp_path / "r.parquet") as registry:
        memory = Memory(registry=registry, max_entries=3)
        assert not (asked_before and memory.signatures)  # from here on nothing is read again
        for n in range(5):
            memory.add(old(n))
        memory.add({"eigenvalues": [0.1], "timestamp": dt.datetime(2024, 1, 2, tzinfo=dt.UTC), "label": "a mapping"})
        held = memory.signatures
    with TorusRegistry(tmp_path / "r.parquet") as registry:
        again = Memory(registry=registry, max_entries=3).signatures
    for found in (held, again):
        assert [one.label for one in found] == ["run 3", "run 4", "a mapping"]
        assert (found[0].timestamp, found[0].coherence_state) == (old(3).timestamp, State.CRITICAL)
        assert found[0].betti_numbers == (1.0, 2.0)
        assert found[0].eigenvalues.tolist() == [0.5, 0.75]
        assert found[2].timestamp.day == 2


def test_a_named_tuple_is_a_signature_and_no_spectrum(tmp_path):
    row = namedtuple("Row", "eigenvalues hash_id ts")
    with TorusRegistry(tmp_path / "r.parquet") as registry:
        memory = type("Tuples", (AdoptedSpectralDB,), {"signature_class": row})(registry=registry)
        memory.add(row([0.3, 0.1], "a", 1.5))
        (found,) = AdoptedSpectralDB(registry=registry).signatures
        assert (found.hash_id, found.timestamp) == ("a", 1.5)
        assert memory.signatures[0].ts == 1.5
