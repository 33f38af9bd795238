"""The memory that this process may still take: of the machine, of its control group, and of its own limits."""

from __future__ import annotations

import math
from pathlib import Path

_PROC, _GROUPS = Path("/proc"), Path("/sys/fs/cgroup")
#: a limit that stands for none, in version 1 of control groups
_UNLIMITED = 2.0**62


def available_bytes() -> float:
    """Memory that this process can take without swapping or being stopped, in bytes; inf where nobody says.

    The least of what the machine has free, what the control groups of the process and all above them leave (a
    container's limit), and what RLIMIT_AS and RLIMIT_DATA leave.
    """
    return max(0.0, min(_of_machine(), _of_groups(), _of_limits()))


def _of_machine() -> float:
    return _fact(_PROC / "meminfo", "MemAvailable:") * 1024.0


def _of_groups() -> float:
    """The least that a control group of the process, or one above it, leaves; versions 1 and 2."""
    left = math.inf
    for line in _lines(_PROC / "self/cgroup"):
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers and "memory" not in controllers.split(","):
            continue
        root, limit, used, cache = (
            (_GROUPS / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            if controllers
            else (_GROUPS, "memory.max", "memory.current", "inactive_file")
        )
        group = root / path.lstrip("/")
        # a container sees its own group at the root, whatever its path outside
        for folder in (group, *(above for above in group.parents if above.is_relative_to(root))):
            most, taken = _number(folder / limit), _number(folder / used)
            if most < _UNLIMITED and math.isfinite(taken):
                cached = _fact(folder / "memory.stat", cache)  # given back before anybody is stopped
                left = min(left, most - taken + (cached if math.isfinite(cached) else 0.0))
    return left


def _of_limits() -> float:
    try:
        import resource
    except ImportError:  # no such limits on Windows
        return math.inf
    left = math.inf
    for limit, used in ((resource.RLIMIT_AS, "VmSize:"), (resource.RLIMIT_DATA, "VmData:")):
        most = resource.getrlimit(limit)[0]
        taken = _fact(_PROC / "self/status", used) * 1024.0
        if most != resource.RLIM_INFINITY and math.isfinite(taken):
            left = min(left, most - taken)
    return left


def _number(path: Path) -> float:
    """The one number of a file; inf when there is none."""
    words = " ".join(_lines(path)).split()
    return float(words[0]) if words and words[0].isdigit() else math.inf


def _fact(path: Path, name: str) -> float:
    """The number behind a name in a file of such lines; inf when there is none."""
    found = [line.split()[1] for line in _lines(path) if line.split()[:1] == [name]]
    return float(found[0]) if found else math.inf


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
