"""ChaosChannelController: bursts as the slow lattice has them, the same numbers from one generator, the way back."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.monitors import oracles
from toriwork.errors import BadInput
from toriwork.monitors import ChaosChannelController, lattice

phases = hnp.arrays(np.float64, st.integers(2, 7).map(lambda n: (n, n)), elements=st.floats(-math.pi, math.pi))


def controller(synthesis, seed=0, side=8):
    return ChaosChannelController(side, rng=np.random.default_rng(seed), synthesis=synthesis)


def run(chaos, steps):
    return [chaos.step() for _ in range(steps)]


def rows_of_noise(rng, side):
    parts = rng.standard_normal((2, side, side))
    return (parts[0] + 1j * parts[1]).tolist()


def test_a_thousand_random_steps_are_those_of_the_slow_lattice(synthesis):
    n_steps = 0
    for seed in range(25):
        rng = np.random.default_rng(seed)
        side, level, duration = int(rng.integers(2, 7)), float(rng.uniform(-0.2, 1.3)), int(rng.integers(10, 70))
        chaos, slow, noise = controller(synthesis, seed, side), oracles.SlowLattice(side), np.random.default_rng(seed)
        chaos.trigger(level, duration)
        level = min(max(level, 0.0), 1.0)
        slow.inject(rows_of_noise(noise, side), level)
        energies = []
        for _ in range(duration):
            slow.step(rows_of_noise(noise, side), level)
            energies.append(slow.energy())
        (report,) = (run(chaos, duration), chaos.get_burst_history())[1]
        assert chaos.get_energy_history() == pytest.approx(energies, rel=1e-12, abs=1e-12)
        assert report["peak_energy"] == pytest.approx(max(energies), rel=1e-12)
        assert report["energy_ratio"] == report["end_energy"] == chaos.get_energy_history()[-1]
        for _ in range(5):
            slow.relax()
            assert chaos.step()["energy"] == pytest.approx(slow.energy(), rel=1e-12)
        np.testing.assert_allclose(chaos.get_lattice_state(), slow.psi, rtol=0, atol=1e-12)
        n_steps += duration + 5
    assert n_steps >= 1000


def test_the_same_generator_gives_the_same_run(synthesis):
    def story(seed):
        chaos = controller(synthesis, seed, 16)
        ids = [chaos.trigger(0.7, 20), chaos.trigger(0.7, 20)]
        steps = run(chaos, 130)
        ids.append(chaos.trigger(1.0, 5, "again"))
        return ids, steps, run(chaos, 7), chaos.get_lattice_state().tobytes(), chaos.get_burst_history()

    assert story(1) == story(1)
    assert story(1)[3] != story(2)[3]


@pytest.mark.parametrize("duration", [1, 60, 500])
def test_field_and_number_come_back_to_rest_together(synthesis, duration):
    chaos = controller(synthesis, 4, 6)
    chaos.trigger(1.0, duration)
    run(chaos, duration)
    assert chaos.state == "cooldown"
    for left in range(99, -1, -1):
        status = chaos.step()
        assert status["cooldown_remaining"] == left
        assert status["energy"] == pytest.approx(np.mean(np.abs(chaos.get_lattice_state()) ** 2), rel=1e-12)
    assert status["state"] == "idle"
    assert status["energy"] == pytest.approx(chaos.baseline_energy, rel=0.05)
    assert np.mean(np.abs(chaos.get_lattice_state()) ** 2) == pytest.approx(chaos.baseline_energy, rel=0.05)


def test_at_rest_nothing_moves_and_no_noise_is_drawn(synthesis, generated):
    chaos = controller(synthesis)
    assert (
        run(chaos, 3)
        == [
            {
                "state": "idle",
                "energy": 1.0,
                "burst_active": False,
                "burst_progress": 0.0,
                "burst_id": "",
                "cooldown_remaining": 0,
            }
        ]
        * 3
    )
    assert (chaos.get_lattice_state() == 1).all()
    assert chaos._rng.bit_generator.state == np.random.default_rng(0).bit_generator.state
    assert generated() == 0


def test_a_burst_goes_through_its_states(synthesis):
    chaos = controller(synthesis)
    first = chaos.trigger(0.5, 4)
    steps = run(chaos, 105)
    assert [step["state"] for step in steps] == ["active"] * 3 + ["cooldown"] * 100 + ["idle"] * 2
    assert [step["burst_progress"] for step in steps[:5]] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert {step["burst_id"] for step in steps[:103]} == {first}
    assert (steps[2]["burst_active"], steps[3]["burst_active"], steps[3]["cooldown_remaining"]) == (True, False, 100)
    assert steps[-1]["burst_id"] == ""
    made_in = [step["state"] for step in chaos.history]  # a step belongs to the state that it was made in
    assert made_in == ["active"] * 4 + ["cooldown"] * 100 + ["idle"]
    assert [step["energy"] for step in chaos.history] == chaos.get_energy_history()


def test_a_burst_is_refused_unless_the_lattice_is_at_rest(synthesis):
    chaos = controller(synthesis)
    assert chaos.trigger(0.5, 2)
    assert chaos.trigger(0.5, 2) == ""
    run(chaos, 2)
    assert chaos.trigger(0.5, 2) == ""  # it cools down
    run(chaos, 100)
    assert chaos.trigger(0.5, 2) == "burst_2"


def test_level_and_duration_are_cut_to_their_bounds(synthesis):
    chaos = controller(synthesis, side=4)
    chaos.trigger(7.0, 10_000, "long")
    run(chaos, 500)
    (report,) = chaos.get_burst_history()
    assert (report["level"], report["duration"], report["purpose"]) == (1.0, 500, "long")
    chaos.reset()
    chaos.trigger(-1.0, 1)
    assert chaos.step()["energy"] == pytest.approx(0.99**2)  # no noise at all


def test_each_burst_reports_its_own_peak(synthesis):
    chaos = controller(synthesis, side=4)
    for level in (1.0, 0.0):
        chaos.trigger(level, 3)
        run(chaos, 103)
    loud, quiet = chaos.get_burst_history()
    assert loud["peak_energy"] > quiet["peak_energy"]
    assert quiet["peak_energy"] == pytest.approx(max(chaos.get_energy_history()[103:106]), rel=1e-15)


def test_histories_are_bounded_and_a_reset_forgets_them(synthesis, monkeypatch):
    chaos = controller(synthesis, side=2)
    assert (chaos._energies.maxlen, chaos._reports.maxlen) == (10_000, 1000)
    chaos.trigger(1.0, 2)
    run(chaos, 2)
    chaos.reset()
    assert (chaos.state, chaos.get_energy_history(), chaos.get_burst_history()) == ("idle", [], [])
    assert (chaos.get_lattice_state() == 1).all()
    assert chaos.trigger(1.0, 2) == "burst_2"


def test_what_is_given_out_is_a_copy(synthesis):
    chaos = controller(synthesis, side=4)
    chaos.trigger(1.0, 1)
    chaos.step()
    chaos.get_lattice_state()[:] = 9
    chaos.get_burst_history()[0]["discoveries"].clear()
    assert chaos.get_burst_history()[0]["discoveries"]
    assert np.abs(chaos.get_lattice_state()).max() < 3


# ---- what a burst discovers ------------------------------------------------------------------------------------------


def test_peaks_and_vortices_are_those_of_the_slow_twin():
    rng = np.random.default_rng(9)
    for _ in range(100):
        side = int(rng.integers(2, 9))
        psi = rng.normal(scale=1.5, size=(2, side, side)).T @ np.array([1, 1j])
        slow_peaks, slow_charges = oracles.peaks(psi.tolist()), oracles.charges(psi.tolist())
        found = lattice.find_peaks(psi)
        assert found["count"] == len(slow_peaks)
        assert {tuple(place) for place in found["places"]} <= set(slow_peaks)
        assert len(found["places"]) == min(5, len(slow_peaks))
        charges = lattice.vortex_charges(psi)
        assert {(int(i), int(j)): int(charges[i, j]) for i, j in zip(*np.nonzero(charges), strict=True)} == slow_charges


def test_planted_peaks_are_found_highest_first_also_across_the_border():
    psi = np.ones((12, 12), dtype=complex)
    psi[0, 0], psi[0, 11], psi[6, 6], psi[6, 3] = 3, 2.5j, -4, 2.0
    assert lattice.find_peaks(psi) == {"count": 2, "places": [[6, 6], [0, 0]]}  # the second is beside the first


def test_a_planted_pair_of_vortices_is_found_with_its_signs():
    y, x = np.mgrid[0:32, 0:32] + 0.5
    angle = np.arctan2(y - 10, x - 10) - np.arctan2(y - 22, x - 22)
    found = lattice.find_vortices(np.exp(1j * angle))
    charges = lattice.vortex_charges(np.exp(1j * angle))
    assert charges[9, 9] == -charges[21, 21] != 0
    assert found["total_charge"] == 0


@given(phases)
def test_the_total_charge_is_zero_on_a_torus(angles):
    assert lattice.vortex_charges(np.exp(1j * angles)).sum() == 0


@given(phases, st.integers(0, 6))
def test_charges_move_with_the_field(angles, shift):
    psi = np.exp(1j * np.round(angles, 3)) * (1 + 0.1 * np.cos(angles))
    here = lattice.vortex_charges(psi)
    np.testing.assert_array_equal(lattice.vortex_charges(np.roll(psi, shift, 0)), np.roll(here, shift, 0))


# ---- tokens, callbacks, bad input ------------------------------------------------------------------------------------


def test_a_burst_is_one_token_at_its_end_and_in_the_context(synthesis, generated):
    chaos, heard = controller(synthesis), []
    chaos.trigger(1.0, 3, "listen", heard.append)
    run(chaos, 2)
    assert (generated(), heard) == (0, [])
    run(chaos, 150)
    assert generated() == 1
    assert heard == chaos.get_burst_history()
    (measured,) = synthesis.get_context_measurements()
    assert (measured["type"], measured["source"], measured["burst_id"]) == (
        "chaos_burst",
        "chaos_controller",
        "burst_1",
    )
    assert measured["discoveries"]["vortices"]["total_charge"] == 0


def test_a_callback_that_fails_is_logged_and_the_burst_ends_all_the_same(synthesis, caplog):
    chaos = controller(synthesis)
    chaos.trigger(1.0, 1, callback=lambda report: report["no such key"])
    assert chaos.step()["state"] == "cooldown"
    assert "no such key" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((math.nan, 5), "level"),
        (("1", 5), "level"),
        ((0.5, 0), "duration"),
        ((0.5, 2.5), "duration"),
        ((0.5, 5, "x", 3), "callback"),
    ],
)
def test_bad_input_is_refused_and_starts_nothing(synthesis, arguments, words):
    chaos = controller(synthesis)
    with pytest.raises(BadInput, match=words):
        chaos.trigger(*arguments)
    assert chaos.state == "idle"


@pytest.mark.parametrize("side", [1, 0, 2.0, None])
def test_a_lattice_has_two_points_a_side(side):
    with pytest.raises(BadInput, match="lattice_size"):
        ChaosChannelController(side)
