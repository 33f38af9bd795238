"""What an ObserverSynthesis remembers of tokens: the newest ones, bounded, and which observers led to each.

References are part of a token's id, so ids cannot form a cycle. Observers can: a token of A that rests, over any
number of steps, on a token of A with the same type and subject is a reflexive loop. How often the same observer
stands among the ancestors is its order.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from toriwork.synthesis.identity import Identity, parse

Observer = tuple[str | None, str | None, str | None]
_MANY_OBSERVERS = 64  # observers remembered per token, those of the highest order first


class Lineage(NamedTuple):
    """What a token rests on."""

    observers: Mapping[Observer, int]  #: among its ancestors, with the most that stand on one path
    order: int  #: how often the token's own observer stands among its ancestors
    depth: int  #: longest chain of references below it that is known


class Held(NamedTuple):
    """A token in memory."""

    identity: Identity
    lineage: Lineage
    seen: float = 0.0  #: when it was emitted last, seconds since 1970


_ROOT = Lineage({}, 0, 0)


class TokenMemory:
    """The newest ``max_tokens`` distinct tokens; not locked, its owner is."""

    def __init__(self, max_tokens: int, now: Callable[[], float] = time.time) -> None:
        self._limit = max_tokens
        self._now = now
        self._seen: dict[str, float] = {}
        self._held: OrderedDict[str, Identity] = OrderedDict()
        self._lineages: dict[str, Lineage] = {}  # of the tokens with references: most have none, and cost nothing

    def __len__(self) -> int:
        return len(self._held)

    def get(self, token: str) -> Held | None:
        """A token that is still remembered, or None."""
        identity = self._held.get(token)
        return None if identity is None else Held(identity, self._lineages.get(token, _ROOT), self._seen[token])

    def items(self) -> Iterator[tuple[str, Held]]:
        """Every token that is remembered, the one that was emitted last at the end."""
        return (
            (token, Held(found, self._lineages.get(token, _ROOT), self._seen[token]))
            for token, found in self._held.items()
        )

    def seen(self, token: str) -> float | None:
        """When a token that is still remembered was emitted last, seconds since 1970, or None."""
        return self._seen.get(token)

    def put(self, token: str, identity: Identity) -> int:
        """Remember an emission and give its order; the oldest token is forgotten when there are too many."""
        order = 0
        if identity.refs:
            lineage = self._lineages[token] = self._lineage(identity)
            order = lineage.order
        held = self._held
        held[token] = identity
        self._seen[token] = self._now()
        held.move_to_end(token)
        if len(held) > self._limit:
            oldest, _ = held.popitem(last=False)
            del self._seen[oldest]
            self._lineages.pop(oldest, None)
        return order

    def unresolved(self, refs: tuple[str, ...]) -> tuple[str, ...]:
        """The references that lead to nothing in memory: a state, no error."""
        return tuple(ref for ref in refs if ref not in self._held)

    def _lineage(self, identity: Identity) -> Lineage:
        observers: dict[Observer, int] = {}
        depth = 0
        for ref in identity.refs:
            parent = self.get(ref)
            if parent is None:
                continue
            depth = max(depth, 1 + parent.lineage.depth)
            found = dict(parent.lineage.observers)
            observer = parse(parent.identity.body).observer
            found[observer] = found.get(observer, 0) + 1
            for name, count in found.items():
                observers[name] = max(observers.get(name, 0), count)
        if len(observers) > _MANY_OBSERVERS:
            ranked = sorted(observers.items(), key=lambda item: (-item[1], str(item[0])))
            observers = dict(ranked[:_MANY_OBSERVERS])
        mine = parse(identity.body).observer
        order = 0 if mine[:2] == (None, None) else observers.get(mine, 0)  # nobody in particular observes no loop
        return Lineage(observers, order, depth)
