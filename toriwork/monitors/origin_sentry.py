"""OriginSentry: how new each spectrum is beside those before it.

The arithmetic is in :mod:`toriwork.monitors.novelty`, the memory is here: the sentry's stream in the registry, one row
for each classification, so that no restart changes an answer, not even one after ``kill -9``.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import ArrayLike

from toriwork.errors import BadInput
from toriwork.monitors.base import ObservingMonitor, check_name
from toriwork.monitors.novelty import TOP_K, PriorState, check_betti, judge
from toriwork.registry.spectral import SpectralDB, SpectralSignature, check_spectrum, magnitudes
from toriwork.synthesis import ObserverSynthesis

MAX_NOVELTIES = 1000
MAX_SIGNATURES = 10_000
NOTE = "origin_sentry"  #: key of what a row remembers beside the spectrum
MATTERS = 0.5  #: novelty above which a token goes into the context
_SEEN = ("total_classifications", "dim_expansions", "gap_births", "coherence_transitions")


class OriginSentry(ObservingMonitor):
    """A judge of spectra with a memory; safe to use from several threads.

    Parameters
    ----------
    spectral_db : SpectralDB, optional
        Its stream is the sentry's memory. Not given: the newest 10,000 of the stream ``name`` in the shared registry.
    name : str
        Its stream and the subject of its tokens; not empty. Sentries of different names do not see each other; two of
        one name in two processes write one stream and see each other's rows after a restart.
    synthesis, clock
        See :class:`~toriwork.monitors.base.ObservingMonitor`.

    Raises
    ------
    BadInput
        The name is empty.
    StoreError
        The registry cannot be opened.

    Examples
    --------
    >>> from toriwork import OriginSentry
    >>> sentry = OriginSentry()
    >>> found = sentry.classify([0.05, 0.03, 0.02])
    >>> found["coherence"], found["novelty_score"], found["gap_birth"]
    ('critical', 0.7, True)
    """

    kind = "origin_spectral"
    source = "origin_sentry"

    def __init__(
        self,
        spectral_db: SpectralDB | None = None,
        name: str = "origin_sentry",
        *,
        synthesis: ObserverSynthesis | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = check_name("name", name)
        super().__init__(name, synthesis, clock)
        self.spectral_db = SpectralDB(MAX_SIGNATURES, stream=name) if spectral_db is None else spectral_db
        self._coherence = "local"
        self._betti: tuple[float, ...] | None = None
        self._novelties: deque[float] = deque(maxlen=MAX_NOVELTIES)
        self._seen = dict.fromkeys(_SEEN, 0)
        self._remember(self.spectral_db.notes(NOTE, MAX_NOVELTIES))

    def classify(self, eigenvalues: ArrayLike, betti_numbers: Sequence[float] | None = None) -> dict[str, Any]:
        """The classification of one spectrum beside those before it, which is in the registry when this returns.

        Parameters
        ----------
        eigenvalues : array_like of shape (n_modes,)
            Real or complex, finite, n_modes >= 1; magnitudes count.
        betti_numbers : sequence of finite numbers >= 0, optional
            Empty counts as not given.

        Returns
        -------
        dict
            As :func:`toriwork.monitors.novelty.judge`, and ``metrics`` (counts so far).

        Raises
        ------
        BadInput
            Eigenvalues or Betti numbers are not usable; nothing was recorded.
        StoreError
            The registry refused: nothing was recorded, unless the error has ``row_ids``. The token log refused: the
            spectrum was.
        """
        return self.classify_with_token(eigenvalues, betti_numbers)[0]

    def classify_with_token(
        self, eigenvalues: ArrayLike, betti_numbers: Sequence[float] | None = None
    ) -> tuple[dict[str, Any], str]:
        """The result of :meth:`classify`, and the token that it emitted: for observers who refer to it."""
        spectrum = check_spectrum(eigenvalues)
        sizes = magnitudes(spectrum)
        betti = check_betti(betti_numbers)
        if not len(sizes):
            raise BadInput("eigenvalues: expected at least one, got none")
        with self._lock:
            found = judge(sizes, betti, PriorState(self.spectral_db.last(TOP_K), self._coherence, self._betti))
            note = self._note(found, betti)
            moment = self._clock()
            signature = SpectralSignature(moment, spectrum, self.name, (betti or ())[:3], found["coherence"])
            shape_id = self.spectral_db.add(signature, {NOTE: note})
            self._remember([note])
            token = self._emit(
                {**{key: value for key, value in found.items() if key != "gaps"}, "n_modes": len(sizes)},
                matters=found["novelty_score"] > MATTERS or found["dim_expansion"],
                at=moment,
                shape_id=shape_id,
                betti_numbers=None if betti is None else list(betti),
            )
            return {**found, "metrics": dict(self._seen)}, token

    def _note(self, found: dict[str, Any], betti: tuple[float, ...] | None) -> dict[str, Any]:
        """The note in the row of a classification: enough to go on from it alone."""
        events = (True, found["dim_expansion"], found["gap_birth"], found["coherence_transition"])
        last = self._betti if betti is None else betti
        return {
            "novelty": found["novelty_score"],
            "coherence": found["coherence"],
            "last_betti": None if last is None else list(last),
            "seen": [self._seen[name] + bool(event) for name, event in zip(_SEEN, events, strict=True)],
        }

    def _remember(self, notes: Sequence[dict[str, Any]]) -> None:
        """Go on from where some rows, oldest first, left it: the same way after a call and after a restart."""
        self._novelties.extend(note["novelty"] for note in notes)
        if notes:
            self._coherence = notes[-1]["coherence"]
            self._betti = None if notes[-1]["last_betti"] is None else tuple(notes[-1]["last_betti"])
            self._seen = dict(zip(_SEEN, notes[-1]["seen"], strict=True))

    # ---- what follows from it ------------------------------------------------------------------------------------

    @property
    def novelty_history(self) -> tuple[float, ...]:
        """The last novelty scores, at most 1000, oldest first."""
        with self._lock:
            return tuple(self._novelties)

    @property
    def metrics(self) -> dict[str, int]:
        """Counts since the stream began: classifications, expansions, gap births, coherence transitions."""
        with self._lock:
            return dict(self._seen)

    def should_inject_entropy(self, threshold_high: float = 0.7, threshold_low: float = 0.2) -> tuple[bool, float]:
        """Advice to stir the system, and how much: (True, 1.5) when the last novelty is above the high threshold,
        (True, 0.8) below the low one, else (False, 1.0). Before the first spectrum novelty is 0.
        """
        last = (self.novelty_history or (0.0,))[-1]
        if last > threshold_high:
            return True, 1.5
        return (True, 0.8) if last < threshold_low else (False, 1.0)

    def get_emergence_report(self) -> dict[str, Any]:
        """Where the sentry stands: ``name``, ``coherence``, ``last_novelty``, ``mean_novelty`` and ``max_novelty`` of
        the last at most 1000 scores, ``betti_numbers`` (the last given, or None), ``signatures`` held, ``metrics``,
        ``entropy_injection`` (as :meth:`should_inject_entropy`).
        """
        with self._lock:
            history = self.novelty_history
            return {
                "name": self.name,
                "coherence": self._coherence,
                "last_novelty": history[-1] if history else 0.0,
                "mean_novelty": sum(history) / len(history) if history else 0.0,
                "max_novelty": max(history, default=0.0),
                "betti_numbers": None if self._betti is None else list(self._betti),
                "signatures": len(self.spectral_db),
                "metrics": dict(self._seen),
                "entropy_injection": self.should_inject_entropy(),
            }

    def flush(self) -> None:
        """Return when every spectrum classified before survives a power cut."""
        self.spectral_db.registry.flush()

    def __repr__(self) -> str:
        seen = self._seen["total_classifications"]
        return f"OriginSentry(name={self.name!r}): {seen} spectra classified, {self._coherence}"


if __name__ == "__main__":
    from toriwork.monitors.live import main

    raise SystemExit(main(lambda name: OriginSentry(name=name)))
