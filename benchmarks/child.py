"""Work in a process of its own, whose memory and imports are its own too: ``python -m benchmarks.child``.

Light on purpose: what is imported here counts in every child's memory.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parent.parent


def call(function: str, seconds: float | None = None, **arguments: Any) -> dict[str, Any]:
    """Run ``module:function`` in a fresh process and return its answer; arguments and answer are JSON.

    After so many ``seconds`` the process is ended: subprocess.TimeoutExpired.
    """
    command = [sys.executable, "-m", "benchmarks.child", function, json.dumps(arguments)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, timeout=seconds)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def peak_bytes() -> int:
    """The most memory that this process ever had resident."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        import resource

        # a child starts with the figure of its parent here, and macOS counts bytes
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def restart_peak() -> int:
    """The memory that is resident now; :func:`peak_bytes` counts from here on where the system can forget."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return peak_bytes()


def written_bytes() -> int:
    """Bytes that this process handed to the operating system for writing; 0 where nobody counts them."""
    try:
        counts = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return int(dict(line.split(": ") for line in counts)["wchar"])


def end_at_once(answer: dict[str, Any]) -> NoReturn:
    """Answer and leave without closing anything, as a killed process does."""
    print(json.dumps(answer), flush=True)
    os._exit(0)


if __name__ == "__main__":
    module, name = sys.argv[1].split(":")
    print(json.dumps(getattr(importlib.import_module(module), name)(**json.loads(sys.argv[2]))), flush=True)
