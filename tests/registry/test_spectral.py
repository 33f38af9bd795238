"""Spectra: recorded in the registry, bounded in memory, the same answers before and after a restart."""

from __future__ import annotations

import datetime as dt
import json
import math
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from toriwork.errors import BadInput
from toriwork.registry import SpectralDB, SpectralSignature, TorusRegistry
from toriwork.registry.spectral import magnitudes, spectral_distances


def spectral_distance(one, other):
    return float(spectral_distances(one, [other])[0])


def naive_distance(one, other):
    """The slow twin: sort, pad, average."""
    one, other = sorted(map(abs, one), reverse=True), sorted(map(abs, other), reverse=True)
    size = max(len(one), len(other))
    if not size:
        return 0.0
    one, other = [*one, *[0.0] * (size - len(one))], [*other, *[0.0] * (size - len(other))]
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) / size


spectra = hnp.arrays(np.float64, st.integers(0, 6), elements=st.floats(-10, 10)) | hnp.arrays(
    np.complex128, st.integers(0, 6), elements=st.complex_numbers(max_magnitude=10)
)


@given(spectra, spectra)
def test_the_distance_is_that_of_the_slow_twin(one, other):
    found = spectral_distance(magnitudes(one), magnitudes(other))
    assert found == pytest.approx(naive_distance(one, other), abs=1e-12)
    assert found == spectral_distance(magnitudes(other), magnitudes(one))


@given(spectra, st.lists(spectra, max_size=12))
def test_many_distances_at_once_are_those_of_each_pair_to_the_bit(one, others):
    held = [magnitudes(other) for other in others]
    found = spectral_distances(magnitudes(one), held)
    assert found.tolist() == [spectral_distance(magnitudes(one), other) for other in held]


@given(spectra, spectra, st.randoms(use_true_random=False), st.floats(1e-3, 1e3))
def test_the_order_of_eigenvalues_says_nothing_and_distances_scale_with_them(one, other, chance, factor):
    shuffled = np.array(chance.sample(list(one), len(one)), dtype=one.dtype)
    near = spectral_distance(magnitudes(one), magnitudes(other))
    assert spectral_distance(magnitudes(shuffled), magnitudes(other)) == near
    scaled = spectral_distance(magnitudes(one * factor), magnitudes(other * factor))
    assert scaled == pytest.approx(near * factor, rel=1e-9, abs=1e-9)


def test_padding_breaks_the_triangle_inequality():
    one, between, other = (magnitudes(values) for values in ([1.0], [1.0, 0.0, 0.0, 0.0], [2.0, 1.0, 1.0, 1.0]))
    assert spectral_distance(one, between) == 0.0
    assert spectral_distance(one, other) == spectral_distance(between, other) == 1.0
    far = magnitudes([3.0])
    assert spectral_distance(far, one) > spectral_distance(far, between) + spectral_distance(between, one)


def test_the_nearest_of_ten_thousand_is_that_of_the_slow_twin(registry):
    rng = np.random.default_rng(7)
    stored = [np.round(rng.normal(size=size), 4) for size in rng.integers(1, 9, 10_000)]
    held = SpectralDB(registry=registry)
    registry.record_shapes(stored, metadata={"spectral_stream": held.stream, "signature": {}})
    held = SpectralDB(registry=registry)
    assert len(held) == 10_000
    for query in (rng.normal(size=size) for size in (1, 5, 12)):
        nearest = min(naive_distance(query, other) for other in stored)
        assert held.distance(query, top_k=10_000) == pytest.approx(nearest, abs=1e-12)


def test_magnitudes_beyond_floating_point_are_refused_and_large_ones_are_not():
    with pytest.raises(BadInput, match="beyond float64"):
        magnitudes([1.0, 1.5e308 + 1.5e308j])
    assert spectral_distance(magnitudes([1.7e308, 1.7e308]), magnitudes([0.0])) == math.inf


def test_padding_is_at_the_small_end():
    assert spectral_distance(magnitudes([5.0, 1.0]), magnitudes([5.0])) == 0.5


def test_nothing_is_near_when_nothing_is_stored(registry):
    assert SpectralDB(registry=registry).distance([0.1, 0.2]) == math.inf


def test_the_nearest_of_the_last_counts(registry):
    spectra = SpectralDB(registry=registry)
    for value in (1.0, 5.0, 9.0):
        spectra.add([value])
    assert spectra.distance([1.1]) == pytest.approx(0.1)
    assert spectra.distance([1.1], top_k=2) == pytest.approx(3.9)
    assert spectra.distance([-9.0], top_k=1) == 0.0
    with pytest.raises(BadInput, match="top_k"):
        spectra.distance([1.0], top_k=0)


def test_a_restart_changes_no_answer(tmp_path):
    rng = np.random.default_rng(3)
    stored = [rng.normal(size=n) + (1j * rng.normal(size=n) if n % 2 else 0) for n in (3, 8, 5, 2, 7, 1)]
    queries = [rng.normal(size=n) for n in (1, 4, 9)]
    path = tmp_path / "r.parquet"
    with TorusRegistry(path) as registry:
        spectra = SpectralDB(4, registry=registry)
        for spectrum in stored:
            spectra.add(spectrum)
        registry.record_shape(rng.normal(size=20))  # a spectrum of nobody's stream
        before = [spectra.distance(query, top_k=k) for query in queries for k in (1, 3, 10)]
    for _ in range(2):  # from the public file; and while another handle is open
        with TorusRegistry(path) as registry:
            again = SpectralDB(4, registry=registry)
            assert [again.distance(query, top_k=k) for query in queries for k in (1, 3, 10)] == before
            assert again.get_statistics() == spectra.get_statistics()


def test_rows_that_are_not_published_count_too(registry):
    SpectralDB(registry=registry).add([1.0, 2.0])
    assert SpectralDB(registry=registry).distance([1.0, 2.0]) == 0.0


def test_streams_do_not_see_each_other(registry):
    mine, other = SpectralDB(registry=registry, stream='a "b"'), SpectralDB(registry=registry, stream="b")
    mine.add([1.0])
    other.add([2.0])
    registry.record_shape([3.0], metadata={"nested": {"spectral_stream": "b"}})
    for name, nearest in (('a "b"', 1.0), ("b", 2.0)):
        again = SpectralDB(registry=registry, stream=name)
        assert again.distance([nearest]) == 0.0
        assert len(again) == 1


@pytest.mark.parametrize(
    ("bounds", "held"),
    [
        pytest.param({"max_entries": 3}, 3, id="by number"),
        pytest.param({"max_size_mb": 250 * 8 / 2**20}, 2, id="by size"),
        pytest.param({"max_size_mb": 99 * 8 / 2**20}, 0, id="by a size that nothing fits"),
    ],
)
def test_the_bounds_limit_what_is_held_and_not_the_file(registry, bounds, held):
    spectra = SpectralDB(registry=registry, **bounds)
    for value in range(6):
        spectra.add(np.full(100, float(value)))
    assert spectra.get_statistics()["entries"] == held
    assert spectra.get_statistics()["size_mb"] == held * 800 / 2**20
    assert registry.get_statistics()["total_shapes"] == 6
    nearest = spectra.distance(np.zeros(100), top_k=100)
    assert nearest == (6 - held if held else math.inf)
    assert SpectralDB(registry=registry, **bounds).distance(np.zeros(100), top_k=100) == nearest


def test_a_signature_is_recorded_with_what_it_knows(registry):
    signature = SpectralSignature(
        dt.datetime(2026, 1, 1, tzinfo=dt.UTC), np.array([0.05, 0.03]), "mine", [2, 1], "critical", [0.02]
    )
    shape_id = SpectralDB(registry=registry).add(signature)
    row = registry.df.iloc[0]
    assert row["shape_id"] == shape_id
    assert (row["betti0"], row["betti1"], row["coherence_band"]) == (2.0, 1.0, "critical")
    assert json.loads(row["metadata"]) == {
        "spectral_stream": "spectral_db",
        "signature": {"timestamp": "2026-01-01T00:00:00+00:00", "hash_id": "mine", "gaps": [0.02]},
    }
    np.testing.assert_array_equal(registry.vertices(shape_id), [0.05, 0.03])


def test_notes_are_found_again_whatever_the_bounds_hold(registry):
    spectra, other = SpectralDB(1, registry=registry), SpectralDB(registry=registry, stream="other")
    for number in range(4):
        spectra.add([float(number)], notes={"mine": {"number": number}})
        other.add([9.0], notes={"mine": "of another stream"})
    spectra.add([5.0])
    assert spectra.notes("mine", 3) == [{"number": 1}, {"number": 2}, {"number": 3}]
    assert SpectralDB(registry=registry).notes("mine", 10)[0] == {"number": 0}
    assert spectra.notes("number", 10) == []


def test_notes_cannot_change_the_stream_and_bad_ones_record_nothing(registry):
    spectra = SpectralDB(registry=registry)
    spectra.add([1.0], notes={"spectral_stream": "stolen"})
    assert SpectralDB(registry=registry).distance([1.0]) == 0.0
    with pytest.raises(BadInput, match="bad"):
        spectra.add([2.0], notes={"bad": object()})
    assert len(spectra) == len(registry) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_that_finds_the_lock_taken_can_add_all_the_same(registry):
    spectra = SpectralDB(registry=registry)
    with spectra._lock.alone():
        child = os.fork()
        if child == 0:
            spectra.add([1.0])
            os._exit(0 if spectra.distance([1.0]) == 0.0 else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_what_a_signature_holds_is_its_own():
    given_array = np.array([1.0, 2.0])
    signature = SpectralSignature(0.0, given_array, "x")
    given_array[0] = 9.0
    assert signature.eigenvalues[0] == 1.0
    assert not signature.eigenvalues.flags.writeable
    assert signature.gaps == ()


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param([[1.0, 2.0]], id="a cloud"),
        pytest.param([1.0, math.nan], id="NaN"),
        pytest.param([math.inf], id="infinity"),
        pytest.param(["a"], id="text"),
        pytest.param([[1], [1, 2]], id="ragged"),
        pytest.param(3.0, id="one number"),
    ],
)
def test_what_is_no_spectrum_is_refused_and_not_recorded(registry, bad):
    spectra = SpectralDB(registry=registry)
    with pytest.raises(BadInput):
        spectra.add(bad)
    with pytest.raises(BadInput):
        spectra.distance(bad)
    assert registry.get_statistics()["total_shapes"] == 0


def test_an_unknown_state_is_refused():
    with pytest.raises(BadInput, match="band"):
        SpectralSignature(0.0, [1.0], "x", coherence_state="odd")


@pytest.mark.parametrize("bounds", [{"max_entries": 0}, {"max_size_mb": 0}, {"stream": ""}])
def test_bounds_and_names_are_checked(registry, bounds):
    with pytest.raises(BadInput):
        SpectralDB(registry=registry, **bounds)
