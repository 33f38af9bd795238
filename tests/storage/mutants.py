"""One-line sabotages of the store, and the fast check that finds each.

A mutant is an edit of a module's text, made while the module is loaded: nothing is written. ``python -m
tests.storage.mutants CHECK`` runs a check (some test) unchanged, then once for each of its mutants, each in a child of
its own, and prints what came of them: ``caught``, ``passed``, ``hung``, ``broken`` when the text is not there any more
or the tests could not be collected.
"""

from __future__ import annotations

import contextlib
import importlib.machinery
import importlib.util
import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

HOME = Path(__file__).resolve().parents[2]
SECONDS = 90  #: for one check of one mutant
#: nothing that costs time: no other plugins, no output of failures
_QUIET = "-x -q -o addopts= --import-mode=importlib --tb=line -rfE -p no:cacheprovider -p no:xdist -p no:nbval".split()
CAUGHT, PASSED, HUNG, BROKEN = "caught", "passed", "hung", "broken"


class Mutant(NamedTuple):
    """An edit: a text that stands once in a module, and what stands there instead."""

    module: str
    old: str
    new: str
    check: str  #: pytest arguments, blanks between them


def edited(mutant: Mutant) -> str:
    """The text of the module with the edit; ValueError when the place is not there, or there twice."""
    path = HOME / (mutant.module.replace(".", "/") + ".py")
    text = path.read_text(encoding="utf-8")
    if text.count(mutant.old) != 1:
        raise ValueError(f"{path.name}: expected this text once, found it {text.count(mutant.old)} times: {mutant.old}")
    return text.replace(mutant.old, mutant.new)


class _Edited(importlib.machinery.SourceFileLoader):
    """Loads one module from an edited text; no byte code is read or written."""

    def __init__(self, name: str, path: str, text: str) -> None:
        super().__init__(name, path)
        self._text = text

    def get_data(self, path: str) -> bytes:
        return self._text.encode() if path.endswith(".py") else super().get_data(path)

    def path_stats(self, path: str) -> dict[str, float]:  # type: ignore[override]
        raise OSError("no byte code of an edited text")

    def set_data(self, path: str, data: bytes, *, _mode: int = 0o666) -> None:  # type: ignore[override]
        raise OSError("no byte code of an edited text")


class _Finder:
    """Finds one module in front of all other finders."""

    def __init__(self, mutant: Mutant) -> None:
        self._name = mutant.module
        self._path = str(HOME / (mutant.module.replace(".", "/") + ".py"))
        self._text = edited(mutant)
        self.loaded = False

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != self._name:
            return None
        self.loaded = True
        return importlib.util.spec_from_file_location(name, self._path, loader=_Edited(name, self._path, self._text))


def run_check(check: str, mutant: Mutant | None) -> int:
    """The exit code: 0 passed, 1 caught, 3 broken. For a child that ends behind it."""
    import pytest

    assert "toriwork" not in sys.modules, "the module would not be loaded again"
    finder = None
    try:
        if mutant is not None:
            finder = _Finder(mutant)
            sys.meta_path.insert(0, finder)  # type: ignore[arg-type]
        code = pytest.main([*shlex.split(check), *_QUIET])
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 3
    if finder is not None and not finder.loaded:
        sys.stderr.write(f"the check never loads {finder._name}\n")
        return 3
    return int(code) if code in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) else 3


def outcome(check: str, mutant: Mutant | None) -> tuple[str, float, str]:
    """What came of a check in a child, after how many seconds, and what it printed."""
    began = time.monotonic()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()  # so that its own children end with it
        for number in (1, 2):
            os.dup2(writer, number)
        code = 3
        try:
            code = run_check(check, mutant)
        finally:
            sys.stdout.flush()
            os._exit(code)
    os.close(writer)
    os.set_blocking(reader, False)
    said, status = b"", None
    while status is None and time.monotonic() - began < SECONDS:
        ended, found = os.waitpid(child, os.WNOHANG)
        status = found if ended else None
        said += _read(reader)
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):  # it ended by itself, and left nobody
        os.killpg(child, signal.SIGKILL)
    if status is None:
        os.waitpid(child, 0)
    said += _read(reader)
    os.close(reader)
    code = None if status is None else os.waitstatus_to_exitcode(status)
    word = HUNG if code is None else {0: PASSED, 1: CAUGHT}.get(code, BROKEN)
    return word, time.monotonic() - began, said.decode(errors="replace")


def _read(reader: int) -> bytes:
    try:
        return os.read(reader, 2**20)
    except BlockingIOError:
        return b""


def main(check: str, *names: str) -> int:
    """Run a check without and with its mutants; print what came of each as JSON, one line each."""
    import numpy  # noqa: F401, ICN001 - once for all children; nothing of toriwork
    import pandas  # noqa: F401, ICN001
    import pyarrow.parquet  # noqa: F401
    import pytest  # noqa: F401

    every: dict[str, Mutant | None] = {"": None}
    every.update(
        {name: found for name, found in MUTANTS.items() if found.check == check and (not names or name in names)}
    )
    for name, mutant in every.items():
        word, seconds, said = outcome(check, mutant)
        lines = [line for line in said.splitlines() if line.startswith(("FAILED", "ERROR"))] or said.splitlines()[-3:]
        sys.stdout.write(
            json.dumps({"name": name, "outcome": word, "seconds": round(seconds, 2), "said": lines}) + "\n"
        )
        sys.stdout.flush()
    return 0


_STORAGE = "toriwork.storage."
_CUTS = "tests/storage/test_power_cuts.py -k test_every_acknowledged_row"
_TROUBLE = "tests/storage/test_power_cuts.py -k test_rows_survive_power_cuts_and"
_WRITER = "tests/storage/test_writer.py"
_DAMAGE = "tests/storage/test_frames.py tests/storage/test_footer.py"
_RECOVERY = (
    "tests/storage/test_recovery.py tests/storage/test_refusals.py "
    "-k 'power_cut_took or stays_behind or cannot_be_removed or (bare and flush)'"
)
_GROWING = "tests/storage/test_growing.py -k 'stay_where_they_were or format_1 or in_what_is_copied'"
_LEFT_BEHIND = "tests/registry/test_left_behind.py"
_PUBLISH = "tests/storage/test_publish.py"

MUTANTS: dict[str, Mutant] = {
    "no fsync of a journal": Mutant(
        _STORAGE + "writer", "                journal.handle.sync()\n", "                pass\n", _CUTS
    ),
    "no fsync of the folder of a new journal": Mutant(
        _STORAGE + "writer", "                self._files.sync_folder(self._folder)\n", "                pass\n", _CUTS
    ),
    "no rewrite after a failed fsync": Mutant(
        _STORAGE + "writer",
        "                self._rescue(journal, journal.failure)\n",
        "                journal.failure = journal.mark_synced(size, n_kept)\n",
        _TROUBLE,
    ),
    "kept bytes are dropped": Mutant(
        _STORAGE + "journal", "            self.kept.append(frame)\n", "            pass\n", _TROUBLE
    ),
    "what had been synced is left out of a rewrite": Mutant(
        _STORAGE + "journal", 'b"".join((old, *self.kept))', 'b"".join((self._header, *self.kept))', _TROUBLE
    ),
    "a sync mark is too high": Mutant(
        _STORAGE + "journal", "self.synced = max(self.synced, size)", "self.synced = size + 60", _CUTS
    ),
    "a frame number is not advanced": Mutant(
        _STORAGE + "journal", "self.next_number = number + 1", "self.next_number = number", _WRITER
    ),
    "a journal goes on behind a short write": Mutant(
        _STORAGE + "journal",
        "        self.usable = False\n        number = self.next_number\n",
        "        number = self.next_number\n",
        _WRITER,
    ),
    "a full journal is not closed": Mutant(
        _STORAGE + "journal", "self.usable = end < self._limit", "self.usable = True", _WRITER
    ),
    "closed journals are not synced": Mutant(
        _STORAGE + "writer",
        "return self.closed if current is None or current in self.closed else [*self.closed, current]",
        "return self.closed if current is None else [current]",
        _WRITER,
    ),
    "nobody looks at the checksum of a payload": Mutant(
        _STORAGE + "frames", " or crc32(view[body : body + length]) != payload_crc:", ":", _DAMAGE
    ),
    "nobody looks at the checksum of a frame": Mutant(
        _STORAGE + "frames", "if crc32(view[offset : body - _CRC.size]) != crc or ", "if ", _DAMAGE
    ),
    "a gap in frame numbers is passed over": Mutant(
        _STORAGE + "frames", "owner != journal or stated != number or", "owner != journal or", _DAMAGE
    ),
    "nobody looks at the digest of a footer": Mutant(
        _STORAGE + "footer", ").encode() != stated:", ').encode() == b"":', _DAMAGE
    ),
    "a torn tail is removed": Mutant(
        _STORAGE + "publish", "        if journal.scan.torn:\n", "        if False:\n", _PUBLISH
    ),
    "the new public file is not synced": Mutant(
        _STORAGE + "publish", "        handle.sync()\n        if facts.n_rows", "        if facts.n_rows", _CUTS
    ),
    "the folder of the public file is not synced": Mutant(
        _STORAGE + "publish",
        "    files.replace(temporary, paths.base)\n    files.sync_folder(paths.base.parent)\n",
        "    files.replace(temporary, paths.base)\n",
        _CUTS,
    ),
    "the public file is renamed before HEAD": Mutant(
        _STORAGE + "publish",
        "    write_head(files, paths, prepared)\n    files.replace(temporary, paths.base)\n",
        "    files.replace(temporary, paths.base)\n    write_head(files, paths, prepared)\n",
        _CUTS,
    ),
    "HEAD is not committed": Mutant(
        _STORAGE + "publish",
        "    write_head(files, paths, replace(prepared, committed=True, held={}))\n",
        "",
        _PUBLISH,
    ),
    "journals go before the public file is written": Mutant(
        _STORAGE + "publish",
        "facts = _write_next(files, paths, plan, lock, told)\n            done = _clean_up(files, paths, plan)\n",
        "done = _clean_up(files, paths, plan)\n            facts = _write_next(files, paths, plan, lock, told)\n",
        _CUTS,
    ),
    "the list of absorbed journals is empty": Mutant(
        _STORAGE + "publish", "absorbed=absorbed,", "absorbed={},", _PUBLISH
    ),
    "absorbed counts one frame too many": Mutant(
        _STORAGE + "publish_plan", "self.cuts.get(j, 0), sealed", "self.cuts.get(j, 0) + 1, sealed", _PUBLISH
    ),
    "absorbed counts one frame too few": Mutant(
        _STORAGE + "publish_plan", "self.cuts.get(j, 0), sealed", "self.cuts.get(j, 0) - 1, sealed", _PUBLISH
    ),
    "a lock that is no longer ours is published under": Mutant(
        _STORAGE + "publish", "    if not lock.still_ours():\n", "    if False:\n", _PUBLISH
    ),
    "a public file that was replaced meanwhile is overwritten": Mutant(
        _STORAGE + "publish",
        "    if (now.identity if now else None) != (snapshot.base.stat.identity if snapshot.base else None):\n",
        "    if False:\n",
        _PUBLISH,
    ),
    "the journal of a living writer is removed": Mutant(
        _STORAGE + "publish_plan",
        "        elif journal.handle.try_lock() and has_name",
        "        elif (journal.handle.try_lock() or True) and has_name",
        _PUBLISH,
    ),
    "a journal is not read again behind its lock": Mutant(
        _STORAGE + "publish_plan",
        "            again = open_journal(journal.handle, journal.path, store_id_of(snapshot), journal.after)\n",
        "            again = journal\n",
        _PUBLISH,
    ),
    "what completes a row that stays behind is absorbed": Mutant(
        _STORAGE + "publish_plan",
        "    changed = True\n    while changed:\n",
        "    changed = False\n    while changed:\n",
        _RECOVERY,
    ),
    "what completes a lost row holds others back": Mutant(
        _STORAGE + "publish_plan",
        "lost = target.frame > last.get(target.journal, target.frame)",
        "lost = False",
        _RECOVERY,
    ),
    "a journal that cannot be removed is kept for ever": Mutant(
        _STORAGE + "writer",
        "            try:\n                self._files.unlink(before.path)\n            finally:\n",
        "            self._files.unlink(before.path)\n            if True:\n",
        _RECOVERY,
    ),
    "the system's errors come through bare": Mutant(
        _STORAGE + "access",
        "        if isinstance(error, StoreError):\n            raise\n        new",
        "        raise\n        new",
        _RECOVERY,
    ),
    "the lock of publishing is never released": Mutant(
        _STORAGE + "maintenance",
        "(writer, wait, declared, told)\n        finally:\n            self._publishing.release()\n",
        "(writer, wait, declared, told)\n        finally:\n            pass\n",
        _PUBLISH,
    ),
    "the lock of publishing is taken outside of the try": Mutant(
        _STORAGE + "maintenance",
        "        try:  # from here on: an interrupt between the two would leave it taken\n"
        "            if not lock.acquire(blocking):",
        "        got = lock.acquire(blocking)\n        got = bool(got)\n        try:\n            if not got:",
        "tests/storage/test_interrupts.py -k lock_of_publishing",
    ),
    "a journal that is needed is sealed": Mutant(
        _STORAGE + "maintenance", " or is_needed(found, snapshot):", ":", _LEFT_BEHIND
    ),
    "rows that missed the queue are not looked for": Mutant(
        "toriwork.registry.completion",
        'self._used, self.doubt = True, Doubt("a call was interrupted while it recorded")',
        "self._used = True",
        _LEFT_BEHIND,
    ),
    "a publish forgets to put rows into the queue again": Mutant(
        "toriwork.registry.adoption", "if queue is not None and queue.requeue(snapshot):", "if False:", _LEFT_BEHIND
    ),
    "a failed computation leaves no doubt": Mutant(
        "toriwork.registry.completion",
        "known, self.doubt = self.doubt, Doubt(str(error) or type(error).__name__)",
        "known = self.doubt",
        _LEFT_BEHIND,
    ),
    "a retry does not look first": Mutant(
        "toriwork.registry.registry",
        "        if retry and self._recorded_before(retry):\n",
        "        if False:\n",
        "tests/registry/test_retry.py -k failed_call",
    ),
    "a cursor is not compared": Mutant(
        "toriwork.registry.reading",
        "    if after != _cursor(snapshot, int(parts[0])):\n",
        "    if False:\n",
        "tests/registry/test_following.py -k never_taken",
    ),
    "the clock is not shared": Mutant(
        _STORAGE + "clock",
        "        stated = self._stated()\n",
        "        stated = _NONE\n",
        "tests/storage/test_clock.py",
    ),
    "the first byte of what is copied is left out": Mutant(
        _STORAGE + "columns", "        copied = 0\n", "        copied = 1\n", _GROWING
    ),
    "copied rows that no index has get none": Mutant(
        _STORAGE + "publish", "    _index_kept(snapshot, behind, sink)\n", "", _GROWING
    ),
    "new groups are shifted by one byte too few": Mutant(
        _STORAGE + "sink",
        "behind.end - len(MAGIC) if behind.end else 0)\n",
        "behind.end - len(MAGIC) - 1 if behind.end else 0)\n",
        _GROWING,
    ),
    "the digest of an extent is not compared": Mutant(
        _STORAGE + "columns",
        "            if digest.hexdigest() != extent.digest:\n",
        "            if False:\n",
        _GROWING,
    ),
    "a retention passes what it drops": Mutant(
        _STORAGE + "retention",
        "        stay = bool(self._stays[:n_rows].all())\n",
        "        stay = True\n",
        "tests/storage/test_growing.py -k retention",
    ),
    "pending rows come by name": Mutant(
        _STORAGE + "snapshot",
        "key=lambda source: (source.created_ns, source.path.name)",
        "key=lambda source: source.path.name",
        _PUBLISH,
    ),
    "a link is not taken over": Mutant(
        "toriwork.synthesis.log", "        chain.link = link\n", "", "tests/synthesis/test_verify.py -k sound"
    ),
    "the mode of the public file is not kept": Mutant(
        _STORAGE + "files",
        "                handle.give(like, like.mode)\n",
        "                pass\n",
        "tests/storage/test_access.py -k follows_the_public_file",
    ),
}

if __name__ == "__main__":
    os.chdir(HOME)
    sys.exit(main(*sys.argv[1:]))
