"""The ancestors of a token: which observers stand among them, how often, how deep; all of it bounded.

References are part of a token's id, so ids cannot form a cycle. Observers can: a token of A that rests, over any
number of steps, on a token of A with the same type and subject is a reflexive loop. How often the same observer
stands among the ancestors is its order. The set of ancestors is kept with each token, so that no emission has to walk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import NamedTuple

from toriwork.synthesis.identity import parse

Observer = tuple[str | None, str | None, str | None]  # source, type, subject

MANY_REFERENCES = 256  #: of one token that are followed, the first in the order of the id; the id has them all
MANY_OBSERVERS = 64  #: remembered per token, those of the highest order first
MANY_STEPS = 64  #: depth and order are counted up to here; what is more counts as so many


class Lineage(NamedTuple):
    """The observers among the ancestors of a token."""

    observers: Mapping[Observer, int]  #: among its ancestors, with the most that stand on one path
    order: int  #: how often the token's own observer stands among its ancestors
    depth: int  #: longest chain of references below it that is known
    n_cut: int = 0  #: references, observers and steps of its own that went over a bound


NONE = Lineage({}, 0, 0)  #: of a token without references

#: an ancestor that is known: its body, and what it rests on; None for a reference that leads nowhere yet
Find = Callable[[str], "tuple[bytes, Lineage] | None"]


def lineage_of(body: bytes, refs: Iterable[str], find: Find) -> Lineage:
    """The lineage of a token with these references, as far as its ancestors are known."""
    observers: dict[Observer, int] = {}
    depth = n_cut = 0
    pending = iter(refs)
    for ref in islice(pending, MANY_REFERENCES):
        parent = find(ref)
        if parent is None:
            continue
        parent_body, below = parent
        depth = max(depth, 1 + below.depth)
        observer = parse(parent_body).observer
        for name, count in below.observers.items():
            observers[name] = max(observers.get(name, 0), count)
        observers[observer] = max(observers.get(observer, 0), below.observers.get(observer, 0) + 1)
    n_cut += sum(1 for _ in pending) + (depth > MANY_STEPS)
    if len(observers) > MANY_OBSERVERS:
        n_cut += len(observers) - MANY_OBSERVERS
        ranked = sorted(observers.items(), key=lambda item: (-item[1], str(item[0])))
        observers = dict(ranked[:MANY_OBSERVERS])
    observers = {name: min(count, MANY_STEPS) for name, count in observers.items()}
    mine = parse(body).observer
    order = 0 if mine[:2] == (None, None) else observers.get(mine, 0)  # nobody in particular observes no loop
    return Lineage(observers, order, min(depth, MANY_STEPS), n_cut)
