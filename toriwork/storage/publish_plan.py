"""The choice in front of a publish: which frames it absorbs, and which journals go behind it."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from toriwork.errors import VersionTooOld
from toriwork.storage import frames
from toriwork.storage.decoding import target_of
from toriwork.storage.frames import Kind
from toriwork.storage.journal import SUFFIX
from toriwork.storage.pending import PendingJournal, open_journal, open_rows

if TYPE_CHECKING:
    from toriwork.storage.files import Files
    from toriwork.storage.handles import Handle
    from toriwork.storage.snapshot import Snapshot


@dataclass(slots=True)
class PublishPlan:
    """The sources of the next public file."""

    snapshot: Snapshot
    cuts: dict[str, int] = field(default_factory=dict)  #: journal id -> last frame to absorb
    removable: list[PendingJournal] = field(default_factory=list)
    sealed: list[Path] = field(default_factory=list)  #: journals that a segment holds whole, locked by us

    def absorbed(self, files: Files) -> dict[str, int]:
        """Journal id -> last frame in the next public file; names that are gone from the folder are left out."""
        before = self.snapshot.absorbed
        sealed = {j: last for segment in self.snapshot.segments for j, (_, last) in segment.covers.items()}
        names = {journal.id for journal in self.snapshot.journals} | set(self.snapshot.sealed) | set(sealed)
        # a listing may pass over a name that was renamed onto just then
        names |= {j for j in before if files.stat(self.snapshot.folder / (j + SUFFIX)) is not None}
        return {j: max(before.get(j, 0), self.cuts.get(j, 0), sealed.get(j, 0)) for j in sorted(names)}

    @property
    def n_new(self) -> int:
        """Rows that the next public file holds and the present one does not."""
        in_journals = sum(f.n_rows for journal in self.snapshot.journals for f in journal.rows(self.cuts[journal.id]))
        return in_journals + sum(segment.count() for segment in self.snapshot.segments)


def make_plan(files: Files, snapshot: Snapshot, own: frozenset[str]) -> PublishPlan:
    """Which frames can be absorbed, and which journals go afterwards.

    ``own`` are the closed journals of this process, whose locks it holds. A journal of a dead process is locked here
    and read again, since its owner may have written between our first look and its death.
    """
    plan = PublishPlan(snapshot)
    for index, journal in enumerate(snapshot.journals):
        if journal.id in own:
            plan.removable.append(journal)
        elif journal.handle.try_lock() and has_name(files, journal.path, journal.handle):
            again = open_journal(journal.handle, journal.path, store_id_of(snapshot), journal.after)
            snapshot.journals[index] = again
            plan.removable.append(again)
    for path in (snapshot.folder / name for name in snapshot.sealed.values()):
        handle = files.open(path)
        snapshot.opened.callback(handle.close)
        if handle.try_lock() and has_name(files, path, handle):
            plan.sealed.append(path)
    _refuse_newer(snapshot)
    plan.cuts = _cuts(snapshot, {journal.id for journal in plan.removable})
    plan.removable = [j for j in plan.removable if plan.cuts[j.id] >= j.last_frame]
    return plan


def has_name(files: Files, path: Path, handle: Handle) -> bool:
    """True while a name stands for an open file; a journal that was written anew after a failed sync has another."""
    found = files.stat(path)
    return found is not None and found.identity == handle.stat().identity


def _cuts(snapshot: Snapshot, ended: AbstractSet[str]) -> dict[str, int]:
    """Last frame of each journal that may be absorbed: in front of the first row that lacks values.

    What completes a row that stays behind stays as well, or the row would lose its values. A row that a power cut took
    from a journal that has ``ended``, and not what completes it, stays nowhere.
    """
    cuts = {}
    last = {journal.id: journal.last_frame for journal in snapshot.journals if journal.id in ended}
    done = snapshot.done
    for journal in snapshot.journals:
        lacking = open_rows(snapshot.spec, journal, done)
        cuts[journal.id] = min(lacking) - 1 if lacking else journal.last_frame
    changed = True
    while changed:
        changed = False
        for journal in snapshot.journals:
            for frame in journal.scan.frames:
                if frame.number > cuts[journal.id]:
                    break
                if frame.kind not in (Kind.DONE, Kind.ATTEMPT):
                    continue
                target, _ = target_of(journal.path, frame.number, bytes(journal.payload(frame).data))
                lost = target.frame > last.get(target.journal, target.frame)
                if target.journal in cuts and target.frame > cuts[target.journal] and not lost:
                    cuts[journal.id] = frame.number - 1
                    changed = True
                    break
    return cuts


def _refuse_newer(snapshot: Snapshot) -> None:
    needed = {journal.path: journal.min_writer for journal in snapshot.journals}
    sources = [segment.source for segment in snapshot.segments] + ([snapshot.base] if snapshot.base is not None else [])
    needed |= {source.path: source.facts.min_writer for source in sources if source.facts is not None}
    for path, version in needed.items():
        if version > frames.FORMAT:
            raise VersionTooOld(f"{path}: may only be published by toriwork format {version}, this is {frames.FORMAT}")


def store_id_of(snapshot: Snapshot) -> str:
    """The id of the store, which HEAD has."""
    if snapshot.head is not None:
        return snapshot.head.store_id
    facts = snapshot.base.facts if snapshot.base is not None else None  # nobody publishes without HEAD, but copies
    return facts.store_id if facts is not None else ""
