"""Spectra against their threshold and the energy of a lattice: what is drawn is what the monitors measured."""

from __future__ import annotations

import math

import numpy as np
import pytest
from matplotlib.axes import Axes

from toriwork.errors import BadInput
from toriwork.monitors import ChaosChannelController, CurvatureAwareGuard
from toriwork.plots import Panel, describe_chaos, describe_spectra, picture, plot_chaos, plot_spectra
from toriwork.plots.spectra import Run, read_checks, read_energies, runs_of
from toriwork.synthesis import ObserverSynthesis

RESULTS = [
    {"timestamp": 10.0, "max_eigenvalue": 0.5, "threshold": 1.0, "action": "none", "spectrum": [0.5, -1.0]},
    {"timestamp": 12.0, "max_eigenvalue": 1.5, "threshold": 0.8, "action": "adaptive_damp", "spectrum": [1.5]},
    {"timestamp": 15.0, "max_eigenvalue": 2.5, "threshold": 0.9, "action": "emergency_damp"},
]


def lines_of(axes: Axes) -> dict[str, list[float]]:
    return {str(line.get_label()): list(line.get_ydata()) for line in axes.get_lines()}  # type: ignore[arg-type]


@pytest.fixture
def chaos() -> ChaosChannelController:
    """A burst of four steps, its cooldown, two steps of rest, and two steps of another burst."""
    controller = ChaosChannelController(4, rng=np.random.default_rng(0), synthesis=ObserverSynthesis())
    controller.trigger(1.0, 4)
    for _ in range(106):
        controller.step()
    controller.trigger(1.0, 9)
    for _ in range(2):
        controller.step()
    return controller


def test_the_largest_eigenvalue_the_threshold_and_the_actions_are_drawn(axes: Axes) -> None:
    assert plot_spectra(RESULTS, ax=axes) is axes
    assert lines_of(axes) == {
        "largest eigenvalue": [0.5, 1.5, 2.5],
        "threshold": [1.0, 0.8, 0.9],
        "adaptive damping (1)": [1.5],
        "emergency damping (1)": [2.5],
    }
    dots = axes.collections[0].get_offsets()
    assert np.asarray(dots).tolist() == [[1, 0.5], [1, -1.0], [2, 1.5], [3, 2.5]]


def test_a_guard_is_drawn_by_its_history(axes: Axes) -> None:
    guard = CurvatureAwareGuard(synthesis=ObserverSynthesis(), clock=lambda: 0.0)
    for top in (0.5, 3.0):
        guard.check_eigenvalues([top, 0.1], np.zeros(9))
    plot_spectra(guard, ax=axes)
    assert lines_of(axes)["largest eigenvalue"] == [0.5, 3.0]
    assert describe_spectra(guard).rows == describe_spectra(guard.history).rows


def test_the_words_of_spectra_say_what_is_drawn() -> None:
    text = describe_spectra(RESULTS)
    assert text.sentence == (
        "Spectra of 3 checks: the largest eigenvalue is above the threshold in 2, 2.5 at most (check 3); "
        "adaptive damping 1, emergency damping 1."
    )
    assert text.rows[1] == ("2", "1.5", "0.8", "adaptive_damp")
    assert "adaptive damping 0, emergency damping 0" in describe_spectra(RESULTS[:1]).sentence


def test_the_energy_is_drawn_with_bursts_and_cooldowns(axes: Axes, chaos: ChaosChannelController) -> None:
    assert plot_chaos(chaos, ax=axes) is axes
    assert lines_of(axes)["energy"] == chaos.get_energy_history()
    spans = [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in axes.patches]  # type: ignore[attr-defined]
    assert spans == [(0.5, 4.5), (4.5, 104.5), (106.5, 108.5)]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["burst", "cooldown", "at rest", "energy"]


def test_the_words_of_the_energy_tell_each_burst(chaos: ChaosChannelController) -> None:
    text = describe_chaos(chaos)
    (report,) = chaos.get_burst_history()
    assert text.sentence.startswith("Chaos energy over 108 steps with 2 bursts: from ")
    first, second = text.rows
    assert first[:2] == ("1", "1 to 4")
    assert float(first[2]) == pytest.approx(report["peak_energy"], rel=5e-3)
    assert float(first[4]) == pytest.approx(1.0, abs=0.05)
    assert second[1] == "107 to 108"
    assert second[4] == "–"


def test_energies_alone_are_drawn_without_shades(axes: Axes) -> None:
    plot_chaos(np.array([1.0, 1.2]), ax=axes)
    assert (lines_of(axes)["energy"], list(axes.patches)) == ([1.0, 1.2], [])
    assert describe_chaos([1.0, 1.2]).sentence == (
        "Chaos energy over 2 steps with no bursts: from 1 to 1.2, 1.2 at the end."
    )


def test_nothing_is_drawn_and_described_too(axes: Axes) -> None:
    plot_spectra([], ax=axes)
    plot_chaos([], ax=axes)
    assert describe_spectra([]).sentence == "Spectra without a check."
    assert describe_chaos([]).sentence == "Chaos energy without a step."


def test_both_are_panels_of_a_picture(chaos: ChaosChannelController) -> None:
    both = picture(Panel(plot_spectra, RESULTS, "Spectra"), Panel(plot_chaos, chaos, "Energy"), caption="Monitors.")
    assert both.alt.startswith("Spectra: Spectra of 3 checks")
    assert both.png() == both.png()


def test_equal_states_in_a_row_are_one_run() -> None:
    assert runs_of(["a", "a", "b", "a"]) == [Run("a", 0, 2), Run("b", 2, 3), Run("a", 3, 4)]
    assert runs_of([]) == []


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (3, "expected a monitor or its results"),
        ([3], "result 0: expected a mapping"),
        ([{"threshold": 1.0}], "result 0: expected a number 'max_eigenvalue'"),
        ([{"threshold": math.nan, "max_eigenvalue": 1.0}], "expected a finite 'threshold'"),
    ],
    ids=["a number", "no mapping", "a missing number", "NaN"],
)
def test_what_is_no_result_is_refused(data: object, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        read_checks(data)


def test_options_and_energies_are_checked() -> None:
    with pytest.raises(BadInput, match="result 1: expected a number 'energy'"):
        read_energies([1.0, "x"])
