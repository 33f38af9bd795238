"""The tokens of a context that are shown, and why the others are not: a pure function of tokens, budget and rules.

The weight of a token depends on nothing but itself, and the tokens that fit are the longest run from the top of the
ranking. So a token below the cut changes nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from toriwork.errors import BadInput
from toriwork.synthesis.context import ContextEntry
from toriwork.synthesis.context_budget import Budget
from toriwork.synthesis.explained import ChosenToken, OmittedToken, Reason, Selection
from toriwork.synthesis.prompt import PROCESS_KEY, UNTYPED, line, write_prompt

_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Rules:
    """The weight of a token, and which weights are too small; all in [0, 1] but the quota.

    The weight is ``importance * recency**hours * damping**order``: hours since it was emitted last, order of its
    reflexive loop. As every weight falls alike, the ranking does not depend on when it is asked for.

    Raises
    ------
    BadInput
        One is out of range.

    Sources
    -------
    Park et al. 2023, doi:10.1145/3586183.3606763, sect. 4.1 (recency 0.995 an hour, importance), there as a sum of
    values that are scaled over all memories, which would let a token move others.
    """

    recency: float = 0.995  #: the share of a weight that is left after an hour
    damping: float = 0.5  #: the share that is left for each time its own observer stands among its ancestors
    floor: float = 0.0  #: tokens of a smaller weight are left out
    per_type: int | None = None  #: at most so many of one type; pinned ones count, but always stay

    def __post_init__(self) -> None:
        for name in ("recency", "damping", "floor"):
            value = getattr(self, name)
            if not 0 <= value <= 1 or (name == "recency" and value == 0):
                raise BadInput(f"rules: {name}: expected a number between 0 and 1, got {value!r}")
        if self.per_type is not None and self.per_type < 0:
            raise BadInput(f"rules: per_type: expected an integer of at least 0, got {self.per_type!r}")

    def weight(self, found: ContextEntry, now: float) -> float:
        """The weight of a token at a time (seconds since 1970), between 0 and 1."""
        hours = max(0.0, now - found.seen) / _HOUR
        return float(found.importance * self.recency**hours * self.damping**found.order)

    def rank(self, found: ContextEntry) -> tuple[bool, float, float, str]:
        """The key that sorts tokens, the weightiest first: pinned, weight, newest, id."""
        height = _log(found.importance) - found.seen / _HOUR * _log(self.recency)
        if found.order:
            height += found.order * _log(self.damping)
        return not found.pinned, -height, -found.seen, found.token


def _log(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf


def select(
    entries: Iterable[ContextEntry], budget: Budget, rules: Rules, now: float, key: bytes = PROCESS_KEY
) -> Selection:
    """The tokens that are chosen, as text and as facts, and why each of the others is not.

    Tokens of one source, type and subject: the newest stands for all, the others stay as its history. Then the floor,
    the quota, and the budget, from the weightiest token down to the first that does not fit; one that would not fit
    alone is passed over. The text depends on the set of tokens only, not on the order in which they come.

    Each token is given once. ``now`` is in seconds since 1970, only weights and the floor depend on it; ``key`` names
    the fences of the text, see :func:`toriwork.synthesis.prompt.write_prompt`.
    """
    omitted: list[OmittedToken] = []

    def omit(found: ContextEntry, reason: Reason, by: str | None = None) -> None:
        omitted.append(OmittedToken(found.token, found.observer, rules.weight(found, now), reason, by))

    current = _current(entries, omit)
    ranked = _above_floor(sorted(current, key=rules.rank), rules, now, omit)
    page = _Page(budget, key)
    shown = _fill(ranked, page, omit)
    text = page.text(shown)
    chosen = tuple(
        ChosenToken(
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


def _current(entries: Iterable[ContextEntry], omit: _Omit) -> list[ContextEntry]:
    """The newest token of each observer, and all that are pinned or of nobody in particular."""
    newest: dict[tuple[str | None, ...], ContextEntry] = {}
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


def _above_floor(ranked: Sequence[ContextEntry], rules: Rules, now: float, omit: _Omit) -> list[ContextEntry]:
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

    def fits(self, *parts: Sequence[ContextEntry]) -> bool:
        some = [candidate for part in parts for candidate in part]
        return self._budget.holds(self.text(in_time(some)), len(some))

    def text(self, shown: Sequence[ContextEntry]) -> str:
        for candidate in shown:
            if candidate.token not in self.lines:
                self.lines[candidate.token] = line(candidate)
        text = write_prompt(shown, self.lines, self._key)
        return text if shown or self._budget.holds(text, 0) else ""


def in_time(some: Iterable[ContextEntry]) -> list[ContextEntry]:
    """Tokens in the order of the text: the oldest first."""
    return sorted(some, key=lambda candidate: (candidate.seen, candidate.token))


def _fill(ranked: Sequence[ContextEntry], page: _Page, omit: _Omit) -> list[ContextEntry]:
    """The tokens that fit on the page, in the order of the text."""
    if not page.limited:
        return in_time(ranked)
    shown: list[ContextEntry] = []
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


def _fits_with(page: _Page, shown: Sequence[ContextEntry], rest: Sequence[ContextEntry], n: int) -> bool:
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
