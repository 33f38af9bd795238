"""What the four share: the seed's script, rounding, the lock after a fork, the front door."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import toriwork.monitors
from toriwork.errors import BadInput
from toriwork.monitors import BraidAggregator, ChaosChannelController, CurvatureAwareGuard, OriginSentry
from toriwork.monitors.base import check_count, check_name
from toriwork.synthesis import get_observer_synthesis
from toriwork.synthesis.digest import rounded


def test_the_verification_script_of_the_migration_plan_prints_what_it_should(capsys):
    origin = OriginSentry()
    eigenvalues = np.array([0.05, 0.03, 0.02])
    result = origin.classify(eigenvalues)
    assert f"OriginSentry: {result['coherence']}, novelty={result['novelty_score']:.3f}" == (
        "OriginSentry: critical, novelty=0.700"
    )
    guard = CurvatureAwareGuard()
    action = guard.check_eigenvalues(eigenvalues, np.random.default_rng(0).normal(size=100))
    assert action["action"] == "none"
    assert 0.5 <= action["threshold"] <= 1.0
    synthesis = get_observer_synthesis()
    assert synthesis.metrics["tokens_generated"] == 2
    context = synthesis.synthesize_context()
    assert {"empty", "summary", "token_count", "measurement_types", "reflexive"} <= set(context)
    assert context["measurement_types"] == {"origin_spectral": 1}


def test_tokens_hold_twelve_digits_and_everything_else_as_it_is():
    value = {"a": [1 / 3, np.float64(2 / 3)], "b": (1, True, "x", None), "c": 0.1 + 0.2, "d": 1e-320}
    assert rounded(value) == {
        "a": [0.333333333333, 0.666666666667],
        "b": [1, True, "x", None],
        "c": 0.3,
        "d": 1e-320,
    }


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_of_a_fork_finds_no_lock_taken(synthesis):
    monitors = [
        OriginSentry(synthesis=synthesis),
        CurvatureAwareGuard(synthesis=synthesis),
        BraidAggregator(synthesis=synthesis),
        ChaosChannelController(4, synthesis=synthesis),
    ]
    sentry, guard, braid, chaos = monitors
    for monitor in monitors:
        monitor._lock.acquire()
    braid._aggregating.acquire()
    child = os.fork()
    if child == 0:  # another thread than the one that holds the locks, as far as they know
        import threading

        def work():
            sentry.classify([0.5])
            guard.check_eigenvalues([1.0], np.zeros(4))
            braid.record_event("x")
            braid.aggregate_once("micro")
            chaos.step()
            os._exit(0)

        threading.Thread(target=work).start()
        threading.Event().wait(30)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0


def test_importing_the_package_loads_no_monitor():
    code = "import sys, toriwork.monitors; print([m for m in sys.modules if m.startswith('toriwork.monitors.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_package_names_its_monitors():
    assert set(toriwork.monitors.__all__) == set(toriwork.monitors._HOMES) <= set(dir(toriwork.monitors))
    with pytest.raises(AttributeError, match="Nobody"):
        _ = toriwork.monitors.Nobody


@pytest.mark.parametrize(
    "monitor", [CurvatureAwareGuard, BraidAggregator, lambda: ChaosChannelController(2), OriginSentry]
)
def test_a_monitor_says_in_one_line_what_it_is(monitor):
    text = repr(monitor())
    assert ": " in text
    assert "\n" not in text
    assert "0x" not in text


def test_counts_and_names_are_checked():
    assert check_count("n", np.int64(3)) == 3
    assert check_name("name", "x") == "x"
    with pytest.raises(BadInput, match="n: expected a whole number >= 2"):
        check_count("n", 1, 2)
    with pytest.raises(BadInput, match="name"):
        check_name("name", 3)
