"""What an update means for an idea, decided from what is known and what was found."""

from __future__ import annotations

import math

import numpy as np
import pytest

from toriwork.cells.ideas import LOST, PROTECTED, RELEASED, Idea
from toriwork.cells.protection import MAX_CLASSES, Reference
from toriwork.cells.protection_rules import Before, MeasuredCloud, settled
from toriwork.cells.shape import Numbers
from toriwork.topology import Diagram
from toriwork.topology.clouds import cloud_of

NAN = math.nan
CLOUD = np.array([[0.0, 0.0], [8.0, 0.0]])
BAR = (1, 0.0, 4.0)
STANDS_ON = Reference("shape_0", (BAR,), 1.0, "row")


def found(b1, *bars, features=None, max_dimension=1):
    """A cloud with these bars, of which the rule counts ``features``: all of them when not given."""
    diagram = Diagram([(1, *bar) for bar in bars], max_dimension)
    counted = [(1, *bar) for bar in (bars if features is None else features)]
    return MeasuredCloud(cloud_of(CLOUD + np.array([3.0, 0.0])), Numbers((1.0, b1, NAN), {}, diagram), counted)


def decide(known, update, band="global", before=(0.0, 4.0)):
    now = Idea("x", "shape_1", update.numbers.betti, band)
    return settled(known, now, update, None if before is None else Before(cloud_of(CLOUD), Diagram([(1, *before)], 1)))


def protected(**changes):
    given = {"betti": (1.0, 1.0, 0.0), "coherence_band": "critical", "reference": STANDS_ON}
    return Idea("x", "shape_0", **{**given, **changes})


@pytest.mark.parametrize(
    ("known", "update", "statuses"),
    [
        pytest.param(None, found(1.0, (0.0, 4.0)), [PROTECTED], id="a first loop"),
        pytest.param(None, found(0.0), [], id="no loop"),
        pytest.param(None, found(NAN, (0.0, 4.0), features=[]), [], id="who knows"),
        pytest.param(protected(), found(1.0, (0.0, 4.5)), [PROTECTED], id="the loop is there"),
        pytest.param(protected(), found(0.0), [LOST], id="the loop is gone"),
        pytest.param(protected(), found(0.0, (0.0, 3.0), features=[]), [LOST], id="too short for the rule"),
        pytest.param(protected(), found(1.0, (20.0, 24.0)), [LOST, PROTECTED], id="another loop"),
        pytest.param(protected(), found(NAN, (0.0, 3.0), features=[]), [PROTECTED], id="matched, and undecided"),
        pytest.param(protected(), found(NAN), [LOST], id="unmatched, and undecided"),
    ],
)
def test_what_an_update_does(known, update, statuses):
    changes = decide(known, update)
    assert [change.status for change in changes] == statuses
    assert all(change.previous_band == (None if known is None else "critical") for change in changes)
    assert all((change.status == LOST) == (change.loss is not None) for change in changes)


def test_what_is_undecided_keeps_the_numbers_that_were_decided_last():
    (change,) = decide(protected(betti=(1.0, 1.0, 2.0)), found(NAN, (0.0, 3.0), features=[]))
    assert change.betti == (1.0, 1.0, 2.0)
    assert change.reference.classes == ((1, 0.0, 3.0),)
    assert change.reference.shape_id == "shape_1"
    assert change.reference.row_id is None


@pytest.mark.parametrize("update", [found(0.0), found(1.0, (0.0, 4.0))])
def test_the_local_band_releases_whatever_was_found(update):
    assert [change.status for change in decide(protected(), update, "local")] == [RELEASED]
    assert decide(None, update, "local") == []


def test_no_diagram_decides_nothing():
    nothing = MeasuredCloud(cloud_of(CLOUD), Numbers((NAN, NAN, NAN), {}, None), [])
    assert decide(protected(), nothing) == decide(None, nothing) == []


def test_what_nobody_looked_at_goes_on_being_certified_by_the_old_cloud():
    void = (2, 1.0, 3.0)
    known = protected(reference=Reference("shape_0", (BAR, void), 0.5, "row"))
    changes = decide(known, found(0.0))
    assert [change.status for change in changes] == [LOST, PROTECTED]
    assert changes[-1].reference.classes == (void,)
    assert (changes[-1].reference.shape_id, changes[-1].reference.row_id) == ("shape_0", "row")


@pytest.mark.parametrize(
    ("known", "update", "losses"),
    [
        pytest.param(protected(), found(0.0), [BAR], id="by its bars"),
        pytest.param(protected(reference=None), found(0.0), [None], id="of an earlier release"),
    ],
)
def test_without_a_cloud_the_numbers_decide(known, update, losses):
    changes = decide(known, update, before=None)
    assert [change.status for change in changes] == [LOST] * len(losses)
    assert [change.loss.bar if change.loss else None for change in changes] == losses
    assert decide(known, found(NAN), before=None) == []


def test_the_longest_classes_of_many_are_protected():
    bars = [(10.0 * k, 10.0 * k + 4.0) for k in range(MAX_CLASSES + 5)]
    (change,) = decide(None, found(float(len(bars)), *bars))
    assert len(change.reference.classes) == MAX_CLASSES
    assert change.reference.radius == pytest.approx(1.0)
