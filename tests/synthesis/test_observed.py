"""Code that observes itself: what is recorded, and that the code does what it did before."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import json
import logging
import math
import pickle
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toriwork.errors import BadInput
from toriwork.synthesis import ObserverSynthesis, emit_token, get_observer_synthesis, observe, observed
from toriwork.synthesis.digest import LONGEST_TEXT, digest_error, digest_result


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Tape:
    """An ObserverSynthesis of its own and a clock that the test moves."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.synthesis = ObserverSynthesis()
        self.observed = functools.partial(observed, synthesis=self.synthesis, clock=self.clock)
        self.observe = functools.partial(observe, synthesis=self.synthesis, clock=self.clock)

    @property
    def seen(self):
        """Every measurement, with its token, in the order of emission."""
        return [
            {**one.core.measurement, "type": one.core.type, "refs": list(one.core.refs), "token": one.token}
            for one in self.synthesis.occurrences()
        ]

    @property
    def only(self):
        (found,) = self.seen
        return found


@pytest.fixture
def tape():
    return Tape()


# ---- functions ---------------------------------------------------------------------------------------------------


def test_a_call_is_a_token_of_its_time_and_result(tape):
    @tape.observed(source="lab", type="mean", subject="shape_1")
    def mean(values, *, scale=1.0):
        """The mean."""
        tape.clock.now += 2.5
        return scale * sum(values) / len(values)

    assert mean([1, 2], scale=2.0) == 3.0
    (one,) = tape.synthesis.occurrences()
    assert one.core.observer == ("lab", "mean", "shape_1")
    assert one.core.measurement == {"duration_seconds": 2.5, "outcome": "returned", "result": 3.0}
    assert mean.__doc__ == "The mean."
    assert str(inspect.signature(mean)) == "(values, *, scale=1.0)"


def test_without_arguments_it_goes_by_the_names_of_the_function_to_the_shared_synthesis(state_root):
    @observed
    def work():
        return 1

    work()
    (one,) = get_observer_synthesis().occurrences()
    assert one.core.observer == (__name__, work.__qualname__, None)
    get_observer_synthesis().close()


def test_an_exception_goes_on_unchanged_and_is_told(tape):
    error, plain = ValueError("no good"), ValueError("no good")

    def fail_with(one):
        raise one

    with pytest.raises(ValueError, match="no good") as caught:
        fail_with(plain)
    with pytest.raises(ValueError, match="no good") as caught:
        tape.observed(fail_with)(error)
    assert caught.value is error
    assert error.__context__ is plain.__context__  # of what the caller may be handling; nothing was added
    assert tape.only["outcome"] == "raised"
    assert tape.only["error"] == {"type": "ValueError", "message": "no good"}


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, asyncio.CancelledError, GeneratorExit, StopIteration])
def test_every_exception_goes_on(tape, kind):
    @tape.observed
    def fail():
        raise kind

    with pytest.raises(kind):
        fail()
    assert tape.only["error"]["type"] == kind.__name__


class Probe:
    """Methods of each sort; the decorator is put on in the tests."""

    factor = 3

    def plain(self, x):
        return self.factor * x

    @classmethod
    def of_class(cls, x):
        return cls.factor * x

    @staticmethod
    def static(x):
        return x


def test_methods_of_each_sort_are_bound_as_before(tape):
    class Observed:
        factor = 3
        plain = tape.observed(Probe.__dict__["plain"])
        of_class = tape.observed(Probe.__dict__["of_class"])
        static = tape.observed(Probe.__dict__["static"])
        below = classmethod(tape.observed(Probe.__dict__["of_class"].__func__))

    probe = Observed()
    assert [probe.plain(2), probe.of_class(2), Observed.of_class(2), probe.static(2), Observed.static(2)] == [
        6,
        6,
        6,
        2,
        2,
    ]
    assert Observed.below(2) == 6
    assert {found["type"] for found in tape.seen} == {"Probe.plain", "Probe.of_class", "Probe.static"}


@observed
def at_module_level(x):
    return x


def test_an_observed_function_can_be_pickled():
    assert pickle.loads(pickle.dumps(at_module_level)) is at_module_level


def test_a_partial_function_can_be_observed(tape):
    assert tape.observed(functools.partial(pow, 2))(5) == 32
    assert tape.only["type"] == "partial"


async def each():
    yield 1


@pytest.mark.parametrize("wrong", [each, int, Probe, 3, "name", property(lambda self: 1)])
def test_what_is_no_function_is_refused(wrong):
    with pytest.raises(BadInput, match="a function"):
        observed(wrong)


def test_a_failure_to_record_changes_nothing_and_is_logged(tape, caplog):
    @tape.observed(digest=lambda value: object())
    def work():
        return 1

    assert work() == 1
    assert tape.seen == []
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_a_summary_that_fails_is_told_instead(tape):
    @tape.observed(digest=lambda value: 1 / 0)
    def work():
        return 1

    assert work() == 1
    assert tape.only["result"] == {
        "kind": "int",
        "summary_failed": {"type": "ZeroDivisionError", "message": "division by zero"},
    }


# ---- coroutines, generators --------------------------------------------------------------------------------------


def test_a_coroutine_is_observed_while_it_runs(tape):
    @tape.observed
    async def work(x):
        tape.clock.now += 1.0
        await asyncio.sleep(0)
        tape.clock.now += 1.0
        return x

    assert inspect.iscoroutinefunction(work)
    assert asyncio.run(work(4)) == 4
    assert (tape.only["result"], tape.only["duration_seconds"]) == (4, 2.0)


def test_a_cancelled_coroutine_is_cancelled(tape):
    @tape.observed
    async def work():
        await asyncio.sleep(60)

    async def main():
        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert tape.only["error"]["type"] == "CancelledError"


def echo():
    """A generator that gives back what it is sent, catches ValueError, and returns how often it went round."""
    given = None
    for n in range(100):
        try:
            given = yield given
        except ValueError as error:
            given = f"caught {error}"
        if given == "stop":
            return n
    return None


def conversation(generator):
    """All that can be done with a generator, and what came of it."""
    said = [next(generator), generator.send(1), generator.throw(ValueError("x")), generator.send(2)]
    try:
        generator.send("stop")
    except StopIteration as end:
        said.append(end.value)
    return said


def test_a_generator_does_what_it_did_and_is_one_token(tape):
    watched = tape.observed(echo)
    assert inspect.isgeneratorfunction(watched)
    assert conversation(watched()) == conversation(echo())
    assert (tape.only["items"], tape.only["outcome"]) == (4, "returned")


@given(st.lists(st.one_of(st.integers(), st.sampled_from(["stop", ValueError, KeyError, "close"])), max_size=8))
def test_whatever_is_sent_and_thrown_an_observed_generator_answers_like_the_plain_one(steps):
    def talk(generator):
        said = []
        try:
            said.append(next(generator))
            for step in steps:
                if step == "close":
                    said.append(generator.close())
                elif isinstance(step, type):
                    said.append(generator.throw(step("thrown")))
                else:
                    said.append(generator.send(step))
        except (StopIteration, ValueError, KeyError) as error:
            said.append((type(error), error.args))
        return said

    tape = Tape()
    assert talk(tape.observed(echo)()) == talk(echo())
    assert len(tape.seen) <= 1


def test_a_generator_counts_only_its_own_time(tape):
    @tape.observed
    def items():
        for _ in range(3):
            tape.clock.now += 1.0
            yield

    for _ in items():
        tape.clock.now += 10.0
    assert tape.only["duration_seconds"] == 3.0


def test_a_generator_that_is_left_early_is_closed(tape):
    ended = []

    @tape.observed
    def items():
        try:
            yield from range(10)
        finally:
            ended.append(True)

    generator = items()
    next(generator)
    generator.close()
    assert ended == [True]
    assert (tape.only["outcome"], tape.only["items"]) == ("closed", 1)
    items()  # never started: nothing was measured
    assert len(tape.seen) == 1


def test_a_generator_that_fails_is_told(tape):
    @tape.observed
    def items():
        yield 1
        raise KeyError("k")

    with pytest.raises(KeyError):
        list(items())
    assert (tape.only["outcome"], tape.only["items"], tape.only["error"]["type"]) == ("raised", 1, "KeyError")


# ---- blocks ------------------------------------------------------------------------------------------------------


def test_a_block_is_a_token_of_what_was_recorded_in_it(tape):
    with tape.observe("lab", type="scan", subject="s") as seen:
        tape.clock.now += 1.5
        seen.record(points=np.zeros((50, 3)), scale=0.5)
        seen.record(scale=0.7)
        assert seen.token is None
    assert seen.token == tape.only["token"]
    assert tape.only["values"] == {"points": {"kind": "ndarray", "dtype": "float64", "shape": [50, 3]}, "scale": 0.7}
    assert tape.only["duration_seconds"] == 1.5
    assert "result" not in tape.only


def test_a_block_that_raises_says_so_and_lets_go(tape):
    error = ValueError("x")

    def fail():
        with tape.observe("lab") as seen:
            seen.record(before=1)
            raise error

    with pytest.raises(ValueError, match="x") as caught:
        fail()
    assert caught.value is error
    assert (tape.only["outcome"], tape.only["values"]) == ("raised", {"before": 1})


def test_a_block_is_entered_once(tape):
    block = tape.observe("lab")
    with block:
        pass
    with pytest.raises(BadInput, match="once"), block:
        pass


# ---- what rests on what ------------------------------------------------------------------------------------------


def test_what_is_observed_inside_is_what_the_outer_one_rests_on(tape):
    @tape.observed
    def inner(x):
        return x

    with tape.observe("lab", type="outer"), tape.observe("lab", type="middle"):
        inner(1)
        inner(2)
    one, two, middle, outer = tape.seen
    assert one["refs"] == two["refs"] == []
    assert middle["refs"] == sorted([one["token"], two["token"]])
    assert outer["refs"] == [middle["token"]]


def test_explicit_references_beat_what_was_observed_inside(tape):
    with tape.observe("lab", type="outer", refs=["t1:given"]), tape.observe("lab", type="inner"):
        pass
    assert tape.seen[1]["refs"] == ["t1:given"]
    with tape.observe("lab", type="later") as seen:
        with tape.observe("lab", type="inner again"):
            pass
        seen.refs = []
    assert tape.seen[-1]["refs"] == []


def test_a_token_of_ones_own_can_be_rested_on(tape):
    with tape.observe("lab") as seen:
        seen.rest_on(tape.synthesis.emit_token({"x": 1}))
    assert tape.seen[-1]["refs"] == [tape.seen[0]["token"]]


def test_an_observation_that_failed_is_rested_on_too(tape):
    with tape.observe("lab", type="outer"), pytest.raises(ValueError, match="x"), tape.observe("lab", type="inner"):
        raise ValueError("x")
    assert tape.seen[1]["refs"] == [tape.seen[0]["token"]]


def test_references_are_bounded_and_the_rest_is_counted(tape):
    with tape.observe("lab", type="outer"):
        for n in range(100):
            with tape.observe("lab", type=f"inner {n}"):
                pass
    assert len(tape.seen[-1]["refs"]) == 64
    assert tape.seen[-1]["inner_left_out"] == 36


def test_what_runs_between_two_items_is_not_inside_the_generator(tape):
    @tape.observed
    def items():
        with tape.observe("lab", type="inside"):
            pass
        yield 1

    with tape.observe("lab", type="outer"):
        for _ in items():
            with tape.observe("lab", type="between"):
                pass
    by_type = {found["type"].rpartition(".")[2]: found for found in tape.seen}
    assert by_type["items"]["refs"] == [by_type["inside"]["token"]]
    assert by_type["outer"]["refs"] == sorted([by_type["between"]["token"], by_type["items"]["token"]])


def test_tasks_rest_under_the_one_that_started_them_and_never_under_each_other(tape):
    @tape.observed
    async def leaf(n):
        await asyncio.sleep(0)
        return n

    @tape.observed
    async def branch(n):
        await asyncio.gather(leaf(10 * n), leaf(10 * n + 1))
        return n

    @tape.observed
    async def root():
        await asyncio.gather(branch(1), branch(2))

    asyncio.run(root())
    results = {found["token"]: found["result"] for found in tape.seen}
    rests = {found["result"]: sorted(results[ref] for ref in found["refs"]) for found in tape.seen if found["refs"]}
    assert rests == {1: [10, 11], 2: [20, 21], None: [1, 2]}


def test_a_thread_is_inside_nothing_unless_it_is_given_the_context(tape):
    def work(name):
        with tape.observe("lab", type=name):
            pass

    with tape.observe("lab", type="outer"):
        for target in (
            functools.partial(work, "bare"),
            functools.partial(contextvars.copy_context().run, work, "given"),
        ):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
    by_type = {found["type"]: found for found in tape.seen}
    assert by_type["outer"]["refs"] == [by_type["given"]["token"]]


def test_a_block_in_a_generator_that_goes_on_in_another_context_does_no_harm(tape):
    def items():
        with tape.observe("lab"):
            yield 1
            yield 2

    generator = items()
    assert contextvars.copy_context().run(next, generator) == 1
    assert contextvars.copy_context().run(list, generator) == [2]
    assert tape.only["outcome"] == "returned"


def test_loops_are_found_among_observations(tape):
    def again(n):
        with tape.observe("lab", type="recursion"):
            if n:
                again(n - 1)

    again(3)
    assert tape.synthesis.metrics["reflexive_loops"] == 3


# ---- what is kept of a result ------------------------------------------------------------------------------------


class Odd:
    def __len__(self):
        raise AssertionError("nobody asked for it")

    __iter__ = __repr__ = __str__ = __len__


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (None, None),
        (True, True),
        (0.5, 0.5),
        (np.float32(0.5), 0.5),
        (np.int8(3), 3),
        (2**64 - 1, 2**64 - 1),
        pytest.param(2**20_000, {"kind": "int", "bits": 20_001}, id="huge"),
        ("text", "text"),
        ("x" * 201, {"kind": "str", "length": 201, "start": "x" * 200}),
        ("\ud800", "\\ud800"),
        ([1, (2, [3, [4]])], [1, [2, {"kind": "list", "length": 2}]]),
        ({"a": {"b": {"c": 1}}}, {"a": {"b": {"kind": "dict", "length": 1}}}),
        ({1: 2}, {"kind": "dict", "length": 1}),
        (list(range(17)), {"kind": "list", "length": 17}),
        ({1, 2}, {"kind": "set", "length": 2}),
        (b"abc", {"kind": "bytes", "length": 3}),
        (np.arange(3), {"kind": "ndarray", "dtype": "int64", "shape": [3], "values": [0, 1, 2]}),
        (np.zeros((40, 2)), {"kind": "ndarray", "dtype": "float64", "shape": [40, 2]}),
        (np.array(["a"]), {"kind": "ndarray", "dtype": "<U1", "shape": [1]}),
        (np.complex128(1), {"kind": "ndarray", "dtype": "complex128", "shape": []}),
        pytest.param(Odd(), {"kind": "Odd"}, id="odd"),
    ],
)
def test_what_is_kept(value, kept):
    assert digest_result(value) == kept
    assert json.dumps(digest_result(value))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.complex_numbers(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner, inner),
    max_leaves=60,
)


@given(anything)
def test_whatever_comes_back_its_summary_is_small_and_can_be_emitted(value):
    kept = digest_result(value)
    assert len(json.dumps(kept)) < 16 * 16 * 16 * LONGEST_TEXT
    assert ObserverSynthesis().emit_token({"result": kept})


def test_infinity_stays_what_it_is():
    assert digest_result(-math.inf) == -math.inf


def test_an_error_is_kept_whatever_its_message():
    class Rude(Exception):
        def __str__(self):
            raise RuntimeError

    assert digest_error(Rude()) == {
        "type": "test_an_error_is_kept_whatever_its_message.<locals>.Rude",
        "message": "its message cannot be read: RuntimeError",
    }
    assert len(digest_error(ValueError("x" * 10_000))["message"]) == LONGEST_TEXT


def test_emitting_inside_stays_possible(state_root):
    @observed
    def work():
        return emit_token({"x": 1})

    assert work().startswith("t1:")
    get_observer_synthesis().close()
