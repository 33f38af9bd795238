"""Diagrams of many clouds: computed side by side, handed over as they come, one bad cloud reported and not fatal.

Nothing is written here: a memory that is handed in may, and then a run that was cut short goes on where it was.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from queue import SimpleQueue
from typing import Any, NamedTuple, Protocol

import numpy as np

from toriwork.checks import check_count, check_number
from toriwork.errors import BadInput, ToriworkError
from toriwork.progress import progress_bar
from toriwork.topology.clouds import cloud_of
from toriwork.topology.compute import persistence_each
from toriwork.topology.cost_model import less_work, too_large, work_estimate, work_estimate_of
from toriwork.topology.diagram import Diagram
from toriwork.topology.free_memory import available_bytes

_LOG = logging.getLogger(__name__)
_EVERY = 1.0  # seconds between two messages
#: filtrations that build a matrix of distances and the Rips complex on it
_PREDICTED = ("rips", "dtm")
_FIRST_SECONDS = 0.03  # of predicted work for a task, while nothing is done yet
_TASK_SECONDS = 0.1, 1.0  # at least and at most, later: a cluster spends some milliseconds on each
_ROUNDS = 8  # tasks for each worker in as much work as was handed out: nobody waits long for the last ones
_POINT_SECONDS = 1e-5  # where nothing is predicted; the first clouds that are done tell
_PATIENCE = 0.005  # seconds to wait for more clouds of a slow source

_law = lru_cache(1024)(work_estimate)  # clouds of one size are many
_Answers = list[Diagram | ToriworkError]


class Memory(Protocol):
    """A memory of diagrams, as :class:`toriwork.cells.memory.DiagramMemory` is one. Called from several threads."""

    def get_many(self, clouds: Sequence[Any], **options: Any) -> list[Diagram | None]:
        """The remembered diagram of each cloud, None where there is none."""
        ...

    def put_many(self, clouds: Sequence[Any], diagrams: Sequence[Diagram]) -> None:
        """Remember the diagrams of some clouds: they are safe when this returns."""
        ...


@dataclass(frozen=True, slots=True)
class CloudResult:
    """The result for one cloud: a diagram, or the error that it met."""

    index: int  #: place of the cloud among those given
    diagram: Diagram | None
    error: ToriworkError | None = None
    remembered: bool = False  #: whether it was answered by the memory


class _Task(NamedTuple):
    """A cloud that is to be computed."""

    number: int  #: place of the cloud among those given
    cloud: Any
    cost: float  #: predicted seconds, roughly; how many seconds that takes here, those that are done tell
    n_bytes: float  #: predicted


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is."""

    done: int  #: clouds handed over, the failed ones among them
    failed: int
    total: int | None  #: None while nobody knows: the clouds come from an iterator
    seconds: float


def persistence_many(
    clouds: Iterable[Any],
    executor: Any = None,
    *,
    memory: Memory | None = None,
    max_workers: int | None = None,
    progress: bool | Callable[[Progress], None] = True,
    max_bytes: float | None = None,
    **options: Any,
) -> Iterator[CloudResult]:
    """An iterator over one result per cloud, in the order in which they are done.

    Work begins with the first ``next``. Clouds are taken from ``clouds`` as room becomes free, never all at once.
    Leaving the loop, by an exception or an interrupt too, drops clouds that wait; those at work end in the background
    and are lost, unless there is a memory.

    Parameters
    ----------
    clouds : iterable of array_like
        What :func:`toriwork.topology.persistence` takes as points.
    executor : concurrent.futures.Executor or distributed.Client, optional
        Threads, processes, a Dask cluster, or another library's; it is not shut down. When a worker of a cluster dies,
        the cluster computes anew what that one had. None: a pool of threads of its own.
    memory : Memory, optional
        A :class:`toriwork.cells.memory.DiagramMemory`, say. What it knows is not computed; what is computed it has
        before it is handed over. Its methods are given each cloud as a checked :class:`toriwork.topology.clouds.Cloud`.
    max_workers : int, optional
        At most twice as many tasks wait in an executor at a time. None: the number of cores, of a cluster all it has
        at the start. A task is clouds of 0.1 s of work at first, of up to 1 s later.
    progress : bool or callable
        True: a bar where somebody sees it, and a message per second to the log ``toriwork.topology.many`` at level
        INFO. False: neither. A callable is handed a :class:`Progress` after every cloud.
    max_bytes : float, optional
        Predicted memory for all clouds at work together, of "rips" and "dtm", and for each cloud of all filtrations:
        one that alone would need more is ``TooLarge``. None: four fifths of what is free at the start, here or on a
        cluster in all; each cloud has what is free where it is computed. inf: no limit.
    **options
        For :func:`toriwork.topology.persistence`: max_dimension, filtration, engine, ...

    Yields
    ------
    CloudResult
        Each cloud exactly once.

    Raises
    ------
    BadInput
        At once: an argument that is none of these.
    StoreError
        The memory is damaged, or refused a diagram.

    Examples
    --------
    >>> from toriwork.samples import load_sample
    >>> from toriwork.topology import persistence_many
    >>> clouds = [load_sample(name) for name in ("circle", "figure_eight")]
    >>> results = sorted(persistence_many(clouds, progress=False), key=lambda result: result.index)
    >>> [result.diagram.betti(0.5) for result in results]
    [(1, 1), (1, 2)]
    """
    for name, given, members in (
        ("executor", executor, ("submit",)),
        ("memory", memory, ("get_many", "put_many")),
    ):
        if given is not None and not all(hasattr(given, member) for member in members):
            raise BadInput(f"{name}: expected an object with {' and '.join(members)}, got {given!r}")
    if not isinstance(progress, bool) and not callable(progress):
        raise BadInput(f"progress: expected True, False or a callable, got {progress!r}")
    workers = None if max_workers is None else check_count(max_workers, name="max_workers")
    if max_bytes is not None:
        options["max_bytes"] = check_number(max_bytes, name="max_bytes", least=0.0)
    total = len(clouds) if isinstance(clouds, Sized) else None
    try:
        run = _Run(clouds, _place_of(executor, workers, max_bytes), memory, options)
    except TypeError as error:
        raise BadInput(f"clouds: expected an iterable of point clouds: {error}") from error
    return _reported(run.results(), total, progress)


class _Place(NamedTuple):
    """Where the clouds are computed."""

    executor: Executor | None
    workers: int
    room: float  #: bytes for all clouds at work together


def _place_of(given: Any, workers: int | None, max_bytes: float | None) -> _Place:
    """The executor of a Dask client, with what its workers have; another one, or none, with what this machine has."""
    cores, n_bytes = os.cpu_count() or 1, available_bytes
    if hasattr(given, "get_executor"):
        found = given.scheduler_info(n_workers=-1)["workers"].values()
        cores = max(1, sum(worker["nthreads"] for worker in found))
        limits = [worker["memory_limit"] or math.inf for worker in found]
        given, n_bytes = given.get_executor(pure=False), lambda: sum(limits) or math.inf
    return _Place(given, workers or cores, 0.8 * n_bytes() if max_bytes is None else max_bytes)


class _Run:
    """One pass over the clouds: what waits, what is at work, and how much memory that may take."""

    def __init__(self, clouds: Iterable[Any], place: _Place, memory: Memory | None, options: dict[str, Any]) -> None:
        self._clouds = enumerate(clouds)
        self._given, self._workers, self._room = place
        self._memory = memory
        self._options = options
        self._waiting: deque[_Task] = deque()  # taken, in no memory, and to be computed
        self._at_work: dict[Future[_Answers], list[_Task]] = {}
        self._done: SimpleQueue[tuple[Future[_Answers], BaseException | None]] = SimpleQueue()
        self._handed_out = self._cost = self._seconds = 0.0  # costs of all tasks; of those done, and what they took

    def results(self) -> Iterator[CloudResult]:
        """The results; an executor of our own lives as long as the iteration."""
        executor = self._given or ThreadPoolExecutor(self._workers, thread_name_prefix="persistence")
        try:
            while True:
                yield from self._fill(executor)
                if not self._at_work:
                    return
                yield from self._handed_over(*self._done.get())
        finally:
            for future in list(self._at_work):
                future.cancel()
            if self._given is None:
                executor.shutdown(wait=False, cancel_futures=True)

    def _fill(self, executor: Executor) -> Iterator[CloudResult]:
        """Hand over clouds while there is room; yields those that need no work."""
        while len(self._at_work) < 2 * self._workers:
            if not self._waiting:
                taken = self._take()
                if not taken:
                    return
                yield from self._sorted_out(taken)
                continue
            chunk = self._next_chunk()
            if not chunk:
                return
            future = executor.submit(persistence_each, [task.cloud for task in chunk], self._options)
            self._at_work[future] = chunk
            future.add_done_callback(partial(self._finished, chunk))

    def _take(self) -> list[tuple[int, Any]]:
        """The next clouds, about one task's work; of a slow source those that came within a few milliseconds."""
        taken: list[tuple[int, Any]] = []
        cost, most, waited = 0.0, self._most_cost(), 0.0
        asked = time.monotonic()
        for index, cloud in self._clouds:
            waited += time.monotonic() - asked
            # a buffer that its owner fills again must not be remembered under what it held before
            taken.append((index, cloud if self._memory is None else _sealed(cloud)))
            cost += _cost(taken[-1][1], self._options)
            if cost >= most or waited > _PATIENCE:
                break
            asked = time.monotonic()
        return taken

    def _sorted_out(self, taken: list[tuple[int, Any]]) -> Iterator[CloudResult]:
        """Yields what is remembered or refused; the others wait from now on."""
        known: list[Diagram | None] = [None] * len(taken)
        if self._memory is not None:
            known = self._memory.get_many([cloud for _, cloud in taken], **self._options)
        answered: list[CloudResult] = []
        for (index, cloud), diagram in zip(taken, known, strict=True):
            if diagram is not None:
                answered.append(CloudResult(index, diagram, remembered=True))
                continue
            n_bytes = _bytes(cloud, self._options, self._room / (2 * self._workers))
            task = _Task(index, cloud, _cost(cloud, self._options), n_bytes)
            if task.n_bytes > self._room:
                less = less_work(None, self._options.get("max_dimension", 1), self._room)
                error = too_large(f"cloud {index}", task.cost, task.n_bytes, f"{self._room:.3g} bytes", less)
                answered.append(CloudResult(index, None, error))
            else:
                self._waiting.append(task)
        yield from answered

    def _next_chunk(self) -> list[_Task]:
        """Clouds for one task, so small together that nobody waits long for it; none while there is no room."""
        used = sum(task.n_bytes for chunk in self._at_work.values() for task in chunk)
        if self._at_work and used + self._waiting[0].n_bytes > self._room:
            return []
        chunk = [self._waiting.popleft()]
        n_bytes, cost, most = chunk[0].n_bytes, chunk[0].cost, self._most_cost()
        share = min(self._room / (2 * self._workers), self._room - used)
        while self._waiting and cost < most:
            n_bytes, cost = n_bytes + self._waiting[0].n_bytes, cost + self._waiting[0].cost
            if n_bytes > share or self._waiting[0].cost > most:
                break
            chunk.append(self._waiting.popleft())
        self._handed_out += sum(task.cost for task in chunk)
        return chunk

    def _most_cost(self) -> float:
        """The cost of the next task: of so many seconds, and a small part of all that was handed out before."""
        if not self._seconds:
            return _FIRST_SECONDS if _is_predicted(self._options) else 0.0
        rate = self._seconds / self._cost
        least, most = _TASK_SECONDS
        return min(most, max(least, self._handed_out * rate / (_ROUNDS * self._workers))) / rate

    def _finished(self, chunk: list[_Task], future: Future[_Answers]) -> None:
        """Remember what was computed, in the thread that is done with it: nobody has to ask for the results."""
        error: BaseException | None = None
        try:
            if self._memory is not None and not future.cancelled() and future.exception() is None:
                pairs = zip(chunk, future.result(), strict=True)
                kept = [(task.cloud, found) for task, found in pairs if isinstance(found, Diagram)]
                self._memory.put_many([cloud for cloud, _ in kept], [diagram for _, diagram in kept])
        except BaseException as refused:  # noqa: BLE001  # raised where the results are asked for
            error = refused
        self._done.put((future, error))

    def _handed_over(self, future: Future[_Answers], error: BaseException | None) -> Iterator[CloudResult]:
        chunk = self._at_work.pop(future)
        if error is not None:
            raise error
        # what it raises is no fault of a cloud: a wrong option, a broken pool
        for task, found in zip(chunk, future.result(), strict=True):
            if isinstance(found, Diagram):
                self._cost += task.cost
                self._seconds += found.provenance.seconds if found.provenance is not None else 0.0
                yield CloudResult(task.number, found)
            else:
                yield CloudResult(task.number, None, found)


def _sealed(cloud: Any) -> Any:
    """The checked copy that nobody else can change; what is no cloud meets its error in ``persistence``."""
    try:
        return cloud_of(cloud)
    except BadInput:
        return cloud


def _is_predicted(options: dict[str, Any]) -> bool:
    name = getattr(options.get("filtration", "rips"), "name", options.get("filtration", "rips"))
    return name in _PREDICTED and math.isinf(options.get("threshold", math.inf))


def _bytes(cloud: Any, options: dict[str, Any], share: float) -> float:
    """Bytes that the cloud will need, 0 where nothing is predicted; looked at closely beyond the share of a task."""
    if not _is_predicted(options):
        return 0.0
    shape: tuple[int, ...] = np.shape(cloud) if hasattr(cloud, "shape") else ()
    highest = options.get("max_dimension", 1)
    try:
        blind = float(_law(*shape, highest).bytes) if len(shape) == 2 else math.inf
        return blind if blind <= share else float(work_estimate_of(cloud, max_dimension=highest).bytes)
    except (ToriworkError, TypeError):
        return 0.0


def _cost(cloud: Any, options: dict[str, Any]) -> float:
    """Seconds that the cloud may need by its size alone; where no law knows, some number that grows with it."""
    shape: tuple[int, ...] = getattr(cloud, "shape", ())
    if _is_predicted(options):
        try:
            return _law(*shape, options.get("max_dimension", 1)).seconds if len(shape) == 2 else math.inf
        except (ToriworkError, TypeError):
            return math.inf
    return _POINT_SECONDS * max(1, math.prod(shape[:-1] if len(shape) == 2 else shape))


def _reported(
    results: Iterator[CloudResult], total: int | None, progress: bool | Callable[[Progress], None]
) -> Iterator[CloudResult]:
    started = said = time.monotonic()
    done = failed = 0
    with progress_bar("diagrams", total, unit=" clouds", progress=progress is True) as tell:
        for result in results:
            tell(1)
            done, failed = done + 1, failed + (result.error is not None)
            now = time.monotonic()
            state = Progress(done, failed, total, now - started)
            if callable(progress):
                progress(state)
            elif progress and (now - said >= _EVERY or done == total):
                said = now
                _LOG.info("%d of %s clouds, %d failed, %.0f s", done, total or "?", failed, state.seconds)
            yield result
