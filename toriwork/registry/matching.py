"""The rows of the public file that match a condition: its columns are read first, others only where a row matches.

Arrow's scanner decodes all columns of a row group before it looks for rows, and needs longer for each group than its
columns take. Here a few threads read row groups by ``ParquetSource``, page checksums verified.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from _thread import allocate_lock
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toriwork.storage.columns import ParquetSource
from toriwork.threads import BackgroundThread

if TYPE_CHECKING:
    import pyarrow.dataset as pads
    import pyarrow.parquet as pq

_PIECE_BYTES = 4 * 2**20  #: decoded; a row group that is larger is a piece by itself
_PIECES = 4  #: at least for each thread, where there are so many row groups
_NAME = "toriwork-matching"  #: of a thread
_MOST_THREADS = 4  #: each holds a piece in memory, and as many wait to be taken

_Given = TypeVar("_Given")
_Found = TypeVar("_Found")


class _Hit(NamedTuple):
    """A row group that holds a match."""

    group: int
    first: pa.Table  #: the columns of the condition
    rows: pa.BooleanArray  #: which match


def matching(
    source: ParquetSource, schema: pa.Schema, columns: Sequence[str], where: pads.Expression, *, skip: int = 0
) -> Iterator[pa.RecordBatch]:
    """The rows that match, in file order, without the first ``skip`` rows of the file.

    Of row groups whose statistics allow a match the columns of the condition are read, of those that hold one the
    others.
    """
    first = needed(where, schema) or schema.names[:1]
    rest = [name for name in dict.fromkeys(columns) if name not in first]
    starts = source.footer.starts
    wanted = {*source.groups_for(where, schema), *source.zeros(_by_bits(where, schema))}
    groups = [number for number in sorted(wanted) if starts[number + 1] > skip]
    if not groups:  # what is no condition is refused all the same
        _mask(schema.empty_table().select(first), where)
    n_threads = min(pa.cpu_count(), _MOST_THREADS, len(groups))
    turns = _Turns(n_threads)
    idle: list[pq.ParquetFile] = []
    try:
        size_of = _sizes(source, first)
        most = min(_PIECE_BYTES, sum(map(size_of, groups)) / (_PIECES * max(1, n_threads)))
        looked = turns.in_turn(partial(_look, source, idle, first, where, skip), _pieces(groups, size_of, most))
        size_of_all = _sizes(source, columns)
        hits = _pieces(chain.from_iterable(looked), lambda hit: size_of_all(hit.group), _PIECE_BYTES)
        for rows in turns.in_turn(partial(_fetch, source, idle, rest, columns), hits):
            yield from rows
    finally:  # the file is closed next
        turns.close()


def needed(where: pads.Expression, schema: pa.Schema) -> list[str]:
    """The columns that a condition asks for, and at times another one whose name stands in its text."""
    text = str(where)
    if "FieldPath(" in text:  # a column by its number, which hangs on the others
        return list(schema.names)
    words = set(re.findall(r"\w+", text))
    return [name for name in schema.names if words.issuperset(re.findall(r"\w+", name))]


def _by_bits(where: pads.Expression, schema: pa.Schema) -> list[str]:
    """The floating-point columns of a condition that may tell 0.0 and -0.0 apart, as a membership does.

    Statistics do not: where all values are 0.0 they state -0.0 to 0.0, which Arrow takes for the one value -0.0.
    """
    floats = [name for name in needed(where, schema) if pa.types.is_floating(schema.field(name).type)]
    text = re.sub(r"\b(is_null|is_valid|invert)\(", "(", str(where))
    text = re.sub(r"\bis_in\((\w+),", lambda found: found[0] if found[1] in floats else found[1], text)
    return floats if re.search(r"\w\(", text) else []  # comparisons are no calls


def _look(
    source: ParquetSource,
    idle: list[pq.ParquetFile],
    first: Sequence[str],
    where: pads.Expression,
    skip: int,
    groups: list[int],
) -> list[_Hit]:
    """The row groups of some that hold a match."""
    starts = source.footer.starts
    table = source.groups(groups, first, idle)
    hits = _mask(table, where)
    found, begin = [], 0
    for number in groups:
        n_rows = starts[number + 1] - starts[number]
        rows = hits.slice(begin, n_rows)
        if starts[number] < skip:
            rows = pc.and_(rows, pa.array(np.arange(starts[number], starts[number + 1]) >= skip))
        if rows.true_count:
            found.append(_Hit(number, table.slice(begin, n_rows), rows))
        begin += n_rows
    return found


def _mask(rows: pa.Table, where: pads.Expression) -> pa.BooleanArray:
    """Which rows match; an unknown answer is none."""
    from pyarrow import acero

    plan = [
        acero.Declaration("table_source", acero.TableSourceNodeOptions(rows)),
        acero.Declaration("project", acero.ProjectNodeOptions([where], ["hit"])),
    ]
    # one thread: several of these run at once, and the rows stay in order
    found = acero.Declaration.from_sequence(plan).to_table(use_threads=False)["hit"]
    if not pa.types.is_boolean(found.type):
        raise pa.ArrowTypeError(f"expected true or false for each row, got {found.type}")
    return found.combine_chunks()


def _fetch(
    source: ParquetSource, idle: list[pq.ParquetFile], rest: Sequence[str], columns: Sequence[str], hits: list[_Hit]
) -> list[pa.RecordBatch]:
    """The wanted columns of the rows that match."""
    parts = [pa.concat_tables([hit.first for hit in hits])]
    if rest:
        parts.append(source.groups([hit.group for hit in hits], rest, idle))
    arrays = {name: part[name] for part in parts for name in part.column_names}
    rows = pa.chunked_array([hit.rows for hit in hits])
    names = list(columns) or list(arrays)[:1]  # a table of no columns has no rows
    found = pa.Table.from_arrays([arrays[name] for name in names], names).filter(rows)
    return [batch.select(list(columns)) for batch in found.to_batches()]


def _sizes(source: ParquetSource, columns: Sequence[str]) -> Callable[[int], int]:
    """How many bytes some columns of a row group have, about."""
    metadata = source.footer.metadata
    at = [n for n in range(metadata.num_columns) if metadata.schema.column(n).path.partition(".")[0] in columns]

    def size_of(number: int) -> int:
        group = metadata.row_group(number)
        return sum(group.column(n).total_uncompressed_size for n in at)

    return size_of


def _pieces(given: Iterable[_Given], size_of: Callable[[_Given], int], most: float) -> Iterator[list[_Given]]:
    """Lists of what is given, in order: few enough each to be held in memory."""
    piece: list[_Given] = []
    n_bytes = 0
    for one in given:
        size = size_of(one)
        if piece and n_bytes + size > most:
            yield piece
            piece, n_bytes = [], 0
        piece.append(one)
        n_bytes += size
    if piece:
        yield piece


class _Task:
    """A piece of work that is done once, by a thread or by whoever asks for its answer first.

    An interrupt may come between any two steps of who asks, none comes in a thread.
    """

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work
        self._process = os.getpid()  #: a child of a fork does anew what a thread of its parent's is at work on
        self._waiting = [work]  #: taking it out is one step, which no other thread and no signal handler divides
        self._asked = False  #: whoever asks does it, or begins to
        self._found: tuple[Any, BaseException | None] | None = None
        self._done = allocate_lock()  #: taken until a thread has the answer
        self._done.acquire()

    def do(self) -> None:
        """Do the work in a thread, unless somebody has begun."""
        with contextlib.suppress(IndexError):
            work = self._waiting.pop()
            try:
                self._found = work(), None
            except BaseException as error:  # noqa: BLE001 - whoever asks raises it
                self._found = None, error
            self._done.release()

    def answer(self) -> Any:
        """The result of the work; its exception is raised."""
        self._asked = True
        try:
            work = self._waiting.pop()
        except IndexError:
            self._asked = False
        else:
            return work()
        while self._found is None:
            if os.getpid() != self._process:
                return self._work()
            self._done.acquire()
            self._done.release()
        found, error = self._found
        if error is not None:
            raise error
        return found

    def give_up(self) -> bool:
        """True when no thread is at work on it, and none will be."""
        with contextlib.suppress(IndexError):
            self._waiting.pop()
            return True
        return self._asked or os.getpid() != self._process


class _Turns:
    """The tasks of one answer, which the threads of this process and the one that asks do in turn."""

    def __init__(self, n_at_once: int) -> None:
        self._n_at_once = n_at_once
        self._open: dict[int, _Task] = {}  #: whose answers nobody took yet

    def in_turn(self, work: Callable[[_Given], _Found], given: Iterable[_Given]) -> Iterator[_Found]:
        """The answers in order; the next ones are worked out meanwhile."""
        if self._n_at_once < 2:
            yield from map(work, given)
            return
        waiting: deque[_Task] = deque()
        for one in given:
            task = _Task(partial(work, one))
            self._open[id(task)] = task
            waiting.append(task)
            _hand_over(task)
            if len(waiting) > self._n_at_once:
                yield self._answer(waiting.popleft())
        while waiting:
            yield self._answer(waiting.popleft())

    def _answer(self, task: _Task) -> Any:
        found = task.answer()
        del self._open[id(task)]
        return found

    def close(self) -> None:
        """Return when no thread is at work on this answer any more."""
        begun = [task for task in self._open.values() if not task.give_up()]
        # a thread of these that collects garbage would wait for itself; those of an interpreter that ends stand still
        if sys.is_finalizing() or any(thread.is_current() for thread in _threads()):
            return
        for task in begun:
            with contextlib.suppress(Exception):  # whoever asked has given up
                task.answer()


#: by process, since a child of a fork has no threads of its parent's: what is to be done, and the threads that do it.
#: They stay: a system that is busy makes new ones wait. No lock is held: a signal handler may ask while others do.
_POOLS: dict[int, tuple[SimpleQueue[_Task], list[BackgroundThread]]] = {}


def _threads() -> list[BackgroundThread]:
    return _POOLS.setdefault(os.getpid(), (SimpleQueue(), []))[1]


def _hand_over(task: _Task) -> None:
    tasks, threads = _POOLS.setdefault(os.getpid(), (SimpleQueue(), []))
    if sys.is_finalizing():
        return
    tasks.put(task)
    if len(threads) < min(pa.cpu_count(), _MOST_THREADS):
        thread = BackgroundThread(partial(_do_all, tasks), _NAME)
        with contextlib.suppress(RuntimeError):  # there are too many: whoever asks does it
            thread.start()
            threads.append(thread)


def _do_all(tasks: SimpleQueue[_Task]) -> None:
    while True:
        tasks.get().do()
