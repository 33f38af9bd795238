"""BraidAggregator: events on three time scales, each handing a thinned copy of itself to the next.

The arithmetic is in :mod:`toriwork.monitors.timescales`; here is what happens when: recording, summarising on a
schedule or by hand, and labelling what led to a spike of novelty.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from toriwork.cells import TorusCells, get_torus_cells
from toriwork.errors import BadInput, NotFound, ToriworkError
from toriwork.monitors.base import ObservingMonitor
from toriwork.monitors.novelty import check_betti
from toriwork.monitors.origin_sentry import OriginSentry
from toriwork.monitors.timescales import SCALES, Event, Ring, Scale, coherences, summarise
from toriwork.synthesis import ObserverSynthesis

_LOG = logging.getLogger("toriwork.monitors")
SPIKE = 0.7  #: novelty above which the events before are labelled
MAX_SUMMARIES = 1000
VERTICES = "vertices"  #: key of an event's data under which its cloud is


class BraidAggregator(ObservingMonitor):
    """Events on three time scales; safe to use from several threads.

    Parameters
    ----------
    origin_sentry : OriginSentry, optional
        Judges the summaries. Not given: one of its own, named "braid_aggregator", which leaves the user's alone; it is
        made at the first summary that needs it.
    cells : TorusCells, optional
        Computes Betti numbers that are not given; the shared ones when needed.
    synthesis, clock
        See :class:`~toriwork.monitors.base.ObservingMonitor`; also for a sentry of its own.
    scales : tuple of Scale
        Fine to coarse.

    Raises
    ------
    BadInput
        A scale's ring holds fewer than ten events.

    Examples
    --------
    >>> from toriwork import BraidAggregator
    >>> aggregator = BraidAggregator(clock=lambda: 1000.0)
    >>> aggregator.record_event("probe", lambda_max=0.05, betti=[1, 0])
    >>> aggregator.aggregate_once("micro")["event_count"]
    1
    """

    kind = "braid_summary"
    source = "braid_aggregator"

    def __init__(
        self,
        origin_sentry: OriginSentry | None = None,
        *,
        cells: TorusCells | None = None,
        synthesis: ObserverSynthesis | None = None,
        clock: Callable[[], float] = time.time,
        scales: tuple[Scale, ...] = SCALES,
    ) -> None:
        super().__init__(None, synthesis, clock)
        self._sentry = origin_sentry
        self._owns_sentry = origin_sentry is None
        self._cells = cells
        self._rings = {scale.name: Ring(scale) for scale in scales}
        self._summaries: dict[str, deque[dict[str, Any]]] = {
            scale.name: deque(maxlen=MAX_SUMMARIES) for scale in scales
        }
        self._recorded = 0
        self._retired = 0
        self._spikes = 0
        self._aggregating = threading.Lock()  # one summary at a time; recording goes on meanwhile
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping: asyncio.Event | None = None

    # ---- recording -----------------------------------------------------------------------------------------------

    def record_event(
        self,
        kind: str,
        lambda_max: float | None = None,
        betti: Sequence[float] | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        """Put an event into the finest ring; what is full hands up, ten to one.

        Parameters
        ----------
        kind : str
        lambda_max : float, optional
            Finite.
        betti : sequence of finite numbers >= 0, optional
            Not given (or empty): computed by TorusCells from ``data["vertices"]`` where that is there, before the call
            returns. They count when b0 and b1 are decided. The cloud itself is not kept.
        data : mapping, optional
            Kept with the event as it is until the event is displaced.

        Raises
        ------
        BadInput
            Something given is not usable; nothing was recorded.
        """
        if not isinstance(kind, str):
            raise BadInput(f"kind: expected a text, got {kind!r:.80}")
        if data is not None and not isinstance(data, Mapping):
            raise BadInput(f"data: expected a mapping, got {data!r:.80}")
        number = _check_lambda(lambda_max)
        numbers = check_betti(betti)
        if numbers is None and data is not None and data.get(VERTICES) is not None:
            numbers = self._betti_of(data[VERTICES])
        kept = {key: value for key, value in data.items() if key != VERTICES} if data else None
        with self._lock:
            self._recorded += 1
            self._put(Event(self._clock(), kind, number, numbers, kept), list(self._rings.values()))

    def _put(self, event: Event, rings: Sequence[Ring]) -> None:
        """Into the finest of some rings; what it hands up goes into the next."""
        ring, coarser = rings[0], rings[1:]
        displaced = ring.put(event)
        if coarser:
            for merged in ring.hand_up():
                self._put(merged, coarser)
        elif displaced is not None:
            self._retired += ring.forget(displaced)

    def _betti_of(self, vertices: Any) -> tuple[float, ...] | None:
        """The Betti numbers of a cloud up to the last that is decided; None when b0 or b1 is not."""
        b0, b1, b2 = (self._cells or get_torus_cells()).compute_betti(vertices)
        if math.isnan(b0) or math.isnan(b1):
            return None
        return (b0, b1) if math.isnan(b2) else (b0, b1, b2)

    # ---- summarising ---------------------------------------------------------------------------------------------

    def aggregate_once(self, scale: str) -> dict[str, Any]:
        """The summary of one scale's window now; needs no event loop.

        A summary with ``lambda_max`` > 0 is judged by the sentry: its last ten lambdas are the spectrum. Novelty above
        0.7 is a spike, which takes a change of Betti numbers: every event of the scale's look-back, on all scales, gets
        the label ``novelty_spike_<scale>``. Without events in the window nothing was measured: no token, no entry in
        the timeline.

        Returns
        -------
        dict
            As :func:`toriwork.monitors.timescales.summarise`, and ``classification`` (of the sentry, or None),
            ``spike`` (bool).

        Raises
        ------
        NotFound
            No such scale.
        StoreError
            The sentry's registry or the token log refused.
        """
        ring = self._ring(scale)
        with self._aggregating:
            with self._lock:
                now = self._clock()
                summary = summarise(scale, ring.within(ring.scale.window, now), now)
            classification, token = self._judge(summary)
            spike = classification is not None and classification["novelty_score"] > SPIKE
            summary |= {"classification": classification, "spike": spike}
            if not summary["event_count"]:
                return summary
            with self._lock:
                self._summaries[scale].append(summary)
                if spike:
                    self._label(f"novelty_spike_{scale}", ring.scale.look_back, now)
            self._tell(summary, token)
        return dict(summary)

    def _judge(self, summary: dict[str, Any]) -> tuple[dict[str, Any] | None, str | None]:
        """The sentry's classification of a summary and the token of it; two None where there is nothing to classify."""
        if not summary["lambda_max"] > 0:
            return None, None
        sentry = self.origin_sentry
        return sentry.classify_with_token(summary["lambda_last"], summary["betti_max"] or None)

    def _label(self, label: str, look_back: float, now: float) -> None:
        self._spikes += 1
        for ring in self._rings.values():
            for event in ring.within(look_back, now):
                event.retro_label = label

    def _tell(self, summary: dict[str, Any], token: str | None) -> None:
        found = summary["classification"]
        measured = {key: value for key, value in summary.items() if key not in ("time", "classification")}
        measured["novelty_score"] = None if found is None else found["novelty_score"]
        self._emit(measured, matters=summary["spike"], at=summary["time"], refs=[] if token is None else [token])

    @property
    def origin_sentry(self) -> OriginSentry:
        """The sentry that judges summaries."""
        if self._sentry is None:
            self._sentry = OriginSentry(name=self.source, clock=self._clock)
        if self._owns_sentry:
            self._sentry.synthesis = self.synthesis
        return self._sentry

    def _ring(self, scale: str) -> Ring:
        if scale not in self._rings:
            raise NotFound(f"scale: expected one of {', '.join(self._rings)}, got {scale!r}")
        return self._rings[scale]

    # ---- on a schedule -------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Summarise every scale on its schedule, in threads, until :meth:`stop`; nothing when that runs already."""
        if self.running:
            return
        self._stopping = asyncio.Event()
        self._tasks = [asyncio.create_task(self._run(ring.scale, self._stopping)) for ring in self._rings.values()]

    async def stop(self) -> None:
        """Return when no summary is being made any more; a summary that is being made is finished."""
        if self._stopping is not None:
            self._stopping.set()
            tasks, self._tasks, self._stopping = self._tasks, [], None
            await asyncio.gather(*tasks)

    async def _run(self, scale: Scale, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), scale.schedule)
                return
            try:
                await asyncio.to_thread(self.aggregate_once, scale.name)
            except (ToriworkError, OSError):
                _LOG.exception("%s could not be summarised; the next try is in %g s", scale.name, scale.schedule)

    @property
    def running(self) -> bool:
        """True while summaries are made on a schedule."""
        return any(not task.done() for task in self._tasks)

    # ---- looking -------------------------------------------------------------------------------------------------

    def get_spectral_timeline(self, scale: str | None = None) -> list[dict[str, Any]]:
        """The last at most 1000 summaries of a scale, oldest first; of all scales in the order of time when none is
        named. NotFound when there is no such scale.
        """
        names = list(self._rings) if scale is None else [self._ring(scale).scale.name]
        with self._lock:
            found = [dict(summary) for name in names for summary in self._summaries[name]]
        return sorted(found, key=lambda summary: summary["time"]) if scale is None else found

    def get_events(self, scale: str) -> list[dict[str, Any]]:
        """The events in a scale's ring, oldest first: ``time``, ``kind``, ``lambda_max``, ``betti``, ``data``,
        ``source_events``, ``retro_label``. NotFound when there is no such scale.
        """
        ring = self._ring(scale)
        with self._lock:
            return [event.to_dict() for event in ring.events]

    def get_cross_scale_coherence(self) -> dict[str, float]:
        """Pearson's r of the last at most ten summaries' ``lambda_max`` of each pair of scales (``"micro_meso"``), in
        [-1, 1]; a pair is left out when one side is constant or shorter than two.
        """
        with self._lock:
            lambdas = {name: [one["lambda_max"] for one in list(kept)] for name, kept in self._summaries.items()}
        return coherences(lambdas)

    def get_status(self) -> dict[str, Any]:
        """``running``, ``recorded`` and ``retired`` events, ``spikes``, ``cross_scale_coherence`` and ``scales``: of
        each ``events`` and ``capacity`` of the ring, ``waiting`` (recorded events behind what was not handed up; behind
        all that it holds on the coarsest scale, which hands nothing up) and ``summaries``. The ``waiting`` of all
        scales and ``retired`` add up to ``recorded``, always.
        """
        with self._lock:
            return {
                "running": self.running,
                "recorded": self._recorded,
                "retired": self._retired,
                "spikes": self._spikes,
                "cross_scale_coherence": self.get_cross_scale_coherence(),
                "scales": {
                    name: {
                        "events": len(ring.events),
                        "capacity": ring.scale.capacity,
                        "waiting": ring.waiting_events,
                        "summaries": len(self._summaries[name]),
                    }
                    for name, ring in self._rings.items()
                },
            }

    def after_fork(self) -> None:
        """In a child: locks that no vanished thread holds, and a schedule that the parent alone keeps."""
        super().after_fork()
        self._aggregating = threading.Lock()
        self._tasks, self._stopping = [], None

    def __repr__(self) -> str:
        held = ", ".join(f"{name} {len(ring.events)}" for name, ring in self._rings.items())
        return f"BraidAggregator: {self._recorded} events recorded; {held}; {self._spikes} spikes"


def _check_lambda(lambda_max: float | None) -> float | None:
    if lambda_max is None:
        return None
    try:
        number = float(lambda_max)
    except (TypeError, ValueError) as error:
        raise BadInput(f"lambda_max: expected a number, got {lambda_max!r:.80}") from error
    if not math.isfinite(number):
        raise BadInput(f"lambda_max: expected a finite number, got {number}")
    return number
