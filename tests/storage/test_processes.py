"""Threads, forks and several handles at once on a real disk."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from tests.storage.rows import add, names_of, opened, published_names, still, twice

ROOT = Path(__file__).resolve().parents[2]


def run(code: str, *arguments: object) -> str:
    start = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
    start += "from tests.storage.rows import *\nfrom toriwork.storage import ParquetTable\nimport os\n"
    done = subprocess.run(
        [sys.executable, "-c", start + textwrap.dedent(code), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tmp_path / "a state root" / "table.parquet"


def test_a_child_records_beside_its_parent_and_neither_loses_its_lock(base: Path) -> None:
    run(
        """
        table = ParquetTable(sys.argv[1], SPEC, policy=BY_HAND)
        add(table, "before")
        child = os.fork()
        if not child:
            for n in range(50):
                add(table, f"child{n}")
            table.flush(publish=False)
            os._exit(0)
        for n in range(50):
            add(table, f"parent{n}")
        os.waitpid(child, 0)
        # the child is gone and its descriptors with it: the parent's journal must still be locked
        with ParquetTable(sys.argv[1], SPEC, policy=BY_HAND) as other:
            with other.snapshot() as snapshot:
                alive = [journal.id for journal in snapshot.journals if not journal.handle.try_lock()]
            assert len(alive) == 1, alive
            other.flush(publish=True)
        add(table, "after")
        table.flush(publish=True)
        table.close()
        """,
        base,
    )
    names = published_names(base)
    assert twice(names) == []
    wanted = {"before", "after", *(f"{who}{n}" for who in ("child", "parent") for n in range(50))}
    assert set(names) == wanted


def test_a_child_that_goes_through_the_interpreters_end_closes_only_what_is_its_own(base: Path) -> None:
    run(
        """
        table = ParquetTable(sys.argv[1], SPEC)
        add(table, "before")
        child = os.fork()
        add(table, "child" if not child else "parent")
        if not child:
            sys.exit(0)
        os.waitpid(child, 0)
        add(table, "after")
        """,
        base,
    )
    assert sorted(published_names(base)) == ["after", "before", "child", "parent"]


def test_a_child_keeps_no_lock_of_a_publish_that_its_parent_was_at(base: Path) -> None:
    run(
        """
        from toriwork import locks
        from toriwork.storage.files import OsFiles
        from toriwork.storage.paths import StorePaths
        from toriwork.storage.store_lock import store_lock
        ParquetTable(sys.argv[1], SPEC).close()
        paths = StorePaths.of(sys.argv[1])
        ours, theirs = os.pipe()
        with store_lock(OsFiles(), paths) as lock:
            child = os.fork()
            if not child:
                os.close(theirs)
                os.read(ours, 1)
                os._exit(0)
            lock.handle.close()  # as after kill -9: without unlocking
            locks.let_go(paths.lock)
            with store_lock(OsFiles(), paths, wait=20) as second:
                assert second is not None
            os.write(theirs, b"x")
            os.waitpid(child, 0)
            os._exit(0)
        """,
        base,
    )


def test_a_handle_that_nobody_closes_is_closed_at_the_end_of_the_process(base: Path) -> None:
    run(
        'add(ParquetTable(sys.argv[1], SPEC), "dropped")\ntable = ParquetTable(sys.argv[1], SPEC)\nadd(table, "kept")',
        base,
    )
    assert "kept" in published_names(base)
    with opened(base) as table:
        assert sorted(names_of(table)) == ["dropped", "kept"]


def test_many_threads_record_through_one_handle_while_others_publish_and_read(base: Path) -> None:
    table = opened(base)
    stop = threading.Event()
    seen: list[int] = []
    problems: list[BaseException] = []

    def watch() -> None:
        while not stop.is_set():
            try:
                seen.append(len(names_of(table)))
                table.flush(publish=True)
            except BaseException as error:  # noqa: BLE001 - shown below
                problems.append(error)
                return

    def record(n: int) -> None:
        for k in range(100):
            add(table, f"t{n}-{k}")

    watcher = threading.Thread(target=watch)
    watcher.start()
    threads = [threading.Thread(target=record, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    watcher.join()
    assert problems == []
    assert seen == sorted(seen)
    names = names_of(table)
    table.close()
    assert sorted(names) == sorted(f"t{n}-{k}" for n in range(6) for k in range(100))


def test_two_handles_in_one_process_are_two_writers(base: Path) -> None:
    one, two = opened(base), opened(base)
    for n in range(10):
        add(one, f"one{n}")
        add(two, f"two{n}")
        if n == 5:
            one.flush(publish=True)
    assert len(names_of(one)) == len(names_of(two)) == 20
    two.flush(publish=True)
    one.close()
    two.flush(publish=True)
    two.close()
    assert twice(published_names(base)) == []
    assert len(published_names(base)) == 20
    assert sorted(found.name for found in base.with_suffix(".d").iterdir()) == ["CLOCK", "HEAD"]


def test_a_snapshot_holds_every_row_whose_append_had_returned_in_any_handle(base: Path) -> None:
    writer, reader = opened(base), opened(base, read_only=True)
    publisher = opened(base)
    for n in range(30):
        add(writer, f"a{n}")
        if n % 3 == 0:
            publisher.flush(publish=True)
        assert sorted(names_of(reader)) == sorted(f"a{k}" for k in range(n + 1))
    for table in (writer, reader, publisher):
        table.close()


def test_a_handle_travels_as_its_path_and_options(base: Path) -> None:
    table = opened(base, durability="power")
    add(table, "a1")
    twin = still(pickle.loads(pickle.dumps(table)))
    add(twin, "b1")
    assert twin._writer._power  # type: ignore[union-attr]
    assert sorted(names_of(table)) == ["a1", "b1"]
    twin.close()
    table.close()
    assert os.path.exists(base)  # noqa: PTH110
