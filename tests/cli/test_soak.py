"""``toriwork soak``: real processes, killed for real; exit 1 when a row is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from toriwork.cli import main
from toriwork.registry import TorusRegistry
from toriwork.soak.history import History
from toriwork.soak.pool import WorkerPool
from toriwork.soak.worker import REGISTRY, promises_file

Capture = pytest.CaptureFixture[str]
SHORT = "0.03"  # minutes


def events(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.long
def test_a_run_that_was_killed_goes_on_loses_nothing_and_its_figures_add_up(
    capsys: Capture, tmp_path: Path, state_root: Path
) -> None:
    here = tmp_path / "here"
    command = [sys.executable, "-m", "toriwork", "soak", "--minutes", SHORT, "--path", str(here), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    first = json.loads(process.stdout.readline())
    workers = psutil.Process(process.pid).children()
    process.kill()
    process.communicate()
    psutil.wait_procs(workers, timeout=60)
    minutes = (History(here).last()["seconds"] + 1.0) / 60
    assert main(["soak", f"--minutes={minutes}", "--path", str(here), "--json"]) == 0
    start, *rounds, end = events(capsys.readouterr().out)
    assert (start["event"], start["writers"], start["readers"]) == ("start", 3, 2)
    assert start["before"] >= first["seconds"]
    assert {one["event"] for one in rounds} == {"round"}
    assert rounds[0]["round"] > first["round"]
    assert (end["event"], end["findings"], end["interrupted"]) == ("end", [], False)
    assert end["killed"] == rounds[-1]["round"] > first["killed"] > 0
    assert first["promised"] <= end["promised"] <= end["rows"] + end["tokens"]
    assert end["disk_bytes"] > 0
    assert end["drills"] == 1
    with TorusRegistry(here / REGISTRY, read_only=True) as registry:
        assert len(registry) == end["rows"]
        assert registry.get_statistics()["pending_writes"] == 0
    page = (here / "soak.html").read_text(encoding="utf-8")
    assert f"<td>rows</td><td>{end['rows']:,}</td>" in page
    assert "in 2 pieces" in page
    assert "<h2>Violations</h2><p>none</p>" in page
    assert not state_root.exists()


def test_a_promise_that_is_not_kept_ends_the_run_with_1_and_keeps_the_folder(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forge(pool: WorkerPool, rng: object) -> None:
        promises_file(pool._folder, pool._run, 99).write_bytes(b"rr")

    monkeypatch.setattr("toriwork.soak.run.WRITERS", 0)
    monkeypatch.setattr("toriwork.soak.run.READERS", 0)
    monkeypatch.setattr(WorkerPool, "kill_one", forge)
    monkeypatch.setattr("tempfile.mkdtemp", lambda prefix: str(tmp_path))
    assert main(["soak", "--minutes", SHORT]) == 1
    *_, last, finding, of_backup = capsys.readouterr().out.splitlines()
    assert last.startswith("end: ")
    assert last.endswith(": NOT sound")
    assert finding == "- lost: 2 rows (number 0 of writer 99, number 1 of writer 99)"
    assert of_backup == f"{finding}, in a restored backup"
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
    assert len(workers) == 5
    assert psutil.wait_procs(workers, timeout=0)[1] == []
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_files_in_it_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "torus_registry.parquet").write_bytes(b"somebody's")
    assert main(["soak", "--minutes", "0.1", "--path", str(tmp_path)]) == 2
    assert "expected a folder that is new or empty, or that of an earlier run" in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["torus_registry.parquet"]


@pytest.mark.parametrize("amount", ["0", "-1", "nan", "inf"])
@pytest.mark.parametrize("unit", ["minutes", "hours"])
def test_no_time_is_refused(capsys: Capture, unit: str, amount: str) -> None:
    assert main(["soak", f"--{unit}={amount}"]) == 2
    assert f"--{unit}: expected a number above 0" in capsys.readouterr().err


def test_two_times_are_refused(capsys: Capture) -> None:
    assert main(["soak", "--hours=1", "--minutes=1"]) == 2
    assert "expected one of them" in capsys.readouterr().err
