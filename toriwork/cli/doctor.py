"""``toriwork doctor``: what on this machine would keep toriwork from working well, and what to do about it.

Looks, writes nothing. Every check is one function from nothing to findings; ``CHECKS`` lists them all.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import toriwork
from toriwork.cli.actions import COMMANDS
from toriwork.cli.terminal import say, say_json
from toriwork.errors import ToriworkError
from toriwork.printed import one_line
from toriwork.state import CAPSULE, ENV_NAME, REGISTRY_FILE, nearest_capsule, state_root

NEEDED = (
    "numpy", "scipy", "scikit-learn", "pyarrow", "pandas", "gudhi", "ripser", "matplotlib", "ipywidgets", "anywidget",
    "platformdirs", "click", "pyyaml", "tqdm",
)  # fmt: skip
#: extra -> its packages, and what they are for
OPTIONAL = {
    "demo": (("duckdb",), "a second reader of the files"),
    "lab": (("jupyterlab", "ipykernel", "nbval", "nbclient", "nbformat"), "the notebooks"),
    "migrate": (("libcst",), "rewriting the code of a backend"),
    "cluster": (("obstore", "deltalake", "distributed"), "buckets, tables that many machines write, and Dask"),
    "soak": (("polars",), "one more reader in `toriwork soak`"),
    "fast": (("redzed-tda",), "the fastest Rips engine"),
}
#: where a lock or a rename may not mean what it means on a local disk
NETWORK_FILE_SYSTEMS = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "fuse.rclone", "lustre", "beegfs")
LATE_SECONDS = 15 * 60.0  #: a row is public by then where anybody records or flushes
LEAST_FREE_BYTES = 200 * 10**6
MOUNTS = Path("/proc/self/mounts")

Level = Literal["ok", "note", "problem"]
COLOURS = {"ok": None, "note": "yellow", "problem": "red"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    level: Level
    subject: str
    message: str
    remedy: str = ""


@COMMANDS.action("doctor", "toriwork doctor")
def doctor(as_json: bool) -> int:
    """Say what of this machine keeps toriwork from working well.

    Exit code 1: there is a problem.
    """
    findings = run_checks()
    if as_json:
        say_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            say(one_line(line(finding)), colour=COLOURS[finding.level])
    return int(any(finding.level == "problem" for finding in findings))


def line(finding: Finding) -> str:
    """One finding in one line, the remedy behind an arrow."""
    remedy = f" -> {finding.remedy}" if finding.remedy else ""
    return f"{finding.level:<8} {finding.subject}: {finding.message}{remedy}"


def run_checks() -> list[Finding]:
    """Everything that was looked at, in the order of ``CHECKS``."""
    return [finding for check in CHECKS for finding in check()]


def check_versions() -> Iterator[Finding]:
    """Python and the packages that toriwork stands on."""
    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding("ok", "versions", f"toriwork {toriwork.__version__}, Python {python}")
    missing = [name for name in NEEDED if _installed(name) is None]
    if missing:
        yield Finding("problem", "packages", f"missing: {', '.join(missing)}", "pip install --upgrade toriwork")
    else:
        yield Finding("ok", "packages", ", ".join(f"{name} {_installed(name)}" for name in NEEDED))
    for extra, (names, purpose) in OPTIONAL.items():
        if absent := [name for name in names if _installed(name) is None]:
            remedy = f"pip install 'toriwork[{extra}]' for {purpose}"
            yield Finding("note", "packages", f"not installed: {', '.join(absent)}", remedy)


def check_engines() -> Iterator[Finding]:
    """The persistence engines that can be used here."""
    try:
        from toriwork.topology import available_engines

        engines = available_engines()
    except ImportError as error:
        yield Finding("problem", "engines", f"none can be loaded: {error}", "pip install --upgrade toriwork")
        return
    if engines == ("simple",):
        yield Finding("problem", "engines", "only the slow built-in one", "pip install gudhi")
    else:
        yield Finding("ok", "engines", ", ".join(engines))


def check_environment() -> Iterator[Finding]:
    """The source of the state root, and a backslash that a shell took."""
    given = os.environ.get(ENV_NAME)
    if not given:
        capsule = nearest_capsule(Path.cwd())
        source = f"{capsule}" if capsule else f"the platform's convention ({ENV_NAME} is not set, no {CAPSULE} found)"
        yield Finding("ok", "state root", f"comes from {source}")
    elif lost := lost_backslash(given):
        yield Finding(
            "problem", "state root", f"{ENV_NAME} is {given!r}: {lost}", f"export {ENV_NAME}='C:\\tori_state'"
        )
    else:
        yield Finding("ok", "state root", f"comes from {ENV_NAME}")


def check_state_root() -> Iterator[Finding]:
    """Access to the state root, its disk, and the room there."""
    try:
        root = state_root()
    except ToriworkError as error:
        yield Finding("problem", "state root", str(error), f"set {ENV_NAME} to a directory of yours")
        return
    existing = next((folder for folder in (root, *root.parents) if os.path.lexists(folder)), root)
    if not existing.is_dir():
        yield Finding("problem", "state root", f"{existing} is not a directory", f"set {ENV_NAME} to another place")
        return
    if not os.access(existing, os.W_OK | os.X_OK):
        yield Finding("problem", "state root", f"{root} cannot be written", f"set {ENV_NAME} to a directory of yours")
    else:
        yield Finding("ok", "state root", f"{root}" + ("" if existing == root else " (made at the first write)"))
    yield from _disk(existing)


def check_registry() -> Iterator[Finding]:
    """The registry below the state root."""
    try:
        path = state_root() / REGISTRY_FILE
    except ToriworkError:
        return  # check_state_root has said so
    if not os.path.lexists(path) and not path.with_suffix(".d").is_dir():
        yield Finding("ok", "registry", f"none yet at {path}")
        return
    from toriwork.registry.codec import SPEC
    from toriwork.storage import ParquetTable
    from toriwork.storage.publish import generation_of

    try:
        with ParquetTable(path, SPEC, read_only=True) as table, table.snapshot() as snapshot:
            n_rows, n_pending, age = snapshot.n_rows(), snapshot.pending_rows(), table.pending_age
            uploaded, generation = table.uploaded, generation_of(snapshot)
    except ToriworkError as error:
        yield Finding("problem", "registry", str(error), "`toriwork registry repair` tells what it would do")
        return
    yield Finding("ok", "registry", f"{path}, {n_rows} rows", "`toriwork registry verify` reads it all")
    if n_pending:
        late = (age or 0.0) > LATE_SECONDS
        told = f"{n_pending} rows are not in the public file yet, the oldest for {age or 0.0:.0f} s: cp leaves them out"
        remedy = "`toriwork registry publish`, or back up with `toriwork backup DIR`"
        yield Finding("note" if late else "ok", "registry", told, remedy)
    if uploaded is not None and (uploaded.error or uploaded.generation < generation):
        told = f"{uploaded.to} has generation {uploaded.generation}, the public file is {generation}"
        why = f": {uploaded.error}" if uploaded.error else ""
        yield Finding("note", "registry", told + why, f"`toriwork registry publish --to {uploaded.to}`")


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    check_versions,
    check_engines,
    check_environment,
    check_state_root,
    check_registry,
)


def lost_backslash(path: str) -> str:
    """The reason to think that a shell took the backslash out of a path; empty when there is none."""
    if re.match(r"[A-Za-z]:[^\\/]", path):
        return f"a shell took the backslash behind {path[:2]!r}, this names a place in the working directory"
    return ""


def file_system(folder: Path, mounts: str) -> str:
    """The type of the file system that holds ``folder``, by the lines of ``/proc/self/mounts``; "" when unknown."""
    best, kind = "", ""
    for fields in (mount.split() for mount in mounts.splitlines()):
        if len(fields) < 3:
            continue
        place = fields[1].replace("\\040", " ")
        if folder.is_relative_to(place) and len(place) >= len(best):
            best, kind = place, fields[2]
    return kind


def _disk(folder: Path) -> Iterator[Finding]:
    import shutil

    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE_BYTES:
        yield Finding("problem", "disk", f"{free / 1e6:.0f} MB free at {folder}", "make room, or move the state root")
    kind = file_system(folder.resolve(), MOUNTS.read_text()) if MOUNTS.exists() else ""
    if kind in NETWORK_FILE_SYSTEMS:
        remedy = "put the state root on a local disk and copy the published file over"
        yield Finding("note", "disk", f"{folder} is on {kind}, whose locks cannot be relied on", remedy)
    else:
        yield Finding("ok", "disk", f"{free / 1e9:.1f} GB free" + (f" on {kind}" if kind else ""))


def _installed(name: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version  # a tenth of the start of every other command

    try:
        return version(name)
    except PackageNotFoundError:
        return None
