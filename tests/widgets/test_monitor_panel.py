"""The panel: refreshed by hand or by itself, without holding up a monitor, and nothing of it is left."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from tests.widgets.asking import ask
from toriwork.errors import BadInput, Closed, StoreError
from toriwork.monitors import CurvatureAwareGuard
from toriwork.synthesis import ObserverSynthesis
from toriwork.widgets import MonitorPanel

SECONDS = 0.02


@pytest.fixture
def guard() -> CurvatureAwareGuard:
    return CurvatureAwareGuard(synthesis=ObserverSynthesis())


@pytest.fixture
def panel(guard: CurvatureAwareGuard) -> Iterator[MonitorPanel]:
    with MonitorPanel(guard) as made:
        yield made


def check(guard: CurvatureAwareGuard) -> None:
    guard.check_eigenvalues([0.5, 0.1], np.zeros(9))


def wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_the_button_reads_the_monitors_again(panel: MonitorPanel, guard: CurvatureAwareGuard) -> None:
    widget = panel.widget
    before = widget.still
    check(guard)
    assert "guard: no checks" in widget.data["sentence"]
    shown = ask(panel, "refresh")
    assert "guard: 1 check" in shown["sentence"]
    assert "1 check" in shown["rows"][0][1]
    assert widget.still != before
    assert widget.still == panel.to_html()


def test_a_panel_that_follows_shows_what_happens_without_being_asked(
    panel: MonitorPanel, guard: CurvatureAwareGuard
) -> None:
    widget = panel.widget
    panel.follow(SECONDS)
    for _ in range(3):
        check(guard)
    wait_until(lambda: "guard: 3 checks" in widget.data["sentence"])
    panel.unfollow()
    check(guard)
    time.sleep(5 * SECONDS)
    assert "guard: 3 checks" in widget.data["sentence"]


def test_a_check_does_not_wait_for_the_picture(
    panel: MonitorPanel, guard: CurvatureAwareGuard, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawing, go_on = threading.Event(), threading.Event()

    def draw() -> None:
        drawing.set()
        assert go_on.wait(60)

    _ = panel.widget
    monkeypatch.setattr(panel, "_push", draw)
    panel.follow(SECONDS)
    check(guard)
    assert drawing.wait(60)
    check(guard)  # while the picture is being drawn
    assert guard.metrics["checks"] == 2
    go_on.set()


def test_the_box_follows_and_lets_go(panel: MonitorPanel) -> None:
    assert ask(panel, "follow", True)["following"]
    assert panel.following
    assert not ask(panel, "follow", False)["following"]
    assert not panel.following


def test_closing_ends_the_following(guard: CurvatureAwareGuard) -> None:
    panel = MonitorPanel(guard)
    panel.follow(SECONDS)
    panel.follow(SECONDS)
    thread = panel._follower._thread if panel._follower is not None else None
    panel.close()
    assert thread is not None
    assert not thread.is_alive()
    with pytest.raises(Closed):
        panel.follow()


def test_a_panel_that_nobody_holds_ends_its_thread(guard: CurvatureAwareGuard) -> None:
    panel = MonitorPanel(guard)
    panel.follow(SECONDS)
    assert panel._follower is not None
    thread, gone = panel._follower._thread, weakref.ref(panel)
    del panel
    gc.collect()
    thread.join(60)
    assert not thread.is_alive()
    assert gone() is None


def test_what_a_monitor_refuses_is_told(panel: MonitorPanel, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> bool:
        raise StoreError("the disk is gone")

    monkeypatch.setattr(panel.state, "refresh", refuse)
    assert ask(panel, "refresh")["refused"] == "Not possible: the disk is gone"
    with pytest.raises(StoreError):
        panel.refresh()


@pytest.mark.parametrize("seconds", [0, -1, float("inf"), float("nan")])
def test_a_time_that_is_none_is_refused(panel: MonitorPanel, seconds: float) -> None:
    with pytest.raises(BadInput, match="positive"):
        panel.follow(seconds)


def test_the_still_form_needs_no_widget(panel: MonitorPanel, guard: CurvatureAwareGuard) -> None:
    check(guard)
    panel.refresh()
    html = panel.to_html()
    assert html.index("<table><caption>State of the monitors") < html.index("<img alt=")
    assert "guard: threshold" in html
    assert repr(panel).startswith("MonitorPanel: guard: 1 check, 0 adaptive")
