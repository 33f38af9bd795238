"""The open objects of this process, and their fate at a fork, at exit and at an interrupt.

A room declares each kind of object that holds a lock, a file or rows in memory when it is imported. In a forked child
the kinds that were declared first come first: they drop what is the parent's. At exit the kinds that were declared last
close first, since they write through the others. An interrupt at exit ends the closing: recorded rows stay in the
journals, and whoever opens next publishes them. (An interrupt inside a call is the business of ``locks``.)

Objects are held weakly: one that nobody uses any more is collected as ever.
"""

from __future__ import annotations

import atexit
import logging
import os
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

_LOG = logging.getLogger("toriwork.lifetime")

T = TypeVar("T")


class Store(Protocol):
    """An open store: a registry, or the table behind it."""

    @property
    def path(self) -> Path: ...
    @property
    def closed(self) -> bool: ...
    def after_fork(self) -> None: ...
    def close(self) -> None: ...


S = TypeVar("S", bound=Store)


def at_fork(**calls: Callable[[], object]) -> None:
    """Have functions called around each fork: ``before``, ``after_in_parent``, ``after_in_child``."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(**calls)


class OpenObjects(Generic[T]):
    """The living objects of one kind.

    Parameters
    ----------
    after_fork
        Called with each of them in a forked child.
    at_exit
        Called with each of them at the end of the process.
    """

    def __init__(
        self, after_fork: Callable[[T], object] | None = None, at_exit: Callable[[T], object] | None = None
    ) -> None:
        self._objects: weakref.WeakSet[T] = weakref.WeakSet()
        if after_fork is not None:
            at_fork(after_in_child=partial(self._each, after_fork))
        if at_exit is not None:
            atexit.register(self._each, at_exit)

    def __iter__(self) -> Iterator[T]:
        return iter(list(self._objects))

    def add(self, opened: T) -> None:
        """Have an object looked after until it is discarded or collected."""
        self._objects.add(opened)

    def discard(self, closed: T) -> None:
        """Forget an object."""
        self._objects.discard(closed)

    def _each(self, call: Callable[[T], object]) -> None:
        for found in self:
            call(found)


class OpenStores(OpenObjects[S]):
    """The open stores of one kind.

    Parameters
    ----------
    close
        Called with each of them at the end of the process; an error is logged.
    """

    def __init__(self, close: Callable[[S], object]) -> None:
        super().__init__(_drop_inherited, self._close)
        self._how = close
        _KINDS.append(self)

    def _close(self, store: S) -> None:
        try:
            self._how(store)
        except Exception as error:  # noqa: BLE001 - the process ends: nobody can do more than read about it
            _LOG.warning("%s could not be closed cleanly; rows stay in the journals: %s", store.path, error)


_KINDS: list[OpenStores[Any]] = []


def open_stores() -> Iterator[Store]:
    """Yield every open store of this process, those that write through others first."""
    for kind in reversed(_KINDS):
        for store in kind:
            if not store.closed:
                yield store


def _drop_inherited(store: Store) -> None:
    store.after_fork()
