"""What comes in is either usable as it is, or refused with a message that names the place."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from toriwork.checks import BANDS, check_band, check_points, metadata_text
from toriwork.errors import BadInput

DEEP: list = []
for _ in range(100_000):
    DEEP = [DEEP]
LOOP: dict = {}
LOOP["itself"] = LOOP


class TestPoints:
    @pytest.mark.parametrize(
        "points",
        [
            pytest.param([[0, 1], [2, 3]], id="nested lists of integers"),
            pytest.param(np.zeros((4, 3), np.float32), id="float32"),
            pytest.param(np.zeros((4, 3), np.float16, order="F"), id="half precision, Fortran order"),
            pytest.param(np.zeros((4, 3), ">f8"), id="big-endian"),
            pytest.param(np.array([[True, False]]), id="booleans"),
            pytest.param(np.zeros((0, 3)), id="no point at all, in three dimensions"),
            pytest.param(np.zeros((0, 0)), id="no point and no dimension"),
            pytest.param(pd.DataFrame({"x": [1.0], "y": [2.0]}), id="a DataFrame"),
            pytest.param(np.ma.array([[1.0, 2.0]], mask=False), id="a masked array that masks nothing"),
        ],
    )
    def test_real_matrices_come_back_as_float64_in_c_order(self, points):
        cloud = check_points(points)
        assert type(cloud) is np.ndarray
        assert cloud.dtype == np.float64
        assert cloud.flags.c_contiguous
        assert np.array_equal(cloud, np.asarray(points, dtype=np.float64))

    @pytest.mark.parametrize(
        ("points", "words"),
        [
            pytest.param([1.0, 2.0], r"expected shape \(n_points, dim\), got \(2,\)", id="a vector"),
            pytest.param(3.0, r"got \(\)", id="a number"),
            pytest.param([], r"got \(0,\)", id="an empty list has no dimension"),
            pytest.param(np.zeros((2, 2, 2)), r"\(2, 2, 2\)", id="three axes"),
            pytest.param(np.zeros((2, 0)), r"\(2, 0\)", id="points without coordinates"),
            pytest.param([[1, 2], [3]], "shape", id="rows of different length"),
            pytest.param([[1j, 2]], "complex", id="complex numbers"),
            pytest.param([["a", "b"]], "dtype <U1", id="texts"),
            pytest.param(np.array([[1, None]]), "dtype object", id="objects"),
            pytest.param(np.zeros((1, 1), "M8[s]"), "dtype datetime64", id="dates"),
            pytest.param([[0, 0], [1, np.nan], [np.inf, 0]], "row 1 is not finite", id="the first bad row is named"),
            pytest.param(np.ma.array([[1.0, 2.0]], mask=[[0, 1]]), "1 entries are masked", id="masked entries"),
        ],
    )
    def test_anything_else_is_refused_with_the_reason(self, points, words):
        with pytest.raises(BadInput, match=words) as caught:
            check_points(points, name="vertices")
        assert str(caught.value).startswith("vertices: ")

    @given(arrays(np.float64, array_shapes(min_dims=2, max_dims=2), elements=st.floats(-1e300, 1e300)))
    def test_the_copy_is_equal_and_apart(self, points):
        cloud = check_points(points)
        assert np.array_equal(cloud, points)
        assert not np.shares_memory(cloud, points)


class TestBand:
    @pytest.mark.parametrize("band", BANDS)
    def test_the_three_bands_pass(self, band):
        assert check_band(band) == band

    @pytest.mark.parametrize("band", ["Local", "", None, 1, b"local", np.array(["local", "global"]), ["local"]])
    def test_anything_else_is_refused_and_shown(self, band):
        with pytest.raises(BadInput, match="expected one of local, global, critical"):
            check_band(band)


class TestMetadata:
    @pytest.mark.parametrize(
        ("metadata", "text"),
        [
            pytest.param(None, "{}", id="nothing"),
            pytest.param({}, "{}", id="an empty mapping"),
            pytest.param({"b": 1, "a": "x"}, '{"a":"x","b":1}', id="keys are sorted, no spaces"),
            pytest.param({"n": np.int64(3), "x": np.float32(0.5)}, '{"n":3,"x":0.5}', id="NumPy scalars"),
            pytest.param({"v": np.arange(3)}, '{"v":[0,1,2]}', id="a NumPy array"),
            pytest.param({"flag": np.bool_(True)}, '{"flag":true}', id="a NumPy boolean"),
            pytest.param(MappingProxyType({"a": None}), '{"a":null}', id="any mapping"),
            pytest.param(
                {"ä": "\ud83d\ude00"}, '{"\\u00e4":"\\ud83d\\ude00"}', id="every text stays storable as UTF-8"
            ),
        ],
    )
    def test_becomes_compact_json(self, metadata, text):
        assert metadata_text(metadata) == text
        text.encode("utf-8")

    @pytest.mark.parametrize(
        ("metadata", "words"),
        [
            pytest.param({"ok": 1, "when": object()}, "key 'when' has no JSON form", id="an object"),
            pytest.param({"x": float("nan")}, "key 'x'", id="NaN"),
            pytest.param({"x": np.array([np.inf])}, "key 'x'", id="infinity inside an array"),
            pytest.param({"z": np.complex128(1j)}, "key 'z'", id="a complex number"),
            pytest.param({"b": b"raw"}, "key 'b'", id="bytes"),
            pytest.param({"deep": DEEP}, "key 'deep'", id="nested beyond what can be read back"),
            pytest.param({"loop": LOOP}, "key 'loop'", id="a cycle"),
            pytest.param({1: "a"}, "expected texts as keys, got 1", id="a number as key would come back as text"),
            pytest.param({"mixed": {1: 0, "1": 0}}, "key 'mixed'", id="keys that cannot be sorted"),
            pytest.param([("a", 1)], "expected a mapping, got list", id="pairs"),
            pytest.param([], "expected a mapping, got list", id="an empty list is no mapping either"),
            pytest.param("{}", "expected a mapping, got str", id="text"),
        ],
    )
    def test_what_json_cannot_hold_is_refused_by_key(self, metadata, words):
        with pytest.raises(BadInput, match=words):
            metadata_text(metadata)

    @given(
        st.dictionaries(
            st.text(),
            st.recursive(
                st.none()
                | st.booleans()
                | st.integers()
                | st.floats(allow_nan=False, allow_infinity=False)
                | st.text(),
                lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
                max_leaves=10,
            ),
        )
    )
    def test_what_json_can_hold_comes_back(self, metadata):
        assert json.loads(metadata_text(metadata)) == metadata


class Frozen(Mapping):  # type: ignore[type-arg]
    """A mapping that is no dict."""

    def __getitem__(self, key: str) -> int:
        return {"k": 1}[key]

    def __iter__(self) -> Iterator[str]:
        return iter("k")

    def __len__(self) -> int:
        return 1


class OwnText(str):
    """A text that is equal to itself alone."""

    __slots__ = ()

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (np.float32(0.5), 0.5),
        (np.int64(7), 7),
        (np.bool_(True), True),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (pd.Timestamp("2026-01-02T03:04:05.000006").to_pydatetime(), "2026-01-02T03:04:05.000006+00:00"),
        (dt.datetime(2026, 1, 2, 3, tzinfo=dt.timezone(dt.timedelta(hours=2))), "2026-01-02T01:00:00+00:00"),
        (pd.Timestamp("2026-01-02", tz="UTC"), "2026-01-02T00:00:00+00:00"),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (dt.time(3, 4), "03:04:00"),
        (dt.timedelta(minutes=1.5), 90.0),
        (np.datetime64("2026-01-02"), "2026-01-02"),
        (np.datetime64("2026-01-02T03:04:05.123456789"), "2026-01-02T03:04:05.123456789+00:00"),
        (
            np.array(["2026-01-02T03", "2026-01-03T04"], "M8[h]"),
            ["2026-01-02T03:00:00+00:00", "2026-01-03T04:00:00+00:00"],
        ),
        (np.timedelta64(1500, "ms"), 1.5),
        (PurePosixPath("data/run 1.csv"), "data/run 1.csv"),
        (Frozen(), {"k": 1}),
        ((1, 2), [1, 2]),
        (np.longdouble(1.5), 1.5),
        (np.array([0.5, 2], np.longdouble), [0.5, 2.0]),
        (np.ma.array([1, 2]), [1, 2]),
        ({np.str_("a"): 1}, {"a": 1}),
    ],
)
def test_metadata_takes_what_measurements_are_made_of(value: object, stored: object) -> None:
    assert json.loads(metadata_text({"key": value, "deep": {"er": [value]}})) == {
        "key": stored,
        "deep": {"er": [stored]},
    }


@pytest.mark.parametrize(
    "value",
    [
        np.float64("nan"),
        np.array([1.0, np.inf]),
        pd.NaT,
        np.datetime64("NaT"),
        np.array(["NaT"], "M8[s]"),
        np.timedelta64("NaT"),
        np.zeros(10_001),
        1j,
        b"bytes",
        {1, 2},
        {float("nan"): 1},
        {1: "a", 2: "b"},
        {None: 1},
        {True: 1},
        MappingProxyType({1: 1}),
        [{"fine": 1}, ({2: 1},)],
        np.array([{3: 1}], object),
        {OwnText("a"): 1, OwnText("a"): 2},
        np.ma.masked,
        np.ma.array([1.0, 2.0], mask=[0, 1]),
        np.longdouble("inf"),
        np.clongdouble(1),
        dt.datetime(1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=5))),
        dt.datetime(9999, 12, 31, 23, tzinfo=dt.timezone(-dt.timedelta(hours=5))),
        PurePosixPath("\udcff"),
    ],
)
def test_metadata_refuses_what_has_no_strict_form(value: object) -> None:
    with pytest.raises(BadInput, match="key 'key' has no JSON form"):
        metadata_text({"fine": 1, "key": value})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param("mine.csv", "a file is read first, by pandas.read_csv", id="a name"),
        pytest.param([["a", "b"]], "columns of text are left out", id="text"),
        pytest.param(
            np.zeros(3, dtype=[("x", "f8"), ("y", "f8")]), "structured_to_unstructured", id="a structured array"
        ),
        pytest.param(np.zeros((3, 2), dtype="M8[s]"), "take the seconds since the first", id="times"),
        pytest.param(np.zeros(5), "delay_embedding, or values by filtration='lower_star'", id="a series"),
        pytest.param(np.zeros((5, 5, 3)), "an image is taken by filtration='cubical'", id="an image"),
        pytest.param([[0.0, np.nan]], "row 0 is not finite.*; leave such rows out, by dropna", id="a missing value"),
        pytest.param(pd.DataFrame({"x": [1.0], "who": ["a"]}), "column 'who'.*; leave that column out", id="a frame"),
    ],
)
def test_a_refusal_names_the_remedy(given: Any, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        check_points(given)
