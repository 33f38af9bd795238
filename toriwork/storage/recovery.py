"""What opening a store finds and mends: dead writers' remains, and with ``repair=True`` damaged files.

Everything that changes a file happens under the store's lock. A damaged file is moved to quarantine/, never
overwritten, emptied or deleted.
"""

from __future__ import annotations

import logging
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from toriwork.errors import DamagedFile, StoreMismatch
from toriwork.storage import frames
from toriwork.storage.columns import ParquetSource
from toriwork.storage.head import Head, check_base, read_head, write_head
from toriwork.storage.journal import journal_id, read_journal
from toriwork.storage.publish import quarantine
from toriwork.storage.seal import TEMPORARY_SUFFIX, seal
from toriwork.storage.view import JournalView, is_segment, look

if TYPE_CHECKING:
    from toriwork.storage.files import Files
    from toriwork.storage.head import Places
    from toriwork.storage.spec import TableSpec

_LOG = logging.getLogger("toriwork.storage")
_STALE_SECONDS = 60.0
_TEMPORARY_ENDINGS = (TEMPORARY_SUFFIX, ".journal.new")


@dataclass(slots=True)
class RecoveryReport:
    """What opening a store found; ``clean`` when there was nothing to report."""

    adopted_rows: int = 0  #: rows of dead writers that are not in the public file yet; they are kept
    torn: dict[str, int] = field(default_factory=dict)  #: journal file -> bytes behind its last good frame
    quarantined: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  #: what ``repair=True`` accepted

    @property
    def clean(self) -> bool:
        """Whether there was neither a torn write nor anything to repair."""
        return not (self.torn or self.quarantined or self.notes)


def create_head(files: Files, places: Places) -> None:
    """Give a store its identity, unless it has one. The caller holds the lock."""
    if read_head(files, places) is not None:
        return
    if files.stat(places.base) is None:
        write_head(files, places, Head(uuid.uuid4().hex, 0, "", "", True, 0))
        return
    source = ParquetSource(files.open(places.base), places.base)
    facts = source.facts
    # a public file that knows its store came here as a copy; one that does not was written by legacy code
    store_id = facts.store_id if facts is not None else uuid.uuid4().hex
    generation = facts.generation if facts is not None else 0
    write_head(files, places, Head(store_id, generation, source.footer.digest, "", True, source.n_rows))
    source.close()


def remove_stale(files: Files, places: Places) -> None:
    """Remove the half-written files of dead processes. The caller holds the lock."""
    for name in files.names(places.folder):
        path = places.folder / name
        if name.endswith(_TEMPORARY_ENDINGS) and _is_abandoned(files, path):
            files.unlink(path)


def _is_abandoned(files: Files, path: Path) -> bool:
    found = files.stat(path)
    if found is None or time.time() - found.modified < _STALE_SECONDS:
        return False
    handle = files.open(path)
    try:
        return handle.try_lock()  # its maker keeps it locked until it has its final name
    finally:
        handle.close()


def examine(files: Files, places: Places, spec: TableSpec) -> RecoveryReport:
    """What dead writers left; nothing is changed.

    Raises
    ------
    DamagedFile, StoreMismatch, VersionTooOld
        The store must not be used as it is; the message has the remedy.
    """
    report = RecoveryReport()
    view = look(files, places, spec)
    try:
        for journal in view.journals:
            if not journal.handle.try_lock():
                continue  # alive: a bad tail is still being written
            report.adopted_rows += sum(frame.n_rows for frame in journal.rows())
            if journal.scan.torn:
                report.torn[journal.path.name] = journal.scan.total_bytes - journal.scan.good_bytes
    finally:
        view.close()
    for name, size in report.torn.items():
        _LOG.warning("%s: its writer died in the middle of a write; %d bytes behind the last row are cut", name, size)
    return report


def repair(files: Files, places: Places, spec: TableSpec) -> RecoveryReport:
    """What was set aside and accepted so that the store can be used again. The caller holds the lock."""
    report = RecoveryReport()
    head = _repair_head(files, places, report)
    _repair_base(files, places, head, report)
    head = read_head(files, places)
    store_id = head.store_id if head is not None else ""
    for name in files.names(places.folder):
        if is_segment(name):
            _repair_segment(files, places, places.folder / name, report)
        elif journal_id(name) is not None:
            _repair_journal(files, places, spec, store_id, places.folder / name, report)
    for note in report.notes:
        _LOG.warning("repair: %s", note)
    return report


def _set_aside(files: Files, places: Places, path: Path, why: object, report: RecoveryReport) -> None:
    target = quarantine(files, places, path)
    report.quarantined.append(target)
    report.notes.append(f"{path.name} was moved to {target}: {why}")


def _repair_head(files: Files, places: Places, report: RecoveryReport) -> Head | None:
    try:
        return read_head(files, places)
    except DamagedFile as error:
        _set_aside(files, places, places.head, error, report)
        create_head(files, places)
        return read_head(files, places)


def _repair_base(files: Files, places: Places, head: Head | None, report: RecoveryReport) -> None:
    base = None
    if files.stat(places.base) is not None:
        try:
            base = ParquetSource(files.open(places.base), places.base)
            base.check_data_digest()
        except DamagedFile as error:
            _set_aside(files, places, places.base, error, report)
            base = None
    if head is None:
        create_head(files, places)
        return
    try:
        check_base(head, base, places.base)
    except StoreMismatch as error:
        report.notes.append(f"accepted as it is: {error}")
        digest, n_rows = (base.footer.digest, base.n_rows) if base is not None else ("", 0)
        generation = head.generation + 1 if base is not None else 0
        write_head(files, places, Head(head.store_id, generation, digest, "", True, n_rows))


def _repair_segment(files: Files, places: Places, path: Path, report: RecoveryReport) -> None:
    try:
        source = ParquetSource(files.open(path), path)
        source.check_data_digest()
        source.close()
    except DamagedFile as error:
        # the journals it was made of are still there unless the public file holds their rows
        _set_aside(files, places, path, error, report)


def _repair_journal(
    files: Files, places: Places, spec: TableSpec, store_id: str, path: Path, report: RecoveryReport
) -> None:
    handle = files.open(path)
    try:
        _, scan = read_journal(handle, path, store_id)
    except DamagedFile as error:
        _set_aside(files, places, path, error, report)
        return
    if not scan.damaged:
        return
    good = (*scan.frames, *scan.salvaged)
    name = journal_id(path.name) or ""
    saved = frames.Scan(good, scan.total_bytes, scan.total_bytes, 0, damaged=False)
    view = JournalView(name, path, handle, saved, _absorbed(files, places).get(name, 0))
    segment = seal(files, places, spec, store_id, [view], {})
    why = f"its {len(good)} good frames, {len(scan.salvaged)} of them behind the damage, are in {segment.name}"
    _set_aside(files, places, path, why, report)


def _absorbed(files: Files, places: Places) -> dict[str, int]:
    if files.stat(places.base) is None:
        return {}
    source = ParquetSource(files.open(places.base), places.base)
    return dict(source.facts.absorbed) if source.facts is not None else {}
