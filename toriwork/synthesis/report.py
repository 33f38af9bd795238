"""The report of a check of the token log: what is proven and what is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from toriwork.printed import one_line


class LogFinding(NamedTuple):
    """One thing that is not as it was published."""

    generation: int | None  #: that it belongs to; None: none in particular
    kind: str  #: "edited", "reordered", "missing", "repeated", "truncated", "foreign", "rewritten", "file"
    text: str

    def __str__(self) -> str:
        where = "" if self.generation is None else f"generation {self.generation}: "
        return f"{where}{self.kind}: {one_line(self.text)}"


@dataclass(frozen=True, slots=True)
class LogReport:
    """The findings of a check of a token log, what that proves and what it does not."""

    n_rows: int  #: that were looked at
    n_unpublished: int  #: of them not in the public file yet
    n_retired: int  #: published once, and no longer kept
    generation: int  #: the newest; 0 when nothing was published
    head: str  #: hex, over every generation; the thing to keep elsewhere
    findings: tuple[LogFinding, ...] = ()
    n_more: int = 0  #: findings that are only counted
    proven: tuple[str, ...] = ()
    not_proven: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """True when everything is as it was written."""
        return not self.findings

    def as_dict(self) -> dict[str, Any]:
        """The report, ready for JSON."""
        return {
            "ok": self.ok,
            "rows": self.n_rows,
            "unpublished": self.n_unpublished,
            "retired": self.n_retired,
            "generation": self.generation,
            "head": self.head,
            "findings": [finding._asdict() for finding in self.findings],
            "more_findings": self.n_more,
            "proven": list(self.proven),
            "not_proven": list(self.not_proven),
        }

    def __str__(self) -> str:
        """The verdict, each finding, what is proven and what is not, a line each."""
        n_findings = len(self.findings) + self.n_more
        state = "sound" if self.ok else f"{n_findings} finding{'s' * (n_findings != 1)}"
        counts = f"{self.n_rows:,} rows ({self.n_unpublished:,} of them unpublished), {self.n_retired:,} retired"
        lines = [f"{state}: {counts}, generation {self.generation}, head {self.head or '-'}"]
        lines += [f"- {finding}" for finding in self.findings]
        lines += [f"- and {self.n_more:,} more"] * bool(self.n_more)
        lines += [f"proven: {text}" for text in self.proven]
        lines += [f"not proven: {text}" for text in self.not_proven]
        return "\n".join(lines)
