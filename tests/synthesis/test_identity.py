"""Which token a measurement is: the same in every process, and recomputable by anybody."""

from __future__ import annotations

import copy
import datetime as dt
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.synthesis import oracles
from tests.synthesis.test_canonical import texts, values
from toriwork.errors import BadInput
from toriwork.synthesis import token_id
from toriwork.synthesis.identity import _shapes, identify
from toriwork.synthesis.identity import given as as_given

ROOT = Path(__file__).resolve().parents[2]

SPECTRAL = {"type": "origin_spectral", "source": "origin_sentry", "lambda_max": 0.05, "novelty": 0.7, "gap_birth": True}
#: frozen: a change here means that every token ever written has changed
GOLDEN = [
    pytest.param({}, "t1:acf143c2d41903f0069fcb2e8627959baeb77c8a", id="nothing measured"),
    pytest.param(SPECTRAL, "t1:39b6288fac690e2dc578102372c0f6685264f35c", id="a plain measurement"),
    pytest.param(
        {**SPECTRAL, "subject": "shape_0", "refs": ["t1:b", "t1:a", "t1:b"]},
        "t1:e430d1227f4bda5f9a6809d267a17946fb93e118",
        id="subject and references",
    ),
    pytest.param(
        {"bars": [[0.1, math.inf], [math.nan, -math.inf]], "n": 2**60, "$x": None, "ключ😀": "é", "tiny": 1e-7},
        "t1:3eee4837d701f0ab55d1763c3e86488bf3863702",
        id="everything that is tagged",
    ),
    pytest.param(
        {"cloud": np.arange(200.0).reshape(50, 4)}, "t1:ece9b29ee6822fa7a15e070e50bb68175c7be940", id="a large array"
    ),
]


@pytest.mark.parametrize(("measurement", "token"), GOLDEN)
def test_golden_tokens(measurement, token):
    assert token_id(measurement) == token


measurements = st.dictionaries(texts, values, max_size=5) | st.fixed_dictionaries(
    {},
    optional={
        "type": texts,
        "source": texts,
        "subject": texts,
        "refs": st.lists(texts),
        "timestamp": texts,
        "x": values,
    },
)


@given(
    measurements.filter(
        lambda m: not {"references"} & set(m) and all(ord(c) < 0xD800 for c in "".join(m.get("refs", [])))
    )
)
def test_anybody_can_recompute_it(measurement):
    if isinstance(measurement.get("refs", []), list):
        assert token_id(measurement) == oracles.token(measurement)


@given(st.dictionaries(texts.filter(lambda key: key not in ("refs", "references")), values, max_size=5))
def test_what_comes_back_is_the_same_measurement(measurement):
    identity = identify(measurement)
    assert token_id(as_given(identity.body, identity.given_time)) == identity.token


def test_it_is_the_same_in_every_process_whatever_the_hash_seed_and_the_order_of_keys():
    program = (
        "import json, math, numpy as np, sys\n"
        "from toriwork.synthesis import token_id\n"
        "m = {'type': 'x', 'values': np.linspace(0, 1, 7), 'n': np.int32(3), 'nested': {'b': 1, 'a': math.inf}}\n"
        "print(token_id(m), token_id(dict(reversed(m.items()))))"
    )
    tokens = set()
    for seed in ("0", "1", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT, env=environment
        )
        tokens |= set(done.stdout.split())
    plain = {"nested": {"a": math.inf, "b": 1.0}, "n": 3, "values": np.linspace(0, 1, 7).tolist(), "type": "x"}
    assert tokens == {token_id(plain)}


def test_time_is_no_part_of_it():
    assert token_id({**SPECTRAL, "timestamp": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}) == token_id(SPECTRAL)
    assert identify({"timestamp": dt.date(2026, 1, 2)}).given_time == "2026-01-02"
    assert identify({"timestamp": 17.5}).given_time == "17.5"


@pytest.mark.parametrize("part", ["type", "source", "subject"])
def test_type_source_and_subject_are(part):
    tokens = {token_id({"x": 1, **extra}) for extra in ({}, {part: "a"}, {part: "b"}, {f"{part}s": "a"})}
    assert len(tokens) == 4
    assert token_id({"x": 1, part: None}) == token_id({"x": 1})


@pytest.mark.parametrize(
    "named",
    [
        pytest.param({"refs": ["t1:a", "t1:b"]}, id="as a list"),
        pytest.param({"refs": ("t1:b", "t1:a", "t1:a")}, id="in another order, one twice"),
        pytest.param({"references": ["t1:a", "t1:b"]}, id="under the longer name"),
        pytest.param({"refs": "t1:a", "references": "t1:b"}, id="under both names"),
    ],
)
def test_references_are_a_set_within_the_identity(named):
    assert token_id({"x": 1, **named}) == token_id({"x": 1, "refs": ["t1:a", "t1:b"]})
    assert token_id({"x": 1, **named}) != token_id({"x": 1})


@pytest.mark.parametrize("bad", [5, [1], {"a": 1}, {"t1:a"}, b"t1:a", 10**5000, ["t1:a", 10**5000]], ids=range(7))
@pytest.mark.parametrize("name", ["refs", "references"])
def test_references_that_are_no_texts_are_refused_by_name(name, bad):
    with pytest.raises(BadInput, match=f"key '{name}'"):
        token_id({name: bad})


@pytest.mark.parametrize("key", ["type", "source", "subject", "timestamp", "x"])
def test_an_integer_that_python_does_not_write_is_refused_by_name(key):
    with pytest.raises(BadInput, match=f"key '{key}'"):
        token_id({"type": "t", key: 10**5000})


@pytest.mark.parametrize("bad", [None, 3, "text", [("a", 1)], np.zeros(3)])
def test_a_measurement_is_a_mapping(bad):
    with pytest.raises(BadInput, match="expected a mapping"):
        token_id(bad)


@pytest.mark.parametrize("others", [{}, {"source": "s"}], ids=["alone", "beside a text"])
def test_names_that_are_no_texts_are_not_taken_for_each_other(others):
    kinds = [1, True, "1", None, "true", ("a", "b"), ["a"], {"a": 1}, "a"]
    for _ in range(2):  # the second time some of them are remembered
        for kind in kinds:
            assert token_id({"type": kind, **others}) == oracles.token({"type": kind, **others})
    assert len({token_id({"type": kind, **others}) for kind in kinds}) == len(kinds)


def test_ever_new_names_are_written_as_the_first_ones_were_and_few_are_remembered():
    for n in range(500):
        measurement = {"source": "s", "subject": f"shape_{n % 200}" * (1 + n % 3 * 50), "n": 1}
        assert token_id(measurement) == oracles.token(measurement)
    ends = _shapes["source", "subject", "n"].ends
    assert 0 < len(ends) <= 64
    assert max(map(len, ends.values())) <= 256


def test_an_error_names_the_key_and_never_the_timestamp():
    with pytest.raises(BadInput, match=r"key 'deep\.er'"):
        token_id({"timestamp": object(), "deep": {"er": object()}})
    with pytest.raises(BadInput, match="key 'type'"):
        token_id({"type": object()})


def test_the_callers_dict_stays_as_it_is():
    measurement = {**SPECTRAL, "timestamp": 5, "refs": ["t1:b", "t1:a"], "array": np.ones(100), "nested": {"$a": [1]}}
    before = copy.deepcopy(measurement)
    token_id(measurement)
    assert list(measurement) == list(before)
    assert json.dumps(measurement, default=repr) == json.dumps(before, default=repr)
