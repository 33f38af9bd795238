"""The one cache of cells: values by key, bounded in number and bytes, those used longest ago go first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

from toriwork.locks import Mutex


class BoundedCache:
    """Values of known size by key; safe to use from threads."""

    def __init__(self, max_bytes: int, max_items: float = float("inf")) -> None:
        self._max_bytes, self._max_items = max_bytes, max_items
        self._held: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self.n_bytes = 0
        self.after_fork()

    def after_fork(self) -> None:
        """In a child: a lock that no vanished thread holds."""
        self._lock = Mutex("_lock")

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._held

    def get(self, key: Hashable) -> Any:
        """The value, used just now; None when there is none."""
        with self._lock.alone():
            found = self._held.get(key)
            if found is None:
                return None
            self._held.move_to_end(key)
            return found[0]

    def put(self, key: Hashable, value: Any, n_bytes: int) -> None:
        """Keep a value, unless one is there or it alone is beyond the bounds."""
        with self._lock.alone():
            if key in self._held:
                return
            self._held[key] = value, n_bytes
            self.n_bytes += n_bytes
            while self._held and (len(self._held) > self._max_items or self.n_bytes > self._max_bytes):
                self.n_bytes -= self._held.popitem(last=False)[1][1]

    def drop(self, owner: object) -> None:
        """Forget every value whose key is a tuple that begins with this owner."""
        with self._lock.alone():
            for key in [key for key in self._held if isinstance(key, tuple) and key[0] is owner]:
                self.n_bytes -= self._held.pop(key)[1]

    def count(self, kind: type) -> int:
        """How many values are of one type."""
        with self._lock.alone():
            return sum(isinstance(value, kind) for value, _ in self._held.values())
