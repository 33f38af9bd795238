"""The tokens of a context: added and removed by hand, bounded; a selection of them is shown."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace

from toriwork.errors import BadInput
from toriwork.synthesis.identity import parse
from toriwork.synthesis.memory import Held
from toriwork.synthesis.references import Observer

USUAL_IMPORTANCE = 0.5


@dataclass(frozen=True, slots=True)
class ContextEntry:
    """A token of a context."""

    token: str
    held: Held
    observer: Observer  #: source, type, subject
    importance: float = USUAL_IMPORTANCE  #: 0 to 1
    pinned: bool = False  #: chosen before all others, never superseded, displaced last

    @property
    def seen(self) -> float:
        """When it was emitted last, seconds since 1970."""
        return self.held.seen

    def at(self, seen: float | None) -> ContextEntry:
        """The same, emitted last at that time; itself for None."""
        if seen is None or seen == self.held.seen:
            return self
        return replace(self, held=self.held._replace(seen=seen))

    @property
    def order(self) -> int:
        """How often its own observer stands among its ancestors."""
        return self.held.lineage.order


def entry(token: str, held: Held, importance: float | None = None, *, pinned: bool = False) -> ContextEntry:
    """A token as an entry; importance is 0.5 unless given, BadInput when it is not between 0 and 1."""
    weight = USUAL_IMPORTANCE if importance is None else importance
    if not 0 <= weight <= 1:
        raise BadInput(f"importance: expected a number between 0 and 1, got {importance!r}")
    return ContextEntry(token, held, parse(held.identity.body).observer, float(weight), pinned)


class ContextEntries:
    """The tokens of a context in the order in which they were added; not locked, its owner is."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: OrderedDict[str, ContextEntry] = OrderedDict()
        self._pinned = 0
        self.displaced = 0  #: how many had to go because the context was full

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, token: str) -> bool:
        return token in self._entries

    def __iter__(self) -> Iterator[ContextEntry]:
        return iter(self._entries.values())

    def get(self, token: str) -> ContextEntry | None:
        """The entry of a token, or None."""
        return self._entries.get(token)

    def put(self, new: ContextEntry) -> None:
        """Add a token, or give one that is there its new importance; the oldest goes when there are too many."""
        old = self._entries.get(new.token)
        self._pinned += new.pinned - (old is not None and old.pinned)
        self._entries[new.token] = new
        if len(self._entries) > self._limit:
            self._displace()

    def _displace(self) -> None:
        everyone_pinned = self._pinned >= len(self._entries)
        oldest = next(found for found in self if everyone_pinned or not found.pinned)
        self.remove(oldest.token)
        self.displaced += 1

    def remove(self, token: str) -> bool:
        """Take a token out; False when it was not there."""
        old = self._entries.pop(token, None)
        self._pinned -= old is not None and old.pinned
        return old is not None

    def clear(self) -> None:
        """Leave nothing."""
        self._entries.clear()
        self._pinned = self.displaced = 0
