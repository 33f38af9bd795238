"""The state of an explorer of tokens and contexts: filters, budget, selection; it works without any widget."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from toriwork.checks import check_integer
from toriwork.errors import BadInput
from toriwork.plots.text_alternative import TextAlternative, counted
from toriwork.plots.tokens import plain_words
from toriwork.synthesis import Budget, Rules, Selection
from toriwork.synthesis.occurrences import Occurrence, orders_of

if TYPE_CHECKING:
    from toriwork.synthesis import ObserverSynthesis

Unit = Literal["characters", "items"]
UNITS: tuple[Unit, ...] = get_args(Unit)
MOST_EMISSIONS = 2000  #: the newest, that are looked at
MOST_LISTED = 40  #: the newest that match, in the table; all that match are counted
HEADER = ("token", "time (UTC)", "type", "source", "subject", "loop", "in the prompt")
NOT_IN_CONTEXT = "no: not in the context"
CHOSEN = "yes"
_ID = slice(len("t1:"), len("t1:") + 8)


@dataclass(frozen=True, slots=True)
class Sought:
    """Which emissions are listed; every condition that is given has to hold.

    Parameters
    ----------
    source, type : str, optional
    since, until : datetime or ISO text, optional
        ``since <= time < until``, without a zone taken as UTC.

    Raises
    ------
    BadInput
        A time is none.
    """

    source: str | None = None
    type: str | None = None
    since: dt.datetime | str | None = None
    until: dt.datetime | str | None = None

    def __post_init__(self) -> None:
        for name in ("since", "until"):
            object.__setattr__(self, name, _utc(name, getattr(self, name)))

    def __contains__(self, found: Occurrence) -> bool:
        core, since, until = found.core, self.since, self.until
        return (
            (self.source is None or core.source == self.source)
            and (self.type is None or core.type == self.type)
            and not (isinstance(since, dt.datetime) and found.time < since)
            and not (isinstance(until, dt.datetime) and found.time >= until)
        )


class ContextState:
    """Emissions by source, type and time, and the tokens that a budget chooses, with the reasons.

    The filter says what is listed, never what is chosen. Both are those of the last :meth:`refresh` or move. Takes what
    ``TokenContextExplorer`` takes.
    """

    def __init__(
        self, synthesis: ObserverSynthesis, *, sought: Sought | None = None, rules: Rules | None = None
    ) -> None:
        self.synthesis = synthesis
        self.sought = sought or Sought()
        self.rules = rules
        self.unit: Unit = "characters"
        self._limits: dict[str, int] = {}
        self.refresh()

    def refresh(self) -> None:
        """Look at what was emitted meanwhile; no limit stays none."""
        emissions = self.synthesis.occurrences(MOST_EMISSIONS)
        self._emissions = tuple(zip(emissions, orders_of(emissions), strict=True))
        self._whole: Mapping[str, int] = self.synthesis.select_context(None, self.rules).used
        self._choose()

    def filter(self, sought: Sought) -> None:
        """List these emissions from now on."""
        self.sought = sought

    def set_budget(self, limit: int | None, unit: Unit | None = None) -> Selection:
        """Choose anew with a limit on the text, and return the selection.

        Parameters
        ----------
        limit : int or None
            None, or :attr:`highest` and above: everything, also when the context has grown.
        unit : {"characters", "items"}, optional
            That of the limit; the one before unless given.

        Raises
        ------
        BadInput
            No such unit, or the limit is negative.
        """
        if unit is not None and unit not in UNITS:
            raise BadInput(f"unit: expected one of {', '.join(UNITS)}, got {unit!r}")
        if limit is not None:
            limit = check_integer(limit, name="limit", least=0)
        self.unit = unit or self.unit
        self._limits = {} if limit is None or limit >= self.highest else {self.unit: limit}
        return self._choose()

    @property
    def highest(self) -> int:
        """The cost of the whole context in the present unit, at least 1."""
        return max(1, self._whole[self.unit])

    @property
    def limit(self) -> int:
        """The present limit of the text, in the present unit."""
        return self._limits.get(self.unit, self.highest)

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources of the emissions, sorted."""
        return tuple(sorted({source for one, _ in self._emissions if (source := one.core.source) is not None}))

    @property
    def types(self) -> tuple[str, ...]:
        """The types of the emissions, sorted."""
        return tuple(sorted({kind for one, _ in self._emissions if (kind := one.core.type) is not None}))

    @property
    def listed(self) -> tuple[Occurrence, ...]:
        """The emissions that match the filter, oldest first."""
        return tuple(one for one, _ in self._emissions if one in self.sought)

    @property
    def text(self) -> TextAlternative:
        """The newest emissions that match, each with its loop and whether and why it is in the prompt or not."""
        found = [(one, order) for one, order in self._emissions if one in self.sought]
        why = {choice.token: CHOSEN for choice in self.selection.chosen}
        why |= {omission.token: f"no: {omission.reason}" for omission in self.selection.omitted}
        rows = tuple(
            _cells(one, order, why.get(one.token, NOT_IN_CONTEXT)) for one, order in found[: -MOST_LISTED - 1 : -1]
        )
        n_loops = sum(order > 0 for _, order in found)
        words = f"{len(found)} of the newest {counted(len(self._emissions), 'emission')} match, {n_loops} close a loop"
        listed = f"; listed are the newest {MOST_LISTED}" if len(found) > MOST_LISTED else ""
        return TextAlternative(f"{words}{listed}.", HEADER, rows)

    def _choose(self) -> Selection:
        budget = Budget(self._limits.get("items"), self._limits.get("characters"))
        self.selection = self.synthesis.select_context(budget, self.rules)
        return self.selection


def _utc(name: str, value: object) -> dt.datetime | None:
    if value is None:
        return None
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value)
        except ValueError as error:
            raise BadInput(f"{name}: expected an ISO time, got {value!r:.40}") from error
    if not isinstance(value, dt.datetime):
        raise BadInput(f"{name}: expected a datetime or an ISO text, got {value!r:.40}")
    return value if value.tzinfo is not None else value.replace(tzinfo=dt.UTC)


def _cells(found: Occurrence, order: int, why: str) -> tuple[str, ...]:
    names = (
        plain_words(str(name)) if name else "–" for name in (found.core.type, found.core.source, found.core.subject)
    )
    loop = f"reflexive({order})" if order else "–"
    return found.token[_ID], found.time.strftime("%Y-%m-%d %H:%M:%S"), *names, loop, why
