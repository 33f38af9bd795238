"""One text per value: that of RFC 8785, with tags for what JSON lacks."""

from __future__ import annotations

import enum
import math
import struct
from collections import OrderedDict, namedtuple
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.synthesis import oracles
from toriwork.errors import BadInput
from toriwork.synthesis.canonical import canonical, read, restore

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
any_double = st.binary(min_size=8, max_size=8).map(lambda raw: struct.unpack("<d", raw)[0])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | any_double | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200)
@given(values)
@example({"€": 1, "\r": 2, "דּ": 3, "1": 4, "😀": 5, "\x80": 6, "ö": 7})  # RFC 8785, sect. 3.2.3
@example([333333333.33333329, 1e30, 4.50, 2e-3, 1e-27])  # sect. 3.2.2
@example({"😀": 1, "\uffff": 2, "$a": 3, "$": 4, "%": 5, "#": 6})
@example('\x00\x1f\x7f\u2028"\\\b\f\n\r\t/')
def test_it_is_the_text_of_rfc_8785(value):
    assert canonical(value).encode() == oracles.canonical(value)


@settings(max_examples=200)
@given(st.floats(allow_nan=False, allow_infinity=False) | any_double.filter(math.isfinite))
@example(1e21)
@example(999999999999999868928.0)
@example(1e-6)
@example(9.999e-7)
@example(9.5e-5)
@example(5e-324)
@example(-0.0)
@example(9007199254740993.0)
@example(1e16)
@example(123e17)
def test_numbers_are_written_as_ecmascript_writes_them(number):
    assert canonical(number).encode() == oracles.canonical(number)
    assert canonical({"k": number}).encode() == oracles.canonical({"k": number})
    assert float(read(canonical(number))) == number


@pytest.mark.parametrize(
    ("plain", "alike"),
    [
        pytest.param(1, 1.0, id="an integer and its double"),
        pytest.param(0.0, -0.0, id="two zeros"),
        pytest.param([1, 2], (1, 2), id="list and tuple"),
        pytest.param(0.1, np.float64(0.1), id="NumPy double"),
        pytest.param(float(np.float32(0.1)), np.float32(0.1), id="NumPy single, widened exactly"),
        pytest.param(7, np.int16(7), id="NumPy integer"),
        pytest.param(2**63 + 1, np.uint64(2**63 + 1), id="large NumPy integer"),
        pytest.param(True, np.bool_(True), id="NumPy bool"),
        pytest.param("a", np.str_("a"), id="NumPy text"),
        pytest.param(math.nan, np.float32("nan"), id="NumPy NaN"),
        pytest.param([[1, 2], [3, 4]], np.array([[1, 2], [3, 4]]), id="small array"),
        pytest.param([1.0, math.inf], np.array([1.0, np.inf], dtype=">f4"), id="small big-endian array"),
        pytest.param(3, np.array(3), id="array without axes"),
        pytest.param([], np.zeros(0), id="empty array"),
        pytest.param([0.5] * 64, np.full(64, 0.5), id="the largest small array"),
        pytest.param({"a": 1, "b": 2}, OrderedDict([("b", 2), ("a", 1)]), id="another order of keys"),
        pytest.param({"a": 1}, MappingProxyType({"a": 1}), id="another mapping"),
        pytest.param([1, 2], namedtuple("Pair", "x y")(1, 2), id="named tuple"),
        pytest.param(2, enum.IntEnum("Kind", ["A", "B"]).B, id="integer enumeration"),
        pytest.param("up", enum.StrEnum("Way", {"UP": "up"}).UP, id="text enumeration"),
    ],
)
def test_what_means_the_same_is_written_the_same(plain, alike):
    assert canonical(alike) == canonical(plain)
    assert canonical({"k": [alike]}) == canonical({"k": [plain]})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(1, True, id="one and true"),
        pytest.param(0, None, id="zero and null"),
        pytest.param("1", 1, id="text and number"),
        pytest.param(2**53, 2.0**53, id="an integer that is not known exactly and a double"),
        pytest.param(math.inf, "inf", id="infinity and its name"),
        pytest.param(math.inf, {"$f": "inf"}, id="infinity and its tag"),
        pytest.param("é", "e\u0301", id="composed and decomposed"),
        pytest.param({"$a": 1}, {"$$a": 1}, id="one and two dollars"),
    ],
)
def test_what_differs_is_written_differently(one, other):
    assert canonical(one) != canonical(other)


def test_the_four_that_others_mix_up_stay_four():
    assert len({canonical({"death": value}) for value in (math.nan, math.inf, -math.inf, None)}) == 4


@pytest.mark.parametrize(
    "variant",
    [
        pytest.param(lambda a: a.astype(">f8"), id="other byte order"),
        pytest.param(np.asfortranarray, id="other memory order"),
        pytest.param(lambda a: np.repeat(a, 2, axis=0)[::2], id="not contiguous"),
        pytest.param(lambda a: np.where(a == 0, -0.0, a), id="minus zero"),
    ],
)
def test_a_large_array_is_known_by_its_content(variant):
    array = np.arange(200.0).reshape(50, 4)
    assert canonical(variant(array)) == canonical(array)


@pytest.mark.parametrize(
    "variant",
    [
        pytest.param(lambda a: a.reshape(4, 50), id="other shape"),
        pytest.param(lambda a: a.astype(np.float32), id="other dtype"),
        pytest.param(lambda a: a + 1e-12, id="other values"),
        pytest.param(lambda a: a.tolist(), id="a list"),
    ],
)
def test_another_large_array_is_another_value(variant):
    array = np.arange(200.0).reshape(50, 4)
    assert canonical(variant(array)) != canonical(array)


def test_every_nan_is_one_nan():
    nans = np.frombuffer(struct.pack("<2Q", 0x7FF8000000000001, 0xFFF8000000000000) * 50, "<f8")
    assert canonical(nans) == canonical(np.full(100, np.nan))


class Thing:
    def __repr__(self):
        return "a thing"


@pytest.mark.parametrize(
    ("value", "key"),
    [
        pytest.param({"a": {"b": [0, {1, 2}]}}, "a.b[1]", id="a set"),
        pytest.param({"a": b"raw"}, "a", id="bytes"),
        pytest.param({"a": 1j}, "a", id="a complex number"),
        pytest.param({"a": np.complex64(1j)}, "a", id="a NumPy complex number"),
        pytest.param({"a": np.longdouble(1)}, "a", id="a long double"),
        pytest.param({"a": np.ma.masked_array([1, 2], [0, 1])}, "a", id="a masked array"),
        pytest.param({"a": np.zeros(100, dtype=complex)}, "a", id="a large complex array"),
        pytest.param({"a": np.full(100, None)}, "a", id="a large object array"),
        pytest.param({"a": np.datetime64("2026-01-01")}, "a", id="a NumPy date"),
        pytest.param({"a": [Thing()]}, "a[0]", id="an object"),
        pytest.param({"a": {"b": "\ud800"}}, "a.b", id="a lone surrogate"),
        pytest.param({"a": {1: 2}}, "a", id="a key that is no text"),
        pytest.param({"a": {"b": 10**5000}}, "a.b", id="an integer of 5,000 digits"),
        pytest.param({"a": [-(10**4300)]}, "a[0]", id="an integer of one digit too many"),
        pytest.param({"a": {10**5000: 2}}, "a", id="such an integer as a key"),
        pytest.param({"a": {10**5000}}, "a", id="a set of such an integer"),
        pytest.param({"a": np.full(100, 10**5000)}, "a", id="a large array of such integers"),
        pytest.param({"a": np.full(2, 10**5000)}, "a[0]", id="a small array of such integers"),
        pytest.param({"a": {1: 2, "b": 3}}, "a", id="keys of two kinds"),
        pytest.param({"a": {None: 2}}, "a", id="null as a key"),
        pytest.param({"a": {"😀": 1, 1: 2}}, "a", id="a wide key beside a number"),
        pytest.param({"a": {"😀": {3}}}, "a.😀", id="a set under a wide key"),
    ],
)
def test_what_has_no_form_is_refused_with_its_key(value, key):
    with pytest.raises(BadInput) as refused:
        canonical(value)
    assert f"key '{key}" in str(refused.value)


def test_a_key_with_a_lone_surrogate_is_refused():
    with pytest.raises(BadInput, match="surrogate"):
        canonical({"\ud800": 1})


def test_what_holds_itself_is_refused():
    loop: list = []
    loop.append(loop)
    with pytest.raises(BadInput, match="holds itself"):
        canonical({"a": loop})


@given(values)
def test_what_was_written_comes_back_and_is_written_alike(value):
    text = canonical(value)
    assert canonical(restore(read(text))) == text
