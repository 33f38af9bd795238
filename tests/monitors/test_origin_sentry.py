"""OriginSentry: the contract's numbers, the slow twin's answers, and a memory that no restart changes."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.monitors.oracles import SlowSentry
from toriwork.errors import BadInput
from toriwork.monitors import OriginSentry
from toriwork.monitors.novelty import PriorState, judge, spectral_entropy
from toriwork.registry import SpectralDB, TorusRegistry
from toriwork.registry.spectral import magnitudes
from toriwork.synthesis import get_observer_synthesis

CHILD = Path(__file__).with_name("sentry_child.py")
positive_spectra = hnp.arrays(np.float64, st.integers(1, 8), elements=st.floats(0, 1))


def random_spectra(rng, n):
    """Spectra near the thresholds, near each other, of any length, some complex, some with Betti numbers."""
    last = np.array([0.05])
    for _ in range(n):
        kind = rng.integers(5)
        if kind == 0:
            last = last + rng.normal(scale=0.006, size=len(last))  # about EPS away
        elif kind == 1:
            last = np.append(last[:6], rng.uniform(0, 0.05))  # one more mode
        elif kind == 2:
            last = rng.uniform(-0.06, 0.06, size=rng.integers(1, 9))
        elif kind == 3:
            last = rng.normal(scale=0.02, size=(2, rng.integers(1, 5))).T @ np.array([1, 1j])
        else:
            last = np.zeros(3) if rng.random() < 0.2 else last[:-1] if len(last) > 1 else last
        betti = None if rng.random() < 0.5 else rng.integers(0, 3, size=rng.integers(0, 5)).tolist()
        yield last, betti


def assert_same(found, expected):
    for key, value in expected.items():
        if isinstance(value, float | list):
            assert found[key] == pytest.approx(value, rel=0, abs=1e-12), key
        else:
            assert found[key] == value, key


def test_the_numbers_of_the_contract():
    found = OriginSentry().classify(np.array([0.05, 0.03, 0.02]))
    assert (found["coherence"], f"{found['novelty_score']:.3f}", found["gap_birth"]) == ("critical", "0.700", True)
    assert found["unseen_modes"] == 3
    assert set(found) == {
        *("dim_expansion", "unseen_modes", "gap_birth", "gaps", "coherence", "coherence_transition"),
        *("novelty_score", "spectral_entropy", "lambda_max", "metrics"),
    }


def test_a_thousand_random_spectra_are_judged_as_the_slow_twin_does(synthesis):
    sentry, slow = OriginSentry(synthesis=synthesis), SlowSentry()
    for eigenvalues, betti in random_spectra(np.random.default_rng(11), 1000):
        assert_same(sentry.classify(eigenvalues, betti), slow.classify(eigenvalues.tolist(), betti))
    assert sentry.novelty_history == pytest.approx(slow.novelties, abs=1e-12)
    assert {True, False} == {novelty > 0.7 for novelty in slow.novelties}  # the inputs reach both


@pytest.mark.parametrize(
    ("spectrum", "coherence"),
    [([0.04], "global"), ([0.0401], "critical"), ([0.01], "local"), ([0.0101], "global"), ([-0.05], "critical")],
)
def test_bands_begin_above_their_bounds(spectrum, coherence):
    assert judge(magnitudes(spectrum), None, PriorState())["coherence"] == coherence


def test_a_gap_counts_in_floating_point_as_the_contract_has_it():
    assert judge(magnitudes([0.05, 0.03]), None, PriorState())["gap_birth"]
    assert not judge(magnitudes([0.02, 0.0]), None, PriorState())["gap_birth"]


def test_betti_numbers_count_from_the_second_time_they_are_given(synthesis):
    sentry = OriginSentry(synthesis=synthesis)
    scores = [
        sentry.classify([0.5], betti)["novelty_score"] for betti in (None, [1, 1], [], None, [1], [1, 0, 0], [3], [3])
    ]
    assert scores == pytest.approx([0.7, 0.0, 0.0, 0.0, 0.3, 0.0, 0.3, 0.0])


def test_a_transition_is_against_the_call_before(synthesis):
    sentry = OriginSentry(synthesis=synthesis)
    seen = [sentry.classify([value])["coherence_transition"] for value in (0.001, 0.05, 0.06, 0.02)]
    assert seen == [False, True, False, True]


@given(positive_spectra, st.randoms(use_true_random=False))
def test_the_order_of_eigenvalues_and_their_phases_say_nothing(spectrum, chance):
    turned = np.array([value * chance.choice([1, -1, 1j]) for value in chance.sample(list(spectrum), len(spectrum))])
    before = PriorState(recent=[np.array([0.5, 0.2])])
    straight, shuffled = (judge(magnitudes(values), None, before) for values in (spectrum, turned))
    assert straight == shuffled


@given(positive_spectra, st.floats(1e-6, 1e6))
def test_entropy_does_not_depend_on_the_unit_and_lies_between_its_bounds(spectrum, factor):
    entropy = spectral_entropy(spectrum)
    assert 0.0 <= entropy <= math.log(len(spectrum)) + 1e-12
    if spectrum.max() > 1e-200:
        assert spectral_entropy(spectrum * factor) == pytest.approx(entropy, abs=1e-9)


@pytest.mark.parametrize(
    ("spectrum", "entropy"), [([0, 0], 0.0), ([3.0], 0.0), ([1, 1, 1, 1], math.log(4)), ([1.7e308] * 2, math.log(2))]
)
def test_entropy_is_exact_where_it_is_known(spectrum, entropy):
    assert spectral_entropy(np.array(spectrum, dtype=float)) == pytest.approx(entropy, abs=1e-15)


def test_entropy_is_wanted_above_and_below_the_thresholds(synthesis):
    sentry = OriginSentry(synthesis=synthesis)
    assert sentry.should_inject_entropy() == (True, 0.8)
    sentry.classify([0.5], [1])
    assert sentry.should_inject_entropy() == (False, 1.0)  # 0.7 is not above 0.7
    assert sentry.should_inject_entropy(threshold_high=0.6) == (True, 1.5)
    sentry.classify([0.9], [2])
    assert sentry.should_inject_entropy() == (True, 1.5)
    sentry.classify([0.9], [2])
    assert sentry.should_inject_entropy() == (True, 0.8)
    assert sentry.should_inject_entropy(threshold_low=0.0) == (False, 1.0)


@pytest.mark.parametrize(
    ("eigenvalues", "betti", "words"),
    [
        pytest.param([1.0, math.nan], None, "number 1 is not finite", id="NaN"),
        pytest.param([math.inf], None, "not finite", id="infinity"),
        pytest.param([], None, "at least one", id="nothing"),
        pytest.param([[1.0]], None, "shape", id="a matrix"),
        pytest.param([1.0], [1, math.nan], "undecided", id="an undecided Betti number"),
        pytest.param([1.0], [-1], ">= 0", id="a negative Betti number"),
        pytest.param([1.0], "ab", "sequence of numbers", id="text for Betti numbers"),
    ],
)
def test_bad_input_is_refused_and_changes_nothing(synthesis, generated, eigenvalues, betti, words):
    sentry = OriginSentry(synthesis=synthesis)
    sentry.classify([0.5], [1])
    before = sentry.get_emergence_report()
    with pytest.raises(BadInput, match=words):
        sentry.classify(eigenvalues, betti)
    assert sentry.get_emergence_report() == before
    assert (len(sentry.spectral_db.registry), generated()) == (1, 1)


def test_a_sentry_needs_a_name():
    with pytest.raises(BadInput, match="name"):
        OriginSentry(name="")


# ---- memory ----------------------------------------------------------------------------------------------------------


def test_a_restart_between_any_two_spectra_changes_no_answer(tmp_path, synthesis):
    def run(path, restarts):
        rng, answers = np.random.default_rng(5), []
        registry = TorusRegistry(path)
        sentry = OriginSentry(SpectralDB(registry=registry), synthesis=synthesis, clock=lambda: 0.0)
        for number, (eigenvalues, betti) in enumerate(random_spectra(rng, 60)):
            if number in restarts:
                registry.close()
                registry = TorusRegistry(path)
                sentry = OriginSentry(SpectralDB(registry=registry), synthesis=synthesis, clock=lambda: 0.0)
            answers.append((sentry.classify(eigenvalues, betti), sentry.get_emergence_report()))
            answers.append((sentry.should_inject_entropy(), sentry.novelty_history))
        registry.close()
        return answers

    straight = run(tmp_path / "straight.parquet", ())
    assert run(tmp_path / "restarted.parquet", (1, 2, 13, 30, 31, 59)) == straight


def test_a_second_process_goes_on_where_the_first_was_killed(tmp_path):
    spectra = [
        ([[complex(value).real, complex(value).imag] for value in eigenvalues], betti)
        for eigenvalues, betti in random_spectra(np.random.default_rng(6), 24)
    ]

    def run(state, *stops):
        answers = []
        for start, stop in zip((0, *stops), (*stops, len(spectra)), strict=True):
            child = subprocess.Popen(
                [sys.executable, str(CHILD)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, "TORI_STATE_ROOT": str(tmp_path / state)},
                text=True,
            )
            for spectrum in spectra[start:stop]:
                child.stdin.write(json.dumps(spectrum) + "\n")
                child.stdin.flush()
                answers.append(json.loads(child.stdout.readline()))
            child.send_signal(signal.SIGKILL)
            child.communicate()
        return answers

    assert run("killed", 5, 17) == run("straight")


def test_histories_are_bounded(tmp_path, synthesis, monkeypatch):
    monkeypatch.setattr("toriwork.monitors.origin_sentry.MAX_NOVELTIES", 20)
    with TorusRegistry(tmp_path / "r.parquet") as registry:
        sentry = OriginSentry(SpectralDB(15, registry=registry), synthesis=synthesis)
        for value in range(50):
            sentry.classify([float(value)])
        again = OriginSentry(SpectralDB(15, registry=registry), synthesis=synthesis)
        for one in (sentry, again):
            assert (len(one.novelty_history), len(one.spectral_db), len(registry)) == (20, 15, 50)
            assert one.metrics["total_classifications"] == 50


def test_by_default_ten_thousand_signatures_and_a_thousand_scores_are_held(synthesis):
    sentry = OriginSentry(synthesis=synthesis)
    assert sentry.spectral_db.max_entries == 10_000
    assert sentry._novelties.maxlen == 1000


def test_sentries_of_different_names_do_not_see_each_other(synthesis):
    mine, other = OriginSentry(name="mine", synthesis=synthesis), OriginSentry(name="other", synthesis=synthesis)
    other.classify([0.5], [1])
    assert mine.classify([0.5], [2])["novelty_score"] == 0.7
    assert OriginSentry(name="other", synthesis=synthesis).metrics["total_classifications"] == 1


def test_spectra_that_were_added_to_its_store_by_hand_count_too(tmp_path, synthesis):
    with TorusRegistry(tmp_path / "r.parquet") as registry:
        spectra = SpectralDB(registry=registry)
        spectra.add([0.5])
        assert not OriginSentry(spectra, synthesis=synthesis).classify([0.5])["dim_expansion"]
        spectra.add([0.9])
        assert OriginSentry(spectra, synthesis=synthesis).metrics["total_classifications"] == 1


# ---- tokens ----------------------------------------------------------------------------------------------------------


def test_each_spectrum_is_one_token_and_in_the_context_when_it_matters(synthesis, generated):
    sentry = OriginSentry(name="mine", synthesis=synthesis)
    sentry.classify([0.5])
    assert (generated(), len(synthesis.context_tokens)) == (1, 1)
    sentry.classify([0.5001])
    assert (generated(), len(synthesis.context_tokens)) == (2, 1)
    (measured,) = synthesis.get_context_measurements()
    assert (measured["type"], measured["source"], measured["subject"]) == ("origin_spectral", "origin_sentry", "mine")
    assert measured["novelty_score"] == 0.7
    assert sentry.spectral_db.registry.vertices(measured["shape_id"]).tolist() == [0.5]


def test_the_same_measurement_is_the_same_token_whenever_and_with_whatever_last_bits(synthesis):
    tokens = []
    for name, spectrum in (("a", [0.1 + 0.2, 0.05]), ("b", [0.1 + 0.2, 0.05])):
        sentry = OriginSentry(name=name, synthesis=synthesis)
        sentry.subject = "same"
        sentry.classify(spectrum)
        tokens.append(sentry.last_token)
    assert tokens[0] == tokens[1]


def test_binding_moves_the_tokens_and_makes_none(synthesis, generated):
    sentry = OriginSentry()
    sentry.classify([0.5])
    synthesis.integrate_with_origin_sentry(sentry)
    assert generated() == 0
    sentry.classify([0.9])
    assert (generated(), get_observer_synthesis().metrics["tokens_generated"]) == (1, 1)
