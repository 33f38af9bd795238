from __future__ import annotations

import pytest

from tests.migrate.recipes.code import after, rewritten

CHANGES = [
    pytest.param(
        "class S:\n    def classify(self, e):\n        r = {'a': 1}\n        return r\n",
        'return emit_measurement(self, r, "origin_spectral")  # toriwork: observer_tokens\n',
        id="a name",
    ),
    pytest.param(
        "class G:\n    def check_eigenvalues(me, e):\n        return {  # the answer\n            'a': 1,\n        }\n",
        "return emit_measurement(me, {  # the answer\n            'a': 1,\n        }, \"curvature\")  # toriwork:",
        id="several lines, and self by another name",
    ),
    pytest.param(
        "class G:\n    def check_eigenvalues(self, e, s):\n        return (\n            make(e)\n        )\n",
        'return emit_measurement(self, (\n            make(e)\n        ), "curvature")',
        id="in brackets",
    ),
    pytest.param(
        "class B:\n    def record_event(self): ...\n    async def aggregate_once(self, s):\n        return {'a': 1}\n",
        '    @emitting("braid_summary")  # toriwork: observer_tokens\n    async def',
        id="async",
    ),
    pytest.param(
        "class C:\n    def trigger(self): ...\n    def step(self): ...\n    def _finish(self):\n"
        "        report = {'burst_id': 1, 'peak': 2}\n        report['x'] = 1\n        return True\n",
        "        report['x'] = 1\n"
        '        emit_measurement(self, report, "chaos_burst")  # toriwork: observer_tokens\n'
        "        return True\n",
        id="the report of a burst",
    ),
]


@pytest.mark.parametrize(("text", "wanted"), CHANGES)
def test_what_was_measured_is_emitted(tmp_path, text, wanted):
    result = after(tmp_path, text)
    assert wanted in result
    assert result.startswith("from python.core.observer_synthesis import emit")


def test_every_return_emits_but_one_of_nothing(tmp_path):
    text = "class S:\n    def classify(self, e):\n        if not e:\n            return None\n        return {'a': e}\n"
    assert after(tmp_path, text).count("emit_measurement(self") == 1


def test_a_function_inside_the_method_returns_as_before(tmp_path):
    text = "class S:\n    def classify(self, e):\n        def f():\n            return 1\n        return {'a': f()}\n"
    assert "            return 1\n" in after(tmp_path, text)


def test_a_name_that_is_taken_gets_an_alias(tmp_path):
    text = "emit_measurement = 3\n\n\nclass S:\n    def classify(self, e):\n        return {'a': 1}\n"
    result = after(tmp_path, text)
    assert "import emit_measurement as _tw_emit_measurement\n" in result
    assert "return _tw_emit_measurement(self, " in result


LEFT_ALONE = [
    pytest.param("class S:\n    def classify(self, e):\n        raise NotImplementedError\n", id="abstract"),
    pytest.param("class S(T):\n    def classify(self, e):\n        return super().classify(e)\n", id="its base emits"),
    pytest.param("class S(Protocol):\n    def classify(self, e): ...\n", id="a protocol"),
    pytest.param("def classify(e):\n    return {}\n", id="no monitor"),
]


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_what_does_not_measure_emits_nothing(tmp_path, text):
    found = rewritten(tmp_path, text)
    assert (found.after, found.manual) == (found.before, ())


MONITOR = "class B:\n    def record_event(self): ...\n"
TOLD = [
    pytest.param("class B:\n    def record_event(self):\n        pass\n", id="nothing measures"),
    pytest.param(f"{MONITOR}    def aggregate(self):\n        yield {{'a': 1}}\n", id="a generator"),
    pytest.param(f"{MONITOR}    def aggregate(self):\n        return 1, 2\n", id="no mapping"),
    pytest.param(
        f"{MONITOR}    def aggregate(self):\n        self.latest = {{'scale': 1}}\n", id="it keeps its summary"
    ),
    pytest.param("class S:\n    @property\n    def classify(self):\n        return {'a': 1}\n", id="a property"),
    pytest.param(
        "class C:\n    def trigger(self): ...\n    def step(self):\n        self.add({'burst_id': 1, 'peak': 2})\n",
        id="a report without a name",
    ),
]


@pytest.mark.parametrize("text", TOLD)
def test_a_monitor_whose_measuring_cannot_be_told_is_reported(tmp_path, text):
    found = rewritten(tmp_path, text)
    assert found.after == found.before
    (finding,) = found.manual
    assert (finding.recipe, finding.line) == ("observer_tokens", 1)
    assert "By hand: emit_measurement(self, result, " in finding.why
