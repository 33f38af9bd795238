"""The whole way of a run: files -> what is found in each -> what they pass on -> exceptions -> a report."""

from __future__ import annotations

import datetime as dt
import fnmatch
import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from toriwork.codebase.walk import Omission, select
from toriwork.guard.baseline import Baseline
from toriwork.guard.documents import MAX_SECONDS, Document
from toriwork.guard.drivers import DEFAULTS
from toriwork.guard.finding import Finding
from toriwork.guard.reexports import Tree, note_passed_on
from toriwork.guard.settings import Allowed, Settings, project_root, read_settings
from toriwork.progress import progress_bar


@dataclass(frozen=True, slots=True)
class Report:
    """The findings of a run, and what it left out."""

    findings: tuple[Finding, ...]  #: what makes it fail
    warnings: tuple[Finding, ...] = ()  #: what nobody can judge from outside
    allowed: tuple[tuple[Finding, Allowed], ...] = ()  #: what an exception covers, with the exception
    idle: tuple[Allowed, ...] = ()  #: exceptions of files that were looked at, which cover nothing
    known: tuple[Finding, ...] = ()  #: what the baseline knows
    omitted: tuple[Omission, ...] = ()  #: what was not looked at
    n_files: int = 0
    settings: Settings | None = None

    @property
    def found(self) -> bool:
        """True when there is anything that makes a run fail."""
        return bool(self.findings)


def examine(
    paths: Sequence[str] = (".",),
    *,
    settings: Settings | None = None,
    baseline: Baseline | None = None,
    strict: bool = False,
    today: dt.date | None = None,
    seconds: float = MAX_SECONDS,
) -> Report:
    """A report of every use of a database in some files and folders.

    Nothing is imported or executed.

    Parameters
    ----------
    paths : sequence of str
        Files are looked at in any case, folders as :func:`toriwork.codebase.walk.select` says.
    settings : Settings, optional
        Instead of those at the top of the project that the first path lies in.
    baseline : Baseline, optional
        Findings up to its counts are known and do not fail.
    strict : bool
        Warnings count as findings.
    today : dt.date, optional
        The day that exceptions are judged by; default the present one.
    seconds : float
        What a file that takes longer gets is a finding that says so.

    Raises
    ------
    BadInput
        A path does not exist, or the settings are not understood.
    """
    settings = settings or read_settings(project_root(paths))
    scope = select(paths)
    tree = Tree(item.path for item in scope.files)
    with _no_collection(), progress_bar("guard", len(scope.files), unit=" files") as done:
        documents = [
            Document(item, settings.policy, partial(tree.is_local, item.path), seconds=seconds) for item in scope.files
        ]
        for document in documents:
            document.look()
            document.words &= tree.stems  # the others of 10,000 files are 300 MB
            done(1)
        note_passed_on({d.item.path: d for d in documents if d.source is not None and not d.item.staged}, tree)
    stores = set().union(*(document.stores for document in documents))
    found = sorted((f for d in documents for f in _without_stores(d.findings, stores)), reverse=True)
    everything = sorted({_key(finding): finding for finding in found}.values())
    omitted = [*scope.omitted, *(omission for d in documents for omission in d.omitted)]
    paths = [document.item.path for document in documents]
    return _judged(everything, settings, baseline, strict=strict, today=today or _today(), omitted=omitted, paths=paths)


def _without_stores(findings: list[Finding], stores: set[str]) -> Iterator[Finding]:
    """Yield what counts: of calls that open a database the first of a library, unless some file names its store."""
    first: set[str] = set()
    for finding in sorted(findings):
        if finding.code == "TWG110":
            if finding.what in first or not stores.isdisjoint(DEFAULTS[finding.what].words.split()):
                continue
            first.add(finding.what)
        yield finding


@contextmanager
def _no_collection() -> Iterator[None]:
    """Trees are large and hold no circles: looking for some takes a quarter of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def judged(findings: Iterable[Finding], settings: Settings, today: dt.date | None = None) -> Report:
    """A report of findings that were made elsewhere: the exceptions of the project applied to them."""
    return _judged(sorted(findings), settings, None, strict=False, today=today or _today(), omitted=[], paths=[])


def _key(finding: Finding) -> tuple[str, int, str, str]:
    """One thing on one line is one finding."""
    return finding.path, finding.line, finding.code, finding.what


def _judged(
    everything: list[Finding],
    settings: Settings,
    baseline: Baseline | None,
    *,
    strict: bool,
    today: dt.date,
    omitted: list[Omission],
    paths: list[str],
) -> Report:
    warnings = [] if strict else [finding for finding in everything if finding.level == "warning"]
    open_, allowed, over = _excepted([f for f in everything if strict or f.level == "error"], settings, today)
    known: list[Finding] = []
    if baseline is not None:
        open_, known = baseline.split(open_, settings.below)
    return Report(
        findings=tuple(sorted([*open_, *over.values()])),
        warnings=tuple(warnings),
        allowed=tuple(allowed),
        idle=_idle(settings, {entry for _, entry in allowed} | over.keys(), paths),
        known=tuple(known),
        omitted=tuple(sorted(omitted, key=lambda omission: omission.path)),
        n_files=len(paths),
        settings=settings,
    )


def _excepted(
    findings: Iterable[Finding], settings: Settings, today: dt.date
) -> tuple[list[Finding], list[tuple[Finding, Allowed]], dict[Allowed, Finding]]:
    """Findings that no exception covers, those that one does, and a finding for each exception whose day is over."""
    open_: list[Finding] = []
    allowed: list[tuple[Finding, Allowed]] = []
    over: dict[Allowed, Finding] = {}
    for finding in findings:
        path = settings.below(finding.path)
        entries = [entry for entry in settings.allow if entry.covers(finding, path)]
        valid = next((entry for entry in entries if today <= entry.until), None)
        if valid is not None:
            allowed.append((finding, valid))
            continue
        open_.append(finding)
        for entry in entries:
            message = f"the exception for {entry.path} ({entry.what}) ended on {entry.until}"
            over.setdefault(entry, Finding(finding.path, finding.line, 1, "TWG401", message, finding.what))
    return open_, allowed, over


def _idle(settings: Settings, used: set[Allowed], paths: Iterable[str]) -> tuple[Allowed, ...]:
    """Exceptions for files that were looked at in which there is nothing that they cover."""
    unused = [entry for entry in settings.allow if entry not in used]
    below = [settings.below(path) for path in paths] if unused else []
    return tuple(entry for entry in unused if fnmatch.filter(below, entry.path))


def _today() -> dt.date:
    return dt.datetime.now().astimezone().date()
