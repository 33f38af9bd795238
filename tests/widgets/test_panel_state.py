"""What the panel tells is what the monitors say."""

from __future__ import annotations

import numpy as np
import pytest

from toriwork.errors import BadInput
from toriwork.monitors import BraidAggregator, ChaosChannelController, CurvatureAwareGuard, OriginSentry
from toriwork.synthesis import ObserverSynthesis
from toriwork.widgets import PanelState
from toriwork.widgets.panel_state import MOST_POINTS


@pytest.fixture
def observers() -> ObserverSynthesis:
    """Where the tokens go; nothing is written."""
    return ObserverSynthesis()


def test_a_sentry_tells_novelty_and_spectra(observers: ObserverSynthesis) -> None:
    sentry = OriginSentry(name="mine", synthesis=observers)
    state = PanelState(sentry)
    assert state.text.rows == (
        ("mine", "0 spectra classified, local, novelty 0 (mean 0, at most 0); entropy injection of 0.8 asked for"),
    )
    for spectrum in ([0.05, 0.03, 0.02], [0.05, 0.03], [0.005]):
        sentry.classify(spectrum)
    assert state.refresh()
    novelty, modes = state.panels
    assert novelty.data == sentry.novelty_history
    assert [spectrum.tolist() for spectrum in modes.data] == [[0.05, 0.03, 0.02], [0.05, 0.03], [0.005]]
    assert state.text.sentence.startswith("mine: 3 spectra classified, local, novelty 0.7")


def test_a_guard_tells_its_threshold(observers: ObserverSynthesis) -> None:
    guard = CurvatureAwareGuard(synthesis=observers)
    state = PanelState(guard)
    guard.check_eigenvalues([2.5, 0.1], np.arange(16.0) ** 2)
    state.refresh()
    (threshold,) = state.panels
    assert threshold.data == guard.history
    assert "1 check, 0 adaptive and 1 emergency dampings; last 2.5 against" in state.text.sentence


def test_an_aggregator_accounts_for_every_event(observers: ObserverSynthesis) -> None:
    braid = BraidAggregator(synthesis=observers)
    for n in range(9100):
        braid.record_event("e", lambda_max=n / 9100)
    braid.aggregate_once("meso")
    state = PanelState(braid)
    (rings,) = state.panels
    status = braid.get_status()
    assert rings.data == status
    waiting = {name: ring["waiting"] for name, ring in status["scales"].items()}
    assert state.text.sentence.startswith(
        f"braid: 9100 events recorded = {waiting['micro']} micro + {waiting['meso']} meso + {waiting['macro']} macro "
        f"+ {status['retired']} retired; no spikes, not running"
    )


def test_a_chaos_controller_tells_energy_and_bursts(observers: ObserverSynthesis) -> None:
    chaos = ChaosChannelController(8, rng=np.random.default_rng(0), synthesis=observers)
    chaos.trigger(1.0, 3)
    for _ in range(MOST_POINTS + 5):
        chaos.step()
    state = PanelState(chaos)
    (energy,) = state.panels
    assert energy.data == chaos.history[-MOST_POINTS:]
    assert f"idle after {MOST_POINTS + 5} steps, energy 1, 1 burst; last peak" in state.text.sentence


def test_a_refresh_says_whether_anything_has_changed(observers: ObserverSynthesis) -> None:
    chaos = ChaosChannelController(8, synthesis=observers)
    state = PanelState(chaos)
    assert not state.refresh()
    chaos.step()
    assert state.refresh()
    assert not state.refresh()


def test_several_monitors_stand_in_the_order_given(observers: ObserverSynthesis) -> None:
    chaos, guard = ChaosChannelController(8, synthesis=observers), CurvatureAwareGuard(synthesis=observers)
    assert [row[0] for row in PanelState(guard, chaos, guard).text.rows] == ["guard", "chaos", "guard"]


@pytest.mark.parametrize("monitors", [(), (None,), ("guard",), (ObserverSynthesis(),)])
def test_what_is_no_monitor_is_refused(monitors: tuple[object, ...]) -> None:
    with pytest.raises(BadInput, match="expected"):
        PanelState(*monitors)
