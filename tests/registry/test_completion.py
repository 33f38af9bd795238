"""Betti numbers that come later: none is forgotten, none blocks the rows behind it, whoever died."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from toriwork.errors import Busy, Closed
from toriwork.locks import BUSY
from toriwork.registry import Budget, TorusRegistry, betti_values, completion
from toriwork.registry.completion import BettiQueue
from toriwork.registry.rows import pack_shape
from toriwork.storage.frames import Kind
from toriwork.storage.journal import JournalWriter
from toriwork.threads import BackgroundThread, running
from toriwork.topology import estimate_betti

RNG = np.random.default_rng(7)


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments], capture_output=True, text=True, check=False
    )


DIES_BEFORE_COMPUTING = """
    import os, sys
    import numpy as np
    from toriwork.registry import TorusRegistry, completion
    completion.compute_values = lambda row, budget: os._exit(9)  # as an engine that kills its process
    registry = TorusRegistry(sys.argv[1])
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    registry.record_shape(np.column_stack([np.cos(angle), np.sin(angle)]))
    registry.flush()
    print("not reached")
"""


def test_rows_of_a_writer_that_died_are_computed_by_whoever_publishes(tmp_path: Path) -> None:
    path = tmp_path / "r.parquet"
    died = run(DIES_BEFORE_COMPUTING, str(path))
    assert died.returncode == 9, died.stderr
    with TorusRegistry(path) as registry:
        assert registry.recovery_report.adopted_rows == 1
        assert registry.to_pandas(["betti_status"]).betti_status.tolist() == ["pending"]
        registry.flush(publish=True)
        assert registry.to_pandas(["betti_status"]).betti_status.tolist() == ["computed"]
        assert registry.df.betti1.tolist() == [1.0]
        assert registry.get_statistics()["pending_writes"] == 0
    assert sorted(p.name for p in path.with_suffix(".d").iterdir()) == ["CLOCK", "HEAD"]


PUBLISHES_AND_DIES = """
    import os, sys
    from toriwork.registry import TorusRegistry, completion
    completion.compute_values = lambda row, budget: os._exit(9)
    TorusRegistry(sys.argv[1]).flush(publish=True)
    print("published")
"""


def test_a_cloud_that_kills_every_engine_does_not_kill_every_publisher(tmp_path: Path) -> None:
    path = tmp_path / "r.parquet"
    assert run(DIES_BEFORE_COMPUTING, str(path)).returncode == 9
    codes = [run(PUBLISHES_AND_DIES, str(path)).returncode for _ in range(3)]
    assert codes == [9, 9, 0]
    row = pd.read_parquet(path).iloc[0]
    assert row.betti_status == "failed"
    assert pd.isna(row.betti0)
    assert "2 processes died" in row.betti_rule


def test_an_engine_that_fails_marks_its_row_and_not_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def picky(points: Any, **options: Any) -> Any:
        if len(points) == 13:
            raise RuntimeError("thirteen")
        return estimate_betti(points, **options)

    monkeypatch.setattr(betti_values, "estimate_betti", picky)
    with TorusRegistry(tmp_path / "r.parquet") as registry:
        for n in (12, 13, 14):
            registry.record_shape(RNG.normal(size=(n, 2)))
        registry.flush()
        rows = registry.to_pandas(["betti_status", "betti_rule"])
    assert rows.betti_status.tolist()[1] == "failed"
    assert "thirteen" in rows.betti_rule[1]
    assert "failed" not in rows.betti_status.tolist()[::2]


def test_many_points_are_judged_by_a_sample_and_fit_the_budget(tmp_path: Path) -> None:
    angle = np.random.default_rng(0).uniform(0.0, 2.0 * np.pi, 5_000)
    with TorusRegistry(tmp_path / "r.parquet") as registry:
        registry.record_shape(np.column_stack([np.cos(angle), np.sin(angle)]))
        registry.flush()
        row = registry.to_pandas(["betti0", "betti1", "betti_status"]).iloc[0]
    assert row.tolist() == [1, 1, "computed"]


def test_a_cloud_above_the_budget_is_stored_as_too_large(tmp_path: Path) -> None:
    with TorusRegistry(tmp_path / "r.parquet", budget=Budget(seconds=1e-3)) as registry:
        registry.record_shape(RNG.normal(size=(200, 3)))
        registry.flush()
        row = registry.to_pandas(["betti0", "betti_status", "betti_rule"]).iloc[0]
    assert pd.isna(row.betti0)
    assert row.betti_status == "too_large"
    assert "predicted_seconds" in row.betti_rule


def test_what_does_not_fit_into_the_queue_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion, "_QUEUE_LIMIT", 3)
    with TorusRegistry(tmp_path / "r.parquet") as registry:
        for n in range(40):
            registry.record_shape(RNG.normal(size=(5 + n % 3, 2)))
        registry.record_shapes([RNG.normal(size=(6, 2)) for _ in range(50)])
        registry.flush()
        assert registry.to_pandas(["betti_status"]).betti_status.isin(["computed", "undecided"]).all()
        assert len(registry) == 90


def test_numbers_are_those_of_the_estimate(tmp_path: Path) -> None:
    clouds = [RNG.normal(size=(n, 3)) for n in (0, 1, 2, 5, 30)]
    with TorusRegistry(tmp_path / "r.parquet") as registry:
        registry.record_shapes(clouds)
        found = registry.df[["betti0", "betti1"]].to_numpy()
    expected = [estimate_betti(cloud).numbers for cloud in clouds]
    np.testing.assert_array_equal(found, np.array(expected))


def test_a_live_writer_is_published_up_to_its_first_row_that_waits(tmp_path: Path) -> None:
    path = tmp_path / "r.parquet"
    owner = TorusRegistry(path)
    for numbers in ([1], [2]):
        owner.record_shape(RNG.normal(size=(4, 2)), numbers)
    waiting = pack_shape(RNG.normal(size=(4, 2)), None, "local", None)
    owner._table.append(waiting.row, 1, Kind.OPEN)  # not queued: it waits until somebody computes it
    owner.record_shape(RNG.normal(size=(4, 2)), [4])
    with TorusRegistry(path) as other:
        other.record_shape(RNG.normal(size=(4, 2)), [5])
        other.flush(publish=True)
        assert sorted(pd.read_parquet(path).betti0) == [1.0, 2.0, 5.0]
        assert len(other) == 5
        assert other.to_pandas(["betti_status"]).betti_status.tolist().count("pending") == 1
    owner.close()


def test_an_interpreter_that_ends_without_closing_leaves_everything_published(tmp_path: Path) -> None:
    path = tmp_path / "r.parquet"
    ended = run(
        """
        import sys
        import numpy as np
        from toriwork.registry import TorusRegistry, registry
        registry._EXIT_SECONDS = 600.0  # on a busy machine loading the engines takes longer than ten
        registry = TorusRegistry(sys.argv[1])
        for k in range(20):
            registry.record_shape(np.random.default_rng(k).normal(size=(30, 2)))
        """,
        str(path),
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    assert pd.read_parquet(path).betti0.notna().all()


def test_a_child_records_beside_its_parent(tmp_path: Path) -> None:
    path = tmp_path / "r.parquet"
    ended = run(
        """
        import os, sys
        import numpy as np
        from toriwork.registry import TorusRegistry
        registry = TorusRegistry(sys.argv[1])
        registry.record_shape(np.zeros((3, 2)))
        child = os.fork()
        for k in range(5):
            registry.record_shape(np.full((4, 2), float(k + (10 if child else 0))))
        registry.flush()
        if child:
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
            registry.close()
        else:
            registry.close()
            os._exit(0)
        """,
        str(path),
    )
    assert ended.returncode == 0, ended.stderr
    with TorusRegistry(path) as again:  # whoever closed first may have found the other one publishing
        again.flush(publish=True)
    rows = pd.read_parquet(path)
    assert len(rows) == 11
    assert rows.row_id.is_unique
    assert rows.betti0.notna().all()


def betti_threads() -> list[BackgroundThread]:
    return [thread for thread in running() if thread.name == "toriwork-betti"]


@pytest.mark.parametrize("wait_first", [True, False])
def test_the_threads_end_when_the_handle_is_closed(
    wait_first: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completion, "_IDLE_SECONDS", 3600.0)  # not because they had nothing to do
    before = set(betti_threads())
    registry = TorusRegistry(tmp_path / "r.parquet", betti_threads=3)
    for k in range(5):
        registry.record_shape(np.full((4, 2), float(k)))
    if wait_first:
        registry.flush()
    own = set(betti_threads()) - before
    assert len(own) == 3
    registry.close()
    for thread in own:
        thread.join(60)
        assert not thread.is_alive()


def middle_of_an_append(registry: TorusRegistry, call: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Record a row, a call being made as by a signal handler while its frame is written."""
    writing = JournalWriter.append

    def append(journal: JournalWriter, *arguments: Any) -> int:
        if threading.current_thread() is threading.main_thread():
            call()
        return writing(journal, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(JournalWriter, "append", append)
        registry.record_shape(RNG.normal(size=(5, 2)))


@pytest.mark.parametrize("call", ["df", "flush", "publish", "close", "settle"])
def test_waiting_for_numbers_in_the_middle_of_an_append_is_busy_at_once(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: dict[str, Callable[[TorusRegistry], object]] = {
        "df": lambda registry: registry.df,
        "flush": TorusRegistry.flush,
        "publish": lambda registry: registry.flush(publish=True),
        "close": TorusRegistry.close,
        "settle": lambda registry: registry._wait_for_numbers(),
    }
    monkeypatch.setattr(BettiQueue, "join", lambda *_, **__: pytest.fail("would wait for threads that wait for us"))
    registry = TorusRegistry(tmp_path / "r.parquet")
    said: list[str] = []

    def handler() -> None:
        with pytest.raises(Busy) as caught:
            calls[call](registry)
        said.append(caught.value.kind)

    middle_of_an_append(registry, handler, monkeypatch)
    assert said == ["busy"]
    monkeypatch.undo()
    registry.flush(publish=True)
    assert len(registry) == 1
    registry.close()


def test_a_handler_may_record_while_threads_are_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    starting = BackgroundThread.start
    registry = TorusRegistry(tmp_path / "r.parquet", betti_threads=2)
    ran: list[int] = []

    def start(thread: BackgroundThread) -> None:
        if thread.name == "toriwork-betti" and not ran:  # a handler comes, records and waits; so does another thread
            ran.append(1)
            registry.record_shape(RNG.normal(size=(5, 2)))
            registry.flush(publish=True)
            other = threading.Thread(target=registry.record_shape, args=(RNG.normal(size=(5, 2)),))
            other.start()
            other.join(60)
            assert not other.is_alive()
        starting(thread)

    monkeypatch.setattr(BackgroundThread, "start", start)
    registry.record_shape(RNG.normal(size=(5, 2)))
    registry.flush(publish=True)
    assert ran == [1]
    assert pd.read_parquet(registry.path).betti0.notna().tolist() == [True] * 3
    registry.close()


def test_loading_the_engines_in_the_middle_of_loading_them_is_busy() -> None:
    done = run(
        """
        from toriwork.errors import Busy, Closed
        from toriwork.registry.loading import load_once

        def handler():
            try:
                load_once(lambda: None)
            except Busy:
                print("busy")

        load_once(handler)
        load_once(lambda: print("twice"))
        """
    )
    assert (done.stdout, done.stderr) == ("busy\n", "")


GUESTS: dict[str, Callable[[TorusRegistry], Any]] = {
    "flush": TorusRegistry.flush,
    "publish": lambda registry: registry.flush(publish=True),
    "query_recent": TorusRegistry.query_recent,
    "scan": lambda registry: registry.scan(["betti0"]),
    "close": TorusRegistry.close,
}


@pytest.mark.parametrize("call", GUESTS)
def test_waiting_for_numbers_in_the_thread_that_computes_them_is_busy_at_once(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a ``__del__`` method does that is collected in the middle of a diagram."""
    said: list[str] = []

    def estimate_and_call(*args: Any, **options: Any) -> Any:
        try:
            GUESTS[call](registry)
        except Busy as error:
            said.append(str(error))
        return estimate_betti(*args, **options)

    with TorusRegistry(tmp_path / "x.parquet", betti_threads=1) as registry:
        monkeypatch.setattr(betti_values, "estimate_betti", estimate_and_call)
        registry.record_shape(RNG.normal(size=(5, 2)))
        registry.flush(publish=True)
        assert len(said) >= 1
        assert set(said) == {BUSY}
        assert not registry.closed
        assert pd.read_parquet(registry.path).betti0.notna().tolist() == [True]


@pytest.mark.parametrize("call", ["flush", "publish", "query_recent", "scan"])
def test_a_call_in_the_middle_of_closing_says_so_and_closing_goes_on(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No number comes any more once the threads were stopped: to wait for it would end in a false PublishError."""
    said: list[str] = []
    registry = TorusRegistry(tmp_path / "x.parquet", betti_threads=1)
    stop = BettiQueue.stop

    def stop_and_call(queue: BettiQueue) -> None:
        stop(queue)
        if not said:
            registry.record_shape(RNG.normal(size=(5, 2)))  # a handler that records; its row waits for its numbers
            with pytest.raises(Closed, match="this handle is being closed; open the registry again"):
                GUESTS[call](registry)
            said.append(call)
            raise KeyboardInterrupt

    monkeypatch.setattr(BettiQueue, "stop", stop_and_call)
    with pytest.raises(KeyboardInterrupt):
        registry.close()
    assert said == [call]
    assert registry.closed  # it says so until another close finishes it
    registry.close()
    assert registry.closed
    with TorusRegistry(tmp_path / "x.parquet") as again:
        again.flush(publish=True)
        assert pd.read_parquet(again.path).betti0.notna().tolist() == [True]


@pytest.mark.parametrize(
    "loading", ["registry.query_recent()", "pyarrow.array(['a'])", "pyarrow.table({}).to_pandas()", "registry.df"]
)
def test_making_a_frame_while_pandas_is_loaded_in_this_thread_is_busy_at_once(loading: str, tmp_path: Path) -> None:
    """As a signal handler does that comes in the middle: pyarrow holds a lock of its own while it loads pandas."""
    done = run(
        f"""
        import faulthandler, sys, numpy, pyarrow
        from toriwork.errors import Busy
        from toriwork.registry import TorusRegistry

        faulthandler.dump_traceback_later(60, exit=True)
        registry = TorusRegistry({str(tmp_path / "r.parquet")!r})
        registry.record_shape(numpy.zeros((3, 2)), [1, 0])

        class Handler:
            calls = (registry.query_recent, lambda: registry.df)

            def find_spec(self, name, path=None, target=None):
                if name in ("pandas", "pandas.core.frame", "pyarrow.pandas_compat"):
                    for call in self.calls:
                        try:
                            call()
                        except Busy:
                            print("busy in", name)

        assert "pandas" not in sys.modules
        sys.meta_path.insert(0, Handler())
        {loading}
        assert len(registry.query_recent()) == 1
        registry.close()
        """
    )
    assert sorted(done.stdout.splitlines()) == [
        f"busy in {name}" for name in ("pandas", "pandas.core.frame", "pyarrow.pandas_compat") for _ in range(2)
    ], done.stderr
