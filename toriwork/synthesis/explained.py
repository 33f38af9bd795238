"""A context that was chosen, with the reasons: a plain value that can be shown as text, as HTML, or by a widget."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from html import escape
from typing import Any, NamedTuple

from toriwork.printed import text_table
from toriwork.synthesis.identity import PREFIX
from toriwork.synthesis.references import Observer

_SHOWN_ROWS = 20
_SHORT = slice(len(PREFIX), len(PREFIX) + 8)
_CHOSEN_HEADER = ("token", "type", "source", "subject", "weight", "mark")


class Reason(StrEnum):
    """Why a token is not shown."""

    SUPERSEDED = "superseded by a newer token of its observer"
    BELOW_FLOOR = "its weight is below the floor"
    QUOTA = "enough of its type weigh more"
    TOO_LARGE = "larger than the whole budget"
    OVER_BUDGET = "the budget was used up by weightier ones"


class ChosenToken(NamedTuple):
    """A token that is shown."""

    token: str  #: its id
    observer: Observer  #: source, type, subject
    weight: float  #: between 0 and 1, at the time of the selection
    importance: float  #: between 0 and 1
    order: int  #: how often its own observer stands among its ancestors
    seen: float  #: when it was emitted last, seconds since 1970
    pinned: bool  #: chosen before all others
    line: str  #: what stands in the text


class OmittedToken(NamedTuple):
    """A token that is not shown, and why."""

    token: str  #: its id
    observer: Observer  #: source, type, subject
    weight: float  #: between 0 and 1, at the time of the selection
    reason: Reason  #: why it is left out
    by: str | None  #: the token that stands for it, where it is superseded


@dataclass(frozen=True, slots=True, repr=False)
class Selection:
    """The tokens of a context that are shown and those that are not; every token is in one of the two, once."""

    chosen: tuple[ChosenToken, ...]  #: in the order of the text: the oldest first
    omitted: tuple[OmittedToken, ...]  #: sorted by token
    text: str  #: the prompt
    limits: Mapping[str, int]  #: unit -> limit, of the units that were limited
    used: Mapping[str, int]  #: unit -> what the text costs

    @property
    def reasons(self) -> dict[Reason, int]:
        """Reason -> how many tokens it left out, in the order of :class:`Reason`; only those that occur."""
        counts = Counter(found.reason for found in self.omitted)
        return {reason: counts[reason] for reason in Reason if reason in counts}

    @property
    def root(self) -> str:
        """32 hex digits that stand for the chosen tokens and their lines: BLAKE2b-128 of both.

        The fence of the text is left out: it has another name in each process, the same choice has one root.
        """
        said = "\n".join([*(found.token for found in self.chosen), *(found.line for found in self.chosen)])
        return blake2b(said.encode(), digest_size=16, person=b"toriwork.context").hexdigest()

    def history(self, token: str) -> tuple[str, ...]:
        """The tokens that a chosen one stands for, sorted by id."""
        return tuple(found.token for found in self.omitted if found.by == token)

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values that JSON can hold, reasons by their names in lower case."""
        return {
            "root": self.root,
            "limits": dict(self.limits),
            "used": dict(self.used),
            "chosen": [_plain(found) for found in self.chosen],
            "omitted": [{**_plain(found), "reason": found.reason.name.lower()} for found in self.omitted],
            "reasons": {reason.name.lower(): count for reason, count in self.reasons.items()},
            "text": self.text,
        }

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        table = text_table((_CHOSEN_HEADER, *self._rows()))
        notes = (f"  {name}: {value}" for name, value in self._notes())
        return "\n".join([self._headline(), *(f"  {row}".rstrip() for row in table), *notes])

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col">{escape(name)}</th>' for name in _CHOSEN_HEADER)
        body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in self._rows())
        notes = "".join(
            f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>' for name, value in self._notes()
        )
        headline = escape(self._headline())
        return (
            f'<section aria-label="{headline}"><table><caption>{headline}</caption><thead><tr>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table><table><caption>Budget and omissions</caption><tbody>{notes}</tbody></table>"
            f"<details><summary>The text</summary><pre>{escape(self.text)}</pre></details></section>"
        )

    def _headline(self) -> str:
        n_tokens = len(self.chosen) + len(self.omitted)
        return f"Context: {len(self.chosen)} of {n_tokens} token{'s' * (n_tokens != 1)} chosen"

    def _rows(self) -> list[tuple[str, ...]]:
        rows = [_row(found) for found in self.chosen[:_SHOWN_ROWS]]
        if len(self.chosen) > _SHOWN_ROWS:
            rows.append((f"and {len(self.chosen) - _SHOWN_ROWS} more", "", "", "", "", ""))
        return rows

    def _notes(self) -> list[tuple[str, str]]:
        cost = {
            unit: f"{used} of {self.limits[unit]}" if unit in self.limits else str(used)
            for unit, used in self.used.items()
        }
        return [*cost.items(), *((str(reason), str(count)) for reason, count in self.reasons.items())]


def _row(found: ChosenToken) -> tuple[str, ...]:
    source, kind, subject = (ascii(name)[1:-1] if name else "–" for name in found.observer)
    marks = [word for word, holds in (("pinned", found.pinned), (f"reflexive({found.order})", found.order)) if holds]
    return found.token[_SHORT], kind, source, subject[:_SHOWN_ROWS], f"{found.weight:.3f}", ", ".join(marks)


def _plain(found: ChosenToken | OmittedToken) -> dict[str, Any]:
    plain = found._asdict()
    source, kind, subject = plain.pop("observer")
    if "seen" in plain:
        plain["seen"] = dt.datetime.fromtimestamp(plain["seen"], dt.UTC).isoformat()
    return {"token": plain.pop("token"), "type": kind, "source": source, "subject": subject, **plain}
