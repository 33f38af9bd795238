"""The size of a context: items, characters, or tokens as a counter of the caller counts them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from toriwork.errors import BadInput

CHARACTERS_PER_TOKEN = 4  #: of ordinary English text; within about 30 % of what tokenisers count


def about_tokens(text: str) -> int:
    """A fourth of the characters of a text, rounded up: what it costs where no counter was given."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that a context may cost; every limit that is given holds for the whole text, fences included.

    Raises
    ------
    BadInput
        A limit is negative or no integer, or a counter is given without a number of tokens.
    """

    items: int | None = None  #: measurements
    characters: int | None = None  #: of the text, which is ASCII: bytes too
    tokens: int | None = None  #: as the counter counts them
    #: from a text to an integer, a fourth of the characters unless given; where more text counts less, the budget still
    #: holds but may not be used up
    counter: Callable[[str], int] | None = None

    def __post_init__(self) -> None:
        for unit, limit in self.limits.items():
            _check(unit, limit)
        if self.counter is not None and self.tokens is None:
            raise BadInput("budget: a counter needs a number of tokens")

    @property
    def limits(self) -> dict[str, int]:
        """Unit -> limit, of the units that are limited."""
        named = {"items": self.items, "characters": self.characters, "tokens": self.tokens}
        return {unit: limit for unit, limit in named.items() if limit is not None}

    def cost(self, text: str, n_items: int) -> dict[str, int]:
        """Unit -> what a text with so many measurements costs; items and characters always, tokens if limited."""
        found = {"items": n_items, "characters": len(text)}
        if self.tokens is not None:
            found["tokens"] = int((self.counter or about_tokens)(text))
        return found

    def holds(self, text: str, n_items: int) -> bool:
        """True when a text with so many measurements is within every limit."""
        if self.items is not None and n_items > self.items:
            return False
        if self.characters is not None and len(text) > self.characters:
            return False
        return self.tokens is None or (self.counter or about_tokens)(text) <= self.tokens


def _check(unit: str, limit: object) -> None:
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
        raise BadInput(f"budget: {unit}: expected an integer of at least 0, got {limit!r}")
