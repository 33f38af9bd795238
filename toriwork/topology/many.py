"""Diagrams of many clouds: computed side by side, handed over as they come, one bad cloud reported and not fatal.

The default is a pool of threads, because the default engine releases the interpreter lock; any
``concurrent.futures.Executor`` will do.  Nothing is written here: whoever wants to resume stores what comes.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import numpy as np

from toriwork.errors import BadInput, TooLarge, ToriworkError
from toriwork.topology.budget import available_bytes, work_estimate, work_estimate_of
from toriwork.topology.compute import persistence
from toriwork.topology.diagram import Diagram

_LOG = logging.getLogger(__name__)
_EVERY = 1.0  # seconds between two messages
#: filtrations that build a matrix of distances and the Rips complex on it
_PREDICTED = ("rips", "dtm")
#: smaller clouds are predicted by their number alone: a probe would cost as much as they do
_PROBED_FROM = 400


@dataclass(frozen=True, slots=True)
class CloudResult:
    """What became of one cloud: a diagram, or the error that it met."""

    index: int  #: place of the cloud among those given
    diagram: Diagram | None
    error: ToriworkError | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is."""

    done: int  #: clouds handed over, the failed ones among them
    failed: int
    total: int | None  #: None while nobody knows: the clouds come from an iterator
    seconds: float


def persistence_many(
    clouds: Iterable[Any],
    executor: Executor | None = None,
    *,
    max_workers: int | None = None,
    progress: bool | Callable[[Progress], None] = True,
    max_bytes: float | None = None,
    **options: Any,
) -> Iterator[CloudResult]:
    """An iterator over one result per cloud, in the order in which they are done.

    Work begins with the first ``next``. Clouds are taken from ``clouds`` as room becomes free, never all at once.
    Leaving the loop, an exception or the interrupt of a notebook stops the run: what was handed over is the
    caller's, clouds that wait are dropped, those at work end in the background and are lost.

    Parameters
    ----------
    clouds : iterable of array_like
        What :func:`toriwork.topology.persistence` takes as points.
    executor : concurrent.futures.Executor, optional
        Threads, processes, or another library's; it is not shut down. None: a pool of threads of its own.
    max_workers : int, optional
        Clouds at work or waiting in an executor at a time are at most twice as many. None: the number of cores.
    progress : bool or callable
        True: a message per second to the log ``toriwork.topology.many`` at level INFO. False: none. A callable is
        handed a :class:`Progress` after every cloud.
    max_bytes : float, optional
        Memory for all clouds at work together, by :func:`toriwork.topology.work_estimate_of`; known for "rips" and
        "dtm". A cloud that alone is predicted to need more is reported as ``TooLarge`` and not begun; others wait
        for room. None: four fifths of what the machine has free at the start. inf: no limit.
    **options
        For :func:`toriwork.topology.persistence`: max_dimension, filtration, engine, ...

    Yields
    ------
    CloudResult
        Each cloud exactly once.

    Raises
    ------
    BadInput
        At once: ``max_workers`` below 1.
    """
    if max_workers is not None and max_workers < 1:
        raise BadInput(f"max_workers: an integer >= 1 is wanted, given was {max_workers!r}")
    workers = max_workers or os.cpu_count() or 1
    room = 0.8 * available_bytes() if max_bytes is None else float(max_bytes)
    total = len(clouds) if isinstance(clouds, Sized) else None
    run = _Run(clouds, executor, workers, room, options)
    return _reported(run.results(), total, progress)


class _Run:
    """One pass over the clouds: what waits, what is at work, and how much memory that may take."""

    def __init__(
        self, clouds: Iterable[Any], executor: Executor | None, workers: int, room: float, options: dict[str, Any]
    ) -> None:
        self._clouds = enumerate(clouds)
        self._given = executor
        self._workers = workers
        self._room = room
        self._options = options
        self._at_work: dict[Future[Diagram], tuple[int, float]] = {}
        self._next: tuple[int, Any, float] | None = None  # taken, and waiting for room

    def results(self) -> Iterator[CloudResult]:
        """The results; an executor of our own lives as long as the iteration."""
        executor = self._given or ThreadPoolExecutor(self._workers, thread_name_prefix="persistence")
        try:
            while True:
                yield from self._fill(executor)
                if not self._at_work:
                    return
                done, _ = wait(self._at_work, return_when=FIRST_COMPLETED)
                for future in done:
                    index, _ = self._at_work.pop(future)
                    yield _result(index, future)
        finally:
            for future in self._at_work:
                future.cancel()
            if self._given is None:
                executor.shutdown(wait=False, cancel_futures=True)

    def _fill(self, executor: Executor) -> Iterator[CloudResult]:
        """Hand over clouds while there is room; yields those that are refused."""
        while len(self._at_work) < 2 * self._workers:
            if self._next is None:
                taken = next(self._clouds, None)
                if taken is None:
                    return
                self._next = (*taken, _predicted(taken[1], self._options))
            index, cloud, size = self._next
            if size > self._room:
                self._next = None
                words = f"about {size:.3g} bytes are predicted, the limit is {self._room:.3g}"
                yield CloudResult(index, None, TooLarge(f"cloud {index}: {words}"))
                continue
            if self._at_work and size + sum(size for _, size in self._at_work.values()) > self._room:
                return
            self._next = None
            self._at_work[executor.submit(persistence, cloud, **self._options)] = (index, size)


def _result(index: int, future: Future[Diagram]) -> CloudResult:
    error = future.exception()
    if error is None:
        return CloudResult(index, future.result())
    if not isinstance(error, ToriworkError):
        raise error  # a wrong option, a broken pool: no fault of this cloud
    return CloudResult(index, None, error)


def _predicted(cloud: Any, options: dict[str, Any]) -> float:
    """Bytes that the cloud will need, 0 where nothing is predicted; a cloud that is none is left to its check."""
    name = getattr(options.get("filtration", "rips"), "name", options.get("filtration", "rips"))
    if name not in _PREDICTED or not math.isinf(options.get("threshold", math.inf)):
        return 0.0
    shape: tuple[int, ...] = np.shape(cloud) if hasattr(cloud, "shape") else ()
    highest = options.get("max_dimension", 1)
    try:
        if len(shape) == 2 and shape[0] < _PROBED_FROM:
            return float(work_estimate(*shape, highest).bytes)
        return float(work_estimate_of(cloud, max_dimension=highest).bytes)
    except (ToriworkError, TypeError):
        return 0.0


def _reported(
    results: Iterator[CloudResult], total: int | None, progress: bool | Callable[[Progress], None]
) -> Iterator[CloudResult]:
    started = said = time.monotonic()
    done = failed = 0
    for result in results:
        done, failed = done + 1, failed + (result.error is not None)
        now = time.monotonic()
        state = Progress(done, failed, total, now - started)
        if callable(progress):
            progress(state)
        elif progress and (now - said >= _EVERY or done == total):
            said = now
            _LOG.info("%d of %s clouds, %d failed, %.0f s", done, total or "?", failed, state.seconds)
        yield result
