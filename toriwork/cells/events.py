"""Who is told when a protected class is lost: an observer that was handed in, or the one that stands by default.

An observer is anything that can emit a token. The default one is loaded when there is something to tell.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from toriwork.cells.ideas import Idea
from toriwork.errors import BadInput

_LOG = logging.getLogger("toriwork.cells")


class Observer(Protocol):
    """An observer, as ObserverSynthesis is one; where there is an ``add_to_context``, it gets the token too."""

    def emit_token(self, measurement: Mapping[str, Any]) -> str:
        """The token of a measurement."""
        ...


def _shared_synthesis() -> Observer:
    from toriwork.synthesis import get_observer_synthesis

    return get_observer_synthesis()


#: gives the observer of cells that were handed none; None: nobody is told
DEFAULT_OBSERVER: Callable[[], Observer] | None = _shared_synthesis


def check_observer(observer: Any) -> Observer | None:
    """The observer itself, or None; BadInput when it cannot emit a token."""
    if observer is not None and not callable(getattr(observer, "emit_token", None)):
        raise BadInput(f"observer: expected an object with emit_token(measurement), got {observer!r:.80}")
    found: Observer | None = observer
    return found


def protection_lost(before: Idea, after: Idea) -> dict[str, Any]:
    """The measurement that a lost class makes: the idea as it was protected, and the change that says what is lost."""
    loss = after.loss
    assert loss is not None  # its caller looked
    dimension, birth, death = loss.bar
    return {
        "type": "protection_lost",
        "source": "torus_cells",
        "subject": before.idea_id,
        "dimension": dimension,
        "birth": birth,
        "death": death,
        "reason": loss.reason,
        "displacement": loss.displacement,
        "protection_radius": before.radius,
        "shape_id": after.shape_id,
        "reference_shape_id": before.reference.shape_id if before.reference is not None else None,
        "coherence_band": before.coherence_band,
    }


def tell(observer: Observer | None, measurement: Mapping[str, Any]) -> None:
    """Emit a token and put it into the context. What is told has happened: an observer that fails is logged."""
    try:
        if observer is None and DEFAULT_OBSERVER is not None:
            observer = DEFAULT_OBSERVER()
        if observer is not None:
            token = observer.emit_token(measurement)
            add = getattr(observer, "add_to_context", None)
            if add is not None:
                add(token)
    except Exception as error:  # noqa: BLE001  # whatever somebody else's observer raises
        what = type(error).__name__
        _LOG.error("No token for %s of idea %s: %s: %s", measurement["type"], measurement["subject"], what, error)
