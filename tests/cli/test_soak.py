"""``toriwork soak``: real processes, killed for real; what is lost, doubled or damaged is found and named."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import psutil
import pytest

from toriwork.cli import main
from toriwork.cli.soak import Look
from toriwork.cli.soak_crew import Crew
from toriwork.cli.soak_ledger import Ledger
from toriwork.cli.soak_worker import LOG, REGISTRY, cloud, desk, promises_file
from toriwork.registry import TorusRegistry
from toriwork.synthesis import ObserverSynthesis

Capture = pytest.CaptureFixture[str]
RUN = "r"
SHORT = "0.03"  # minutes


def events(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_short_run_loses_nothing_and_leaves_the_state_root_alone(
    capsys: Capture, tmp_path: Path, state_root: Path
) -> None:
    assert main(["soak", "--minutes", SHORT, "--path", str(tmp_path / "here"), "--json"]) == 0
    start, *rounds, end = events(capsys.readouterr().out)
    assert (start["event"], start["writers"], start["readers"]) == ("start", 3, 1)
    assert [one["event"] for one in rounds] == ["round"] * len(rounds)
    assert rounds
    assert (end["event"], end["findings"], end["interrupted"]) == ("end", [], False)
    assert end["killed"] == len(rounds)
    assert 0 < end["promised"] <= end["rows"] + end["tokens"]
    assert end["disk_bytes"] > 0
    with TorusRegistry(tmp_path / "here" / REGISTRY, read_only=True) as registry:
        assert len(registry) == end["rows"]
        assert registry.get_statistics()["pending_writes"] == 0
    assert not list((tmp_path / "here").glob("soak-*"))
    assert not state_root.exists()


def test_a_promise_that_is_not_kept_ends_the_run_with_1_and_keeps_the_folder(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forge(crew: Crew, chance: object) -> None:
        promises_file(crew._folder, crew._run, 99).write_bytes(b"rr")

    monkeypatch.setattr("toriwork.cli.soak.WRITERS", 0)
    monkeypatch.setattr("toriwork.cli.soak.READERS", 0)
    monkeypatch.setattr(Crew, "kill_one", forge)
    monkeypatch.setattr("tempfile.mkdtemp", lambda prefix: str(tmp_path))
    assert main(["soak", "--minutes", SHORT]) == 1
    *_, last, finding = capsys.readouterr().out.splitlines()
    assert last.startswith("end: ")
    assert last.endswith(": NOT sound")
    assert finding == "- lost: 2 rows (number 0 of writer 99, number 1 of writer 99)"
    assert (tmp_path / REGISTRY).exists()


def test_ctrl_c_ends_it_with_the_summary_and_nothing_is_left(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "toriwork", "soak", "--minutes", "5"],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert str(tmp_path) in process.stdout.readline()
    assert process.stdout.readline().startswith("round 1: ")
    workers = psutil.Process(process.pid).children()
    os.kill(process.pid, signal.SIGINT)
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert told.splitlines()[-1].startswith("interrupted: ")
    assert told.splitlines()[-1].endswith(": sound")
    assert len(workers) == 4
    assert psutil.wait_procs(workers, timeout=0)[1] == []
    assert list(tmp_path.iterdir()) == []


WATCHER = """
import pathlib, sys, time
from toriwork.cli.soak_crew import Crew
crew = Crew(pathlib.Path(sys.argv[1]), "r", 0.01)
crew.wait_for([crew.start("writer")])
print(*(hand.process.pid for hand in crew._hands.values()), flush=True)
time.sleep(600)
"""


def test_the_workers_end_when_the_one_who_watches_is_killed(tmp_path: Path) -> None:
    desk(tmp_path, RUN).mkdir()
    process = subprocess.Popen([sys.executable, "-c", WATCHER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    worker = psutil.Process(int(process.stdout.readline()))
    assert worker.is_running()
    process.kill()
    process.communicate()
    assert psutil.wait_procs([worker], timeout=60)[1] == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A registry and a log with three rows and one token of writer 7, all of them promised."""
    desk(tmp_path, RUN).mkdir()
    with (
        TorusRegistry(tmp_path / REGISTRY) as registry,
        closing(ObserverSynthesis(path=tmp_path / LOG)) as observers,
    ):
        registry.record_shape(np.eye(2))  # of somebody else
        observers.emit_token({"type": "other"})
        for n in range(3):
            record(registry, n)
        observers.emit_token({"type": "soak", "source": "writer 7", "run": RUN, "n": 0})
        registry.flush(publish=True)
    promises_file(tmp_path, RUN, 7).write_bytes(b"rtrr")
    return tmp_path


def record(registry: TorusRegistry, n: int, points: np.ndarray | None = None) -> None:
    points = cloud(7, n) if points is None else points
    registry.record_shape(points, (1.0, 0.0), metadata={"soak": RUN, "writer": 7, "n": n})


def inspected(ledger: Ledger, alive: Sequence[int] = (7,)) -> tuple[str, ...]:
    ledger.read_promises(alive)
    return ledger.inspect().findings


def test_kept_promises_are_counted_and_what_others_wrote_is_not(folder: Path) -> None:
    ledger = Ledger(folder, RUN)
    assert inspected(ledger) == ()
    found = ledger.inspect()
    assert (found.n_rows, found.n_tokens, ledger.n_promised) == (3, 1, 4)


def test_a_row_more_than_was_promised_is_no_finding(folder: Path) -> None:
    promises_file(folder, RUN, 7).write_bytes(b"rt")
    assert inspected(Ledger(folder, RUN)) == ()


@pytest.mark.parametrize(
    ("promised", "finding"),
    [
        (b"rtrrr", "lost: 1 row (number 3 of writer 7)"),
        (b"rtrrrrrrr", "lost: 5 rows (number 3 of writer 7, number 4 of writer 7, number 5 of writer 7 ...)"),
        (b"rtrrt", "lost: 1 token (number 4 of writer 7)"),
    ],
)
def test_what_was_promised_and_is_not_there_is_lost(folder: Path, promised: bytes, finding: str) -> None:
    promises_file(folder, RUN, 7).write_bytes(promised)
    assert inspected(Ledger(folder, RUN)) == (finding,)


def test_promises_to_the_dead_are_remembered_and_their_file_is_not(folder: Path) -> None:
    ledger = Ledger(folder, RUN)
    promises_file(folder, RUN, 7).write_bytes(b"rrrr")
    ledger.read_promises(alive=())
    assert not promises_file(folder, RUN, 7).exists()
    assert inspected(ledger) == ("lost: 1 row (number 3 of writer 7)",)


def test_what_was_seen_once_has_to_stay_though_nobody_was_promised_it(folder: Path) -> None:
    promises_file(folder, RUN, 7).write_bytes(b"")
    ledger = Ledger(folder, RUN)
    assert inspected(ledger) == ()
    for file in (folder / REGISTRY).with_suffix(".d").iterdir():
        file.unlink()
    (folder / REGISTRY).unlink()
    TorusRegistry(folder / REGISTRY).close()
    lost, of_a_copy = inspected(ledger)
    assert lost.startswith("lost: 3 rows")
    assert of_a_copy == "lost: 4 rows of an earlier copy of the public file"


def test_a_row_that_is_there_twice_is_found(folder: Path) -> None:
    with TorusRegistry(folder / REGISTRY) as registry:
        record(registry, 1)
    assert inspected(Ledger(folder, RUN)) == (
        "doubled: 1 row (number 1 of writer 7)",
        "disordered: the rows of writer 7 do not follow each other by row id",
    )


def test_a_folder_with_files_in_it_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "torus_registry.parquet").write_bytes(b"somebody's")
    assert main(["soak", "--minutes", "0.1", "--path", str(tmp_path)]) == 2
    assert "expected a folder that is new or empty" in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["torus_registry.parquet"]


def test_rows_whose_ids_go_back_are_found(folder: Path) -> None:
    with TorusRegistry(folder / REGISTRY) as registry:
        record(registry, 9)
        record(registry, 8)
    findings = inspected(Ledger(folder, RUN))
    assert findings == ("disordered: the rows of writer 7 do not follow each other by row id",)


def test_a_row_that_waits_too_long_is_late(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with TorusRegistry(folder / REGISTRY) as registry:
        record(registry, 3)
        monkeypatch.setattr("toriwork.cli.soak_ledger._MOST_AGE", -1.0)
        [late] = inspected(Ledger(folder, RUN))
    assert late.startswith("late: a row is not public after")


def test_a_row_of_a_signal_handler_is_promised_like_any_other(folder: Path) -> None:
    with TorusRegistry(folder / REGISTRY) as registry:
        record(registry, -1)
    promises_file(folder, RUN, 7).write_bytes(b"rrrhh")
    ledger = Ledger(folder, RUN)
    ledger.read_promises(alive=())
    assert inspected(ledger) == ("lost: 1 row (number -2 of writer 7)",)


def test_points_that_are_not_those_recorded_are_found(folder: Path) -> None:
    with TorusRegistry(folder / REGISTRY) as registry:
        record(registry, 3, cloud(7, 2))
    assert inspected(Ledger(folder, RUN)) == (
        "damaged: 1 row (number 3 of writer 7) with other points than were recorded",
    )


@pytest.mark.parametrize("name", [REGISTRY, LOG])
def test_a_flipped_byte_is_found(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 3] ^= 1
    (folder / name).write_bytes(content)
    findings = inspected(Ledger(folder, RUN))
    assert findings
    assert all(finding.startswith("damaged: ") for finding in findings)


def test_a_worker_that_fails_is_a_finding_with_its_last_words(tmp_path: Path) -> None:
    desk(tmp_path, RUN).mkdir()
    crew = Crew(tmp_path, RUN, 0.01)
    crew.start("reader")  # of files that are not there
    try:
        crew.wait_for([0])
        while crew.alive:
            pass
        (told,) = crew.failures()
    finally:
        crew.stop()
    assert told.startswith("reader 0 failed: toriwork.errors.")
    assert crew.failures() == []


@pytest.mark.parametrize("minutes", ["0", "-1", "nan", "inf"])
def test_no_time_is_refused(capsys: Capture, minutes: str) -> None:
    assert main(["soak", f"--minutes={minutes}"]) == 2
    assert "a number above 0 is wanted" in capsys.readouterr().err


def test_a_line_tells_growth_and_where_memory_is_not_known_says_nothing_of_it() -> None:
    look = Look("round", 2, 7.4, 834, 216, 1000, 2, 300_000, 11, 231_000_000, False, ())
    assert look.line() == (
        "round 2: 7 s, 834 rows, 216 tokens, 2 killed, 0.30 MB in 11 files, 231 MB of memory at most: sound"
    )
    assert "memory" not in Look("end", 2, 7.4, 1, 1, 1, 2, 1, 1, None, False, ()).line()
