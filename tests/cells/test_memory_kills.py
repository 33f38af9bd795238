"""Runs over many clouds, killed or interrupted: what they handed over is remembered, and the next one goes on."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from toriwork.cells.memory import DiagramMemory
from toriwork.topology import persistence, persistence_many

ROOT = Path(__file__).resolve().parents[2]
N_CLOUDS = 400

RUN = """
import os, sys
from tests.cells.test_memory_kills import clouds
from toriwork.cells.memory import DiagramMemory
from toriwork.topology import persistence_many

told = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
try:
    with DiagramMemory(sys.argv[1]) as memory:
        for result in persistence_many(clouds(), memory=memory, max_workers=2, progress=False):
            os.write(told, f"{result.index} {result.diagram.content_id} {result.remembered:d}\\n".encode())
            if sys.argv[3] == "publish" and result.index % 50 == 0:
                memory.flush(publish=True)
except KeyboardInterrupt:
    os.write(told, b"interrupted\\n")
"""


def clouds() -> list[np.ndarray]:
    """Clouds that take about two milliseconds each."""
    return list(np.random.default_rng(7).standard_normal((N_CLOUDS, 90, 3)))


def start(path: Path, told: Path, how: str = "") -> subprocess.Popen[bytes]:
    """A run in a process of its own that has told of some clouds already, or is at its end."""
    told.unlink(missing_ok=True)
    with told.with_suffix(".errors").open("wb") as errors:
        line = [sys.executable, "-c", RUN, str(path), str(told), how]
        process = subprocess.Popen(line, cwd=ROOT, stderr=errors)
    while process.poll() is None and len(lines(told)) < 20:
        time.sleep(0.01)
    return process


def lines(told: Path) -> list[str]:
    """What a run told so far, whole lines."""
    return told.read_text().split("\n")[:-1] if told.exists() else []


def remembered(path: Path, told: Path) -> int:
    """How many clouds are remembered, after a look that whatever was told is there as it was told."""
    with DiagramMemory(path) as memory:
        found = memory.get_many(clouds())
    for line in lines(told):
        if line != "interrupted":
            number, content, _ = line.split()
            assert found[int(number)] is not None, f"cloud {number} was handed over and is not remembered"
            assert found[int(number)].content_id == content
    return sum(diagram is not None for diagram in found)


@pytest.mark.parametrize("how", ["append", "publish"])
def test_whatever_was_handed_over_survives_any_kill_and_the_rest_is_computed(tmp_path, how):
    path, told, chance = tmp_path / "d.parquet", tmp_path / "told", random.Random(3)
    before = 0
    for _ in range(2):
        process = start(path, told, how)
        time.sleep(chance.uniform(0.0, 0.15))
        process.kill()
        process.wait()
        known = remembered(path, told)
        assert known >= before
        before = known
    assert before >= 20
    with DiagramMemory(path) as memory:
        results = {r.index: r for r in persistence_many(clouds(), memory=memory, progress=False)}
    assert sum(r.remembered for r in results.values()) == before
    assert len(results) == N_CLOUDS
    for number in (0, before // 2, N_CLOUDS - 1):
        assert results[number].diagram == persistence(clouds()[number])


def test_the_stop_button_ends_a_run_and_keeps_what_is_done(tmp_path):
    for attempt in range(5):
        path, told = tmp_path / f"d{attempt}.parquet", tmp_path / f"told{attempt}"
        process = start(path, told)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
        # Python drops an interrupt that comes while it tells weak references of an object that is gone, and says so
        if "KeyboardInterrupt" not in told.with_suffix(".errors").read_text():
            break
    assert lines(told)[-1] == "interrupted"
    handed_over = len(lines(told)) - 1
    assert 20 <= handed_over < N_CLOUDS
    assert remembered(path, told) >= handed_over
