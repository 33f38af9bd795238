"""Which tokens of a context are shown, and why the others are not: a pure function of tokens, budget and rules.

The weight of a token depends on nothing but itself, so that no token can lift or sink another; and the tokens that
fit are the longest run from the top of the ranking. Both together are why a token below the cut changes nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from toriwork.errors import BadInput
from toriwork.synthesis.budget import Budget
from toriwork.synthesis.context import Entry
from toriwork.synthesis.explained import Choice, Omission, Reason, Selection
from toriwork.synthesis.prompt import PROCESS_KEY, UNTYPED, line, write_prompt

_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Rules:
    """What makes a token worth its place; all of them in [0, 1] but the quota.

    The weight is ``importance * recency**hours * damping**order``: hours since it was emitted last, order of its
    reflexive loop. As every weight falls alike, the ranking does not depend on when it is asked for.

    Parameters
    ----------
    recency : float
        What is left of a weight after an hour.
    damping : float
        What is left of a weight for each time its own observer stands among its ancestors.
    floor : float
        Tokens of a smaller weight are left out.
    per_type : int, optional
        At most so many of one type; pinned ones count, but always stay.

    Raises
    ------
    BadInput
        One is out of range.

    Sources
    -------
    Park et al. 2023, doi:10.1145/3586183.3606763, sect. 4.1 (recency 0.995 an hour, importance), there as a sum of
    values that are scaled over all memories, which would let a token move others.
    """

    recency: float = 0.995
    damping: float = 0.5
    floor: float = 0.0
    per_type: int | None = None

    def __post_init__(self) -> None:
        for name in ("recency", "damping", "floor"):
            value = getattr(self, name)
            if not 0 <= value <= 1 or (name == "recency" and value == 0):
                raise BadInput(f"rules: {name}: a number between 0 and 1 is wanted, given was {value!r}")
        if self.per_type is not None and self.per_type < 0:
            raise BadInput(f"rules: per_type: an integer of at least 0 is wanted, given was {self.per_type!r}")

    def weight(self, found: Entry, now: float) -> float:
        """The weight of a token at a time (seconds since 1970), between 0 and 1."""
        hours = max(0.0, now - found.seen) / _HOUR
        return float(found.importance * self.recency**hours * self.damping**found.order)

    def rank(self, found: Entry) -> tuple[bool, float, float, str]:
        """What sorts the tokens, the first the weightiest: pinned, weight, newest, id."""
        height = _log(found.importance) - found.seen / _HOUR * _log(self.recency)
        if found.order:
            height += found.order * _log(self.damping)
        return not found.pinned, -height, -found.seen, found.token


def _log(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf


def select(entries: Iterable[Entry], budget: Budget, rules: Rules, now: float, key: bytes = PROCESS_KEY) -> Selection:
    """What is chosen of some tokens, as text and as facts, and why each of the others is not.

    Tokens of one source, type and subject: the newest stands for all, the others stay as its history. Then the floor,
    the quota, and the budget, from the weightiest token down to the first that does not fit; one that would not fit
    alone is passed over. The text depends on the set of tokens only, not on the order in which they come.

    Parameters
    ----------
    entries : iterable of Entry
        Each token once.
    budget : Budget
        What the text may cost; never exceeded.
    rules : Rules
        What makes a token worth its place.
    now : float
        Seconds since 1970; only weights and the floor depend on it.
    key : bytes
        What the fences of the text are named with, see :func:`toriwork.synthesis.prompt.write_prompt`.
    """
    omitted: list[Omission] = []

    def omit(found: Entry, reason: Reason, by: str | None = None) -> None:
        omitted.append(Omission(found.token, found.observer, rules.weight(found, now), reason, by))

    current = _current(entries, omit)
    ranked = _above_floor(sorted(current, key=rules.rank), rules, now, omit)
    page = _Page(budget, key)
    shown = _fill(ranked, page, omit)
    text = page.text(shown)
    chosen = tuple(
        Choice(
            token=found.token,
            observer=found.observer,
            weight=rules.weight(found, now),
            importance=found.importance,
            order=found.order,
            seen=found.seen,
            pinned=found.pinned,
            line=page.lines[found.token],
        )
        for found in shown
    )
    return Selection(
        chosen=chosen,
        omitted=tuple(sorted(omitted)),
        text=text,
        limits=budget.limits,
        used=budget.cost(text, len(chosen)),
    )


_Omit = Callable[..., None]


def _current(entries: Iterable[Entry], omit: _Omit) -> list[Entry]:
    """The newest token of each observer, and all that are pinned or of nobody in particular."""
    newest: dict[tuple[str | None, ...], Entry] = {}
    every = list(entries)
    for found in every:
        before = newest.get(found.observer)
        if before is None or (before.seen, before.token) < (found.seen, found.token):
            newest[found.observer] = found
    current = []
    for found in every:
        stands = newest[found.observer]
        if found is stands or found.pinned or found.observer[:2] == (None, None):
            current.append(found)
        else:
            omit(found, Reason.SUPERSEDED, stands.token)
    return current


def _above_floor(ranked: Sequence[Entry], rules: Rules, now: float, omit: _Omit) -> list[Entry]:
    """The tokens, in their order, that neither floor nor quota leaves out."""
    counts: Counter[str] = Counter()
    found = []
    for candidate in ranked:
        name = candidate.observer[1] or UNTYPED
        if not candidate.pinned and rules.weight(candidate, now) < rules.floor:
            omit(candidate, Reason.BELOW_FLOOR)
        elif not candidate.pinned and rules.per_type is not None and counts[name] >= rules.per_type:
            omit(candidate, Reason.QUOTA)
        else:
            counts[name] += 1
            found.append(candidate)
    return found


class _Page:
    """Texts of some tokens under a budget; each line is written once."""

    def __init__(self, budget: Budget, key: bytes) -> None:
        self._budget = budget
        self._key = key
        self.limited = bool(budget.limits)
        self.lines: dict[str, str] = {}

    def fits(self, *parts: Sequence[Entry]) -> bool:
        some = [candidate for part in parts for candidate in part]
        return self._budget.holds(self.text(in_time(some)), len(some))

    def text(self, shown: Sequence[Entry]) -> str:
        for candidate in shown:
            if candidate.token not in self.lines:
                self.lines[candidate.token] = line(candidate)
        text = write_prompt(shown, self.lines, self._key)
        return text if shown or self._budget.holds(text, 0) else ""


def in_time(some: Iterable[Entry]) -> list[Entry]:
    """Tokens in the order of the text: the oldest first."""
    return sorted(some, key=lambda candidate: (candidate.seen, candidate.token))


def _fill(ranked: Sequence[Entry], page: _Page, omit: _Omit) -> list[Entry]:
    """The tokens that fit on the page, in the order of the text."""
    if not page.limited:
        return in_time(ranked)
    shown: list[Entry] = []
    rest = list(ranked)
    while rest:
        n_more = _longest(len(rest), partial(_fits_with, page, shown, rest))
        shown, rest = shown + rest[:n_more], rest[n_more:]
        if rest and page.fits(rest[:1]):
            for candidate in rest:
                omit(candidate, Reason.OVER_BUDGET)
            break
        if rest:
            omit(rest.pop(0), Reason.TOO_LARGE)
    return in_time(shown)


def _fits_with(page: _Page, shown: Sequence[Entry], rest: Sequence[Entry], n: int) -> bool:
    return page.fits(shown, rest[:n])


def _longest(n: int, fits: Callable[[int], bool]) -> int:
    """The largest k up to n that fits, if all below it do: by doubling, then halving, so that what lies far beyond
    the answer is never looked at.
    """
    good, step = 0, 1
    while good + step <= n and fits(good + step):
        good, step = good + step, 2 * step
    bad = min(good + step, n + 1)
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if fits(middle) else (good, middle)
    return good
