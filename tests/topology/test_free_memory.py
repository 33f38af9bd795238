"""The free memory is the least of what the machine, the control groups and the limits of the process leave."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest

from toriwork.topology import free_memory
from toriwork.topology.free_memory import available_bytes

MACHINE = {"proc/meminfo": "MemTotal: 900 kB\nMemAvailable: 800 kB\n"}


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Makes files below /proc and /sys/fs/cgroup of a system that has no others."""
    monkeypatch.setattr(free_memory, "_PROC", tmp_path / "proc")
    monkeypatch.setattr(free_memory, "_GROUPS", tmp_path / "groups")
    monkeypatch.setattr(free_memory, "_of_limits", lambda: math.inf)

    def make(files: dict[str, str]) -> float:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="ascii")
        return available_bytes()

    return make


def test_without_a_word_from_anybody_there_is_no_limit(system) -> None:
    assert system({}) == math.inf


def test_the_machine_alone(system) -> None:
    assert system(MACHINE) == 800 * 1024


@pytest.mark.parametrize(
    ("groups", "wanted"),
    [
        pytest.param({"groups/memory.max": "5000", "groups/memory.current": "3000"}, 2000, id="a container's root"),
        pytest.param(
            {"groups/a/b/memory.max": "max", "groups/a/memory.max": "700", "groups/a/memory.current": "600"},
            100,
            id="the group above",
        ),
        pytest.param(
            {
                "groups/a/b/memory.max": "5000",
                "groups/a/b/memory.current": "4000",
                "groups/a/b/memory.stat": "anon 1\ninactive_file 500\n",
            },
            1500,
            id="cached files are given back",
        ),
        pytest.param({"groups/a/b/memory.max": "10", "groups/a/b/memory.current": "90"}, 0, id="beyond the limit"),
        pytest.param({"groups/a/b/memory.max": "max", "groups/a/b/memory.current": "90"}, 800 * 1024, id="no limit"),
        pytest.param({"groups/a/b/memory.max": "10"}, 800 * 1024, id="a use that cannot be read"),
    ],
)
def test_control_groups_of_version_2(system, groups: dict[str, str], wanted: float) -> None:
    assert system(MACHINE | {"proc/self/cgroup": "0::/a/b\n"} | groups) == wanted


def test_control_groups_of_version_1(system) -> None:
    groups = {
        "proc/self/cgroup": "3:cpuset:/\n2:cpu,memory:/x\n0::/\n",
        "groups/memory/x/memory.limit_in_bytes": "9000",
        "groups/memory/x/memory.usage_in_bytes": "8000",
        "groups/memory/x/memory.stat": "total_inactive_file 100\n",
        "groups/memory/memory.limit_in_bytes": str(2**63 - 4096),
        "groups/memory/memory.usage_in_bytes": "8000",
    }
    assert system(MACHINE | groups) == 1100


LIMITED = """
import resource
from toriwork.topology.free_memory import available_bytes
resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))
print(available_bytes())
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="sizes are read from Linux's /proc")
def test_the_limit_of_the_process_counts() -> None:
    done = subprocess.run([sys.executable, "-c", LIMITED], capture_output=True, text=True, check=True)
    assert 0 < float(done.stdout) < 2**31
