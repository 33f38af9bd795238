"""A baseline: how many findings of each kind a file may still have. The numbers only fall."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from toriwork.errors import BadInput
from toriwork.guard.finding import Finding

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Baseline:
    """Counts per file and kind."""

    counts: dict[str, dict[str, int]]  #: path below the top of the project -> "CODE what" -> number

    def split(self, findings: Iterable[Finding], below: Callable[[str], str]) -> tuple[list[Finding], list[Finding]]:
        """Findings that are too many, and those that the baseline knows.

        When a kind has become more frequent in a file, all of it counts: which one is new cannot be told.
        """
        found = list(findings)
        now = counted(found, below)
        new: list[Finding] = []
        known: list[Finding] = []
        for finding in found:
            path, kind = below(finding.path), _kind(finding)
            allowed = self.counts.get(path, {}).get(kind, 0)
            (new if now[path][kind] > allowed else known).append(finding)
        return new, known

    def lowered(self, findings: Iterable[Finding], below: Callable[[str], str]) -> Baseline:
        """The baseline with every count that is lower now."""
        now = counted(findings, below)
        kept = {
            path: {kind: min(n, now[path][kind]) for kind, n in kinds.items() if path in now and now[path][kind]}
            for path, kinds in self.counts.items()
        }
        return Baseline({path: kinds for path, kinds in kept.items() if kinds})


def read_baseline(path: Path) -> Baseline:
    """The baseline in a file.

    Raises
    ------
    BadInput
        The file is no baseline of this schema.
    """
    try:
        if not path.is_file():  # a FIFO would be waited for, a device has no end
            raise ValueError("expected a regular file, got something else")
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["schema"] != SCHEMA:
            raise ValueError(f"schema {content['schema']!r}, {SCHEMA} is known")
        counts = {str(p): {str(k): int(n) for k, n in kinds.items()} for p, kinds in content["counts"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadInput(f"{path}: not readable as a baseline: {error}") from error
    return Baseline(counts)


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Replace the file by a baseline, in one step."""
    text = json.dumps({"schema": SCHEMA, "counts": baseline.counts}, indent=1, sort_keys=True) + "\n"
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def counted(findings: Iterable[Finding], below: Callable[[str], str]) -> dict[str, Counter[str]]:
    """How often each kind is found in each file."""
    counts: dict[str, Counter[str]] = {}
    for finding in findings:
        counts.setdefault(below(finding.path), Counter())[_kind(finding)] += 1
    return counts


def first_baseline(findings: Iterable[Finding], below: Callable[[str], str]) -> Baseline:
    """A baseline of everything that is found now."""
    return Baseline({path: dict(kinds) for path, kinds in counted(findings, below).items()})


def _kind(finding: Finding) -> str:
    return f"{finding.code} {finding.what}"
