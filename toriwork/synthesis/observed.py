"""Code that observes itself: the duration, result and exception of a function or a block become a token.

The token of an outer observation refers to those inside it, unless references are given: a context variable carries the
outer one through calls, tasks and generators. Recording never changes what the code does.
"""

from __future__ import annotations

import functools
import inspect
import logging
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from toriwork.errors import BadInput, ToriworkError
from toriwork.synthesis.digest import digest_error, digest_result
from toriwork.synthesis.shared import get_observer_synthesis

if TYPE_CHECKING:
    from types import TracebackType

    from toriwork.synthesis.observer import ObserverSynthesis

_LOG = logging.getLogger("toriwork.synthesis")
_MOST_INNER = 64  # observations that one rests on; the others are counted
_outer: ContextVar[Observation | None] = ContextVar("toriwork_observation", default=None)

_F = TypeVar("_F", bound=Callable[..., Any])
Refs = str | Sequence[str] | None


@dataclass(frozen=True, slots=True)
class _Setup:
    source: str | None
    type: str | None
    subject: str | None
    refs: Refs
    synthesis: ObserverSynthesis | None
    clock: Callable[[], float]
    digest: Callable[[Any], Any]


class Observation:
    """A block that is being observed, as ``with observe(...) as seen:`` gives it; see :func:`observe`."""

    def __init__(self, setup: _Setup) -> None:
        self._setup = setup
        self._seconds = 0.0
        self._inner: list[str] = []
        self._n_inner = 0
        self._values: dict[str, Any] = {}
        self._result: tuple[Any, ...] = ()
        self._parent: Observation | None = None
        self._begun = False
        self._running: Any = None
        self.refs: Refs = setup.refs  #: what the token refers to; None: to what was observed inside
        self.token: str | None = None  #: once the block has ended and was recorded

    def record(self, **values: Any) -> None:
        """Put summaries of these values into the token; a later value replaces an earlier one of the same name."""
        self._values |= {name: self._digest(value) for name, value in values.items()}

    def rest_on(self, token: str) -> None:
        """Make the token refer to another one, beside those observed inside."""
        self._n_inner += 1
        if len(self._inner) < _MOST_INNER:
            self._inner.append(token)

    def __enter__(self) -> Observation:
        if self._begun:
            raise BadInput("observe: an observation is entered once; observe again for the next block")
        self._running = self.running()
        self._running.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.__exit__(None, None, None)
        self.finish(error)

    def returning(self, result: Any) -> Any:
        """The result itself, a summary of which will be in the token."""
        self._result = (result,)
        return result

    @contextmanager
    def running(self) -> Iterator[None]:
        """A context in which time counts, and whose observations are inside this one."""
        outer = _outer.get()
        if not self._begun:
            self._parent, self._begun = outer, True
        before = _outer.set(self)
        start = self._setup.clock()
        try:
            yield
        finally:
            self._seconds += self._setup.clock() - start
            try:
                _outer.reset(before)
            except ValueError:  # a generator of the caller's went on in another context
                _outer.set(outer)

    def finish(self, error: BaseException | None = None, *, closed: bool = False, **said: Any) -> None:
        """Emit the token; a failure to do so is logged, for it is not one of the code that was observed."""
        setup = self._setup
        outcome = "raised" if error is not None else "closed" if closed else "returned"
        measurement: dict[str, Any] = {"duration_seconds": self._seconds, "outcome": outcome, **said}
        if self._result and error is None:
            measurement["result"] = self._digest(self._result[0])
        if error is not None:
            measurement["error"] = digest_error(error)
        if self._values:
            measurement["values"] = self._values
        if self.refs is None and self._n_inner > len(self._inner):
            measurement["inner_left_out"] = self._n_inner - len(self._inner)
        named = {"source": setup.source, "type": setup.type, "subject": setup.subject}
        measurement |= {name: value for name, value in named.items() if value is not None}
        measurement["refs"] = self._inner if self.refs is None else self.refs
        try:
            self.token = (setup.synthesis or get_observer_synthesis()).emit_token(measurement)
        except ToriworkError:
            _LOG.exception("An observation of %s could not be recorded", setup.type)
            return
        if self._parent is not None:
            self._parent.rest_on(self.token)

    def _digest(self, value: Any) -> Any:
        try:
            return self._setup.digest(value)
        except Exception as error:  # noqa: BLE001 - somebody's summary; the code that was observed is not to blame
            return {"kind": type(value).__qualname__, "summary_failed": digest_error(error)}


def observe(
    source: str | None = None,
    *,
    type: str | None = None,  # noqa: A002 - the key of the measurement
    subject: str | None = None,
    refs: Refs = None,
    synthesis: ObserverSynthesis | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Observation:
    """A context manager that emits a token of how long its block took, how it ended, and what was recorded in it.

    The token holds ``duration_seconds``, ``outcome`` ("returned" or "raised"), ``values`` (what ``record`` was given)
    and ``error`` (type and message); the exception goes on unchanged. It refers to what was observed inside.

    Parameters
    ----------
    source, type, subject : str, optional
        Who observes what of which.
    refs : str or sequence of str, optional
        Token ids; instead of what is observed inside.
    synthesis : ObserverSynthesis, optional
        Where the token is emitted; the shared one of the state root unless given.
    clock : callable
        Seconds that never go back.

    Examples
    --------
    >>> from toriwork import ObserverSynthesis, observe
    >>> observers = ObserverSynthesis()
    >>> with observe("lab", type="scan", synthesis=observers) as seen:
    ...     seen.record(temperature=21.5)
    >>> [one.core.measurement["values"] for one in observers.occurrences()]
    [{'temperature': 21.5}]
    """
    return Observation(_Setup(source, type, subject, refs, synthesis, clock, digest_result))


@overload
def observed(function: _F, /) -> _F: ...
@overload
def observed(
    *,
    source: str | None = None,
    type: str | None = None,
    subject: str | None = None,
    refs: Refs = None,
    synthesis: ObserverSynthesis | None = None,
    clock: Callable[[], float] = time.perf_counter,
    digest: Callable[[Any], Any] = digest_result,
) -> Callable[[_F], _F]: ...
def observed(
    function: Any = None,
    /,
    *,
    source: str | None = None,
    type: str | None = None,  # noqa: A002 - the key of the measurement
    subject: str | None = None,
    refs: Refs = None,
    synthesis: ObserverSynthesis | None = None,
    clock: Callable[[], float] = time.perf_counter,
    digest: Callable[[Any], Any] = digest_result,
) -> Any:
    """A decorator under which each call emits a token: ``duration_seconds``, ``outcome``, ``result`` or ``error``.

    For functions, methods, class and static methods, coroutines and generators; name, signature and documentation stay.
    A generator is one observation from its first item to its end: the token has the
    number of ``items``, the time that it spent itself, and the outcome "closed" if it was not run to the end.

    Parameters
    ----------
    function : callable, optional
        Given where the decorator is used without arguments.
    source, type, subject : str, optional
        The module and the qualified name of the function unless given; no subject.
    refs, synthesis, clock
        See :func:`observe`.
    digest : callable
        Gives the summary of a result, :func:`toriwork.synthesis.digest.digest_result` unless said otherwise.

    Raises
    ------
    BadInput
        It is put on something else: a class, an asynchronous generator.

    Examples
    --------
    >>> from toriwork import ObserverSynthesis, observed
    >>> observers = ObserverSynthesis()
    >>> @observed(source="lab", type="mean", synthesis=observers)
    ... def mean(values):
    ...     return sum(values) / len(values)
    >>> mean([1.0, 2.0])
    1.5
    >>> [one.core.measurement["result"] for one in observers.occurrences()]
    [1.5]
    """
    setup = _Setup(source, type, subject, refs, synthesis, clock, digest)
    if function is None:
        return functools.partial(_observed, setup=setup)
    return _observed(function, setup=setup)


def _observed(function: Any, setup: _Setup) -> Any:
    if isinstance(function, classmethod | staticmethod):
        return function.__class__(_observed(function.__func__, setup))
    if not callable(function) or inspect.isclass(function) or inspect.isasyncgenfunction(function):
        raise BadInput(f"observed: expected a function, a method, a coroutine or a generator, got {function!r:.80}")
    setup = replace(
        setup,
        source=setup.source or getattr(function, "__module__", None),
        type=setup.type or getattr(function, "__qualname__", function.__class__.__qualname__),
    )
    if inspect.isgeneratorfunction(function):
        return _generator(function, setup)
    return _coroutine(function, setup) if inspect.iscoroutinefunction(function) else _function(function, setup)


def _function(function: Callable[..., Any], setup: _Setup) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with Observation(setup) as seen:
            return seen.returning(function(*args, **kwargs))

    return call


def _coroutine(function: Callable[..., Any], setup: _Setup) -> Callable[..., Any]:
    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        with Observation(setup) as seen:
            return seen.returning(await function(*args, **kwargs))

    return call


def _generator(function: Callable[..., Any], setup: _Setup) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        seen, inner, n_items = Observation(setup), function(*args, **kwargs), 0
        step, given = inner.send, cast("Any", None)
        try:
            while True:
                with seen.running():
                    item = step(given)
                n_items += 1
                try:
                    step, given = inner.send, (yield item)
                except GeneratorExit:
                    with seen.running():
                        inner.close()
                    seen.finish(closed=True, items=n_items)
                    return None
                except BaseException as error:  # noqa: BLE001 - the caller throws it into the inner generator
                    step, given = inner.throw, error
        except StopIteration as end:
            seen.finish(items=n_items)
            return end.value
        except BaseException as error:
            seen.finish(error, items=n_items)
            raise

    return call
