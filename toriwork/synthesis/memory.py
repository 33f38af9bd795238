"""The tokens that an ObserverSynthesis remembers: the newest ones, bounded, with the observers that led to each."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple

from toriwork.synthesis.identity import Identity
from toriwork.synthesis.references import NONE, Lineage, lineage_of


class Held(NamedTuple):
    """A token in memory."""

    identity: Identity
    lineage: Lineage
    seen: float = 0.0  #: when it was emitted last, seconds since 1970


class TokenMemory:
    """The newest ``max_tokens`` distinct tokens; not locked, its owner is."""

    def __init__(self, max_tokens: int) -> None:
        self._limit = max_tokens
        self._held: OrderedDict[str, tuple[Identity, float]] = OrderedDict()  # and when it was emitted last
        self.n_cut = 0  #: references, observers and steps that went over a bound
        self._lineages: dict[str, Lineage] = {}  # of the tokens with references: most have none, and cost nothing

    def __len__(self) -> int:
        return len(self._held)

    def get(self, token: str) -> Held | None:
        """A token that is still remembered, or None."""
        found = self._held.get(token)
        return None if found is None else Held(found[0], self._lineages.get(token, NONE), found[1])

    def items(self) -> Iterator[tuple[str, Held]]:
        """Every token that is remembered, the one that was emitted last at the end."""
        return (
            (token, Held(identity, self._lineages.get(token, NONE), seen))
            for token, (identity, seen) in self._held.items()
        )

    def seen(self, token: str) -> float | None:
        """When a token that is still remembered was emitted last, seconds since 1970, or None."""
        found = self._held.get(token)
        return None if found is None else found[1]

    def put(self, token: str, identity: Identity, seen: float) -> int:
        """Remember an emission, seen then (seconds since 1970), and give its order; the oldest goes at the limit."""
        order = 0
        if identity.refs:
            lineage = self._lineages[token] = lineage_of(identity.body, identity.refs, self._ancestor)
            order = lineage.order
            self.n_cut += lineage.n_cut
        held = self._held
        held[token] = identity, seen
        held.move_to_end(token)
        if len(held) > self._limit:
            oldest, _ = held.popitem(last=False)
            if self._lineages:
                self._lineages.pop(oldest, None)
        return order

    def unresolved(self, refs: tuple[str, ...]) -> tuple[str, ...]:
        """The references that lead to nothing in memory: a state, no error."""
        return tuple(ref for ref in refs if ref not in self._held)

    def _ancestor(self, ref: str) -> tuple[bytes, Lineage] | None:
        found = self._held.get(ref)
        return None if found is None else (found[0].body, self._lineages.get(ref, NONE))
