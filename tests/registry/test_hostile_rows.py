"""What is recorded can be read by everybody afterwards: refused by name before it is written, or valid for strict
readers.
"""

from __future__ import annotations

import enum
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from toriwork.checks import metadata_text, shown, strict_text
from toriwork.errors import BadInput
from toriwork.registry import TorusRegistry
from toriwork.registry.rows import pack_shape

CLOUD = np.arange(12.0).reshape(4, 3)


def nested(depth: int, *, of: type = dict) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"a": value} if of is dict else [value]
    return value


class Word(str, enum.Enum):  # noqa: UP042 - the kind whose str() is the name of the member
    GLOBAL = "global"


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class Steering:
    def __repr__(self) -> str:
        return "\x1b[2J\n# heading"


REFUSED = {
    "one number": ({"betti_numbers": 5}, "betti_numbers"),
    "a float": ({"betti_numbers": 1.5}, "betti_numbers"),
    "an array of no dimension": ({"betti_numbers": np.array(1.0)}, "betti_numbers"),
    "a text": ({"betti_numbers": "123"}, "betti_numbers"),
    "an empty text": ({"betti_numbers": ""}, "betti_numbers"),
    "bytes": ({"betti_numbers": b"123"}, "betti_numbers"),
    "texts": ({"betti_numbers": ["1", "2"]}, "betti_numbers"),
    "a set, which has no order": ({"betti_numbers": {1, 2}}, "betti_numbers"),
    "a mapping": ({"betti_numbers": {0: 1}}, "betti_numbers"),
    "a generator": ({"betti_numbers": (n for n in (1, 2))}, "betti_numbers"),
    "beyond float64": ({"betti_numbers": (10**400, 1)}, "betti_numbers"),
    "an integer without a repr": ({"betti_numbers": (10**5000, 1)}, "betti_numbers"),
    "only such an integer": ({"betti_numbers": 10**5000}, "betti_numbers"),
    "complex numbers": ({"betti_numbers": (1j, 1)}, "betti_numbers"),
    "rows": ({"betti_numbers": np.ones((2, 2))}, "betti_numbers"),
    "no repr": ({"betti_numbers": [Unprintable()]}, "betti_numbers"),
    "a band that is a list": ({"coherence_band": []}, "coherence band"),
    "a band that is a mapping": ({"coherence_band": {}}, "coherence band"),
    "a band that is an integer": ({"coherence_band": 10**5000}, "coherence band"),
    "a band that is a surrogate": ({"coherence_band": "\ud800"}, "coherence band"),
    "a band without a repr": ({"coherence_band": Unprintable()}, "coherence band"),
    "a key that is an integer": ({"metadata": {"a": {1: 1, 2: 2}}}, "expected texts as keys"),
    "a high surrogate": ({"metadata": {"a": "\ud800"}}, "metadata: key 'a'"),
    "a low surrogate": ({"metadata": {"a": "x\udfffy"}}, "metadata: key 'a'"),
    "two in the wrong order": ({"metadata": {"a": "\ude00\ud83d"}}, "metadata: key 'a'"),
    "a surrogate behind a pair": ({"metadata": {"a": "\U0001f600\ud83d"}}, "metadata: key 'a'"),
    "a surrogate in a list": ({"metadata": {"ok": 1, "a": [{"b": ["\ud800"]}]}}, "metadata: key 'a'"),
    "a surrogate as a key": ({"metadata": {"\udfff": 1}}, r"metadata: key '\\udfff'"),
    "a surrogate as an inner key": ({"metadata": {"a": {"\udfff": 1}}}, "metadata: key 'a'"),
    "duplicate keys": ({"metadata": {1: 1, "1": 2}}, "metadata: expected texts as keys"),
    "duplicate inner keys": ({"metadata": {"a": {1: 1, "1": 2}}}, "metadata: key 'a'"),
    "duplicate keys of true": ({"metadata": {"a": {True: 1, "true": 2}}}, "metadata: key 'a'"),
    "duplicate keys of null": ({"metadata": {"a": {None: 1, "null": 2}}}, "metadata: key 'a'"),
    "an integer as a key": ({"metadata": {10**5000: 1}}, "metadata: expected texts as keys"),
    "not a number as a key": ({"metadata": {"a": {float("nan"): 1, 2.0: 1}}}, "metadata: key 'a'"),
    "5,000 digits": ({"metadata": {"a": 10**5000}}, "metadata: key 'a'"),
    "4,000 digits": ({"metadata": {"a": 10**4000}}, "metadata: key 'a'"),
    "309 digits": ({"metadata": {"a": [2 * 10**308]}}, "metadata: key 'a'"),
    "negative digits": ({"metadata": {"a": -(10**309)}}, "metadata: key 'a'"),
    "not a number": ({"metadata": {"a": float("nan")}}, "metadata: key 'a'"),
    "infinity in an array": ({"metadata": {"a": np.array([1.0, np.inf])}}, "metadata: key 'a'"),
    "deep mappings": ({"metadata": nested(101)}, "at most 100 levels"),
    "deep lists": ({"metadata": {"a": nested(100, of=list)}}, "at most 100 levels"),
    "deeper than Python goes": ({"metadata": nested(100_000)}, "metadata"),
}

ACCEPTED = {
    "a pair": {"a": "\U0001f600"},
    "two halves of a pair": {"a": "\ud83d\ude00"},
    "a backslash before ud800": {"a": "\\ud800"},
    "an escape in a path": {"C:\\udata": "C:\\ud800\\x"},
    "zero bytes": {"a\0b": "\0"},
    "every control character": {"a": "".join(map(chr, range(32)))},
    "noncharacters": {"a": "\uffff\ufffe\U0010ffff"},
    "directions": {"\u202e": "\u2066"},
    "many digits": {"a": 10**308, "b": -(10**308), "c": 2**64},
    "digits in a text": {"a": "1" * 5000},
    "the largest double": {"a": 1.7976931348623157e308, "b": 5e-324, "c": -0.0},
    "a hundred levels": nested(100),
    "brackets in texts": {"a": "{[" * 500, "b": '"{[\\' * 300},
    "many lists side by side": {"a": [[] for _ in range(500)]},
    "an empty key": {"": ""},
    "markup": {"<script>": "</td><script>alert(1)</script>"},
    "commands of SQL": {"'; DROP TABLE x; --": '"'},
}


@pytest.mark.parametrize(("options", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_used_is_refused_by_name_and_nothing_is_recorded(tmp_path, options, words):
    with closing(TorusRegistry(tmp_path / "r.parquet", compute_betti=False)) as registry:
        with pytest.raises(BadInput, match=words) as caught:
            registry.record_shape(CLOUD, **options)
        assert len(str(caught.value)) < 600
        with pytest.raises(BadInput, match=f"cloud 0 of 1: .*{words}"):
            registry.record_shapes([CLOUD], **{name: [value] for name, value in options.items()})
        assert registry.get_statistics()["total_shapes"] == 0


@pytest.mark.parametrize(
    ("clouds", "options", "words"),
    [
        (5, {}, "clouds: expected one array after the other, got 5"),
        (None, {}, "clouds"),
        ([CLOUD], {"metadata": 5}, "metadata: expected one per cloud"),
        ([CLOUD], {"metadata": iter([{}])}, "metadata: expected one per cloud"),
        ([CLOUD], {"coherence_band": 5}, "coherence_band: expected one per cloud"),
        ([CLOUD], {"betti_numbers": 5}, "betti_numbers: expected one per cloud"),
        ([CLOUD], {"betti_numbers": [5]}, "cloud 0 of 1: betti_numbers"),
        ([CLOUD, CLOUD], {"coherence_band": ["local", []]}, "cloud 1 of 2: coherence band"),
    ],
)
def test_batches_are_refused_by_name_too(tmp_path, clouds, options, words):
    with closing(TorusRegistry(tmp_path / "r.parquet", compute_betti=False)) as registry:
        with pytest.raises(BadInput, match=words):
            registry.record_shapes(clouds, **options)
        assert registry.get_statistics()["total_shapes"] == 0


def test_an_array_that_only_stands_for_terabytes_is_refused_at_once():
    with pytest.raises(BadInput, match="expected at most 1,073,741,824 bytes, got 24,000,000,000,000"):
        pack_shape(np.broadcast_to(np.ones(3), (10**12, 3)), None, "local", None)


def test_a_band_of_an_enumeration_is_the_text_that_it_is(tmp_path):
    with closing(TorusRegistry(tmp_path / "r.parquet", compute_betti=False)) as registry:
        registry.record_shape(CLOUD, coherence_band=Word.GLOBAL)
        registry.record_shape(CLOUD, coherence_band=np.str_("critical"))
        assert registry.df.coherence_band.tolist() == ["global", "critical"]
        assert len(registry.query_by_coherence(Word.GLOBAL)) == 1


POLARS = tuple(map(int, pl.__version__.split(".")[:2]))


def read_by_all(path: Path) -> list[Any]:
    """The metadata of a public file; every strict reader has to take every row of it."""
    assert duckdb.read_parquet(str(path)).filter("NOT json_valid(metadata)").fetchall() == []
    duckdb.sql(
        "SELECT json_keys(metadata), json_type(metadata), metadata::JSON, metadata->>'$.a', json_structure(metadata), "
        f"json_extract(metadata, '$.a') FROM read_parquet('{path}')"
    ).fetchall()
    texts = pd.read_parquet(path).metadata.tolist()
    for text in texts if POLARS >= (1, 37) else ():  # before, its parser refused some numbers that are JSON
        # each by itself: Polars wants one structure for all, and takes integers of 128 bits
        text = text.replace("0" * 300, "")
        pl.Series([text]).str.json_decode(pl.Struct({"no such key": pl.String}))
    return [json.loads(text) for text in texts]


def test_what_is_accepted_can_be_read_by_every_strict_reader(tmp_path):
    path = tmp_path / "r.parquet"
    with closing(TorusRegistry(path, compute_betti=False)) as registry:
        registry.record_shapes([CLOUD] * len(ACCEPTED), metadata=list(ACCEPTED.values()))
        registry.flush(publish=True)
    wanted = [json.loads(json.dumps(metadata)) for metadata in ACCEPTED.values()]
    assert read_by_all(path) == wanted


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters()) | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.text(st.characters()), anything, max_size=4))
def test_any_metadata_is_refused_or_strict_json(metadata):
    try:
        text = metadata_text(metadata)
    except BadInput:
        return
    pairs: list[list[str]] = []
    json.loads(text, object_pairs_hook=lambda found: pairs.append([key for key, _ in found]) or dict(found))
    assert all(len(keys) == len(set(keys)) for keys in pairs)
    json.dumps(json.loads(text), ensure_ascii=False, allow_nan=False).encode()


# ---- rows that an earlier release took ---------------------------------------------------------------------------

OLD = {
    '{"a":"\\ud800"}': {"a": "\\ud800"},
    '{"\\udfff":1}': {"\\udfff": 1},
    '{"a":["\\ude00\\ud83d",{"b":"x\\udc00y"}]}': {"a": ["\\ude00\\ud83d", {"b": "x\\udc00y"}]},
    '{"a":"\\ud83d\\ude00"}': {"a": "\U0001f600"},
    '{"a":"\\\\ud800"}': {"a": "\\ud800"},
    '{"a":"\\\\\\ud800"}': {"a": "\\\\ud800"},
    '{"a":"\\ud83d\\ude00\\ud83d","n":1.5e-7}': {"a": "\U0001f600\\ud83d", "n": 1.5e-7},
    "{}": {},
}


def old_row(text: str) -> bytes:
    """A row as the release before wrote it: the metadata went into the frame unlooked at."""
    head, axes, _, data = pack_shape(CLOUD, (1.0, 0.0, 0.0), "local", None).parts
    at = 8 - 4  # band, status, dtype, axes: one byte each
    return head[:at] + len(text).to_bytes(4, "little") + head[at + 4 :] + axes + text.encode() + data


def test_a_row_that_got_in_earlier_is_read_and_published_for_strict_readers(tmp_path):
    path = tmp_path / "r.parquet"
    with closing(TorusRegistry(path, compute_betti=False)) as registry:
        for text in OLD:
            registry._table.append(old_row(text))
        assert [json.loads(text) for text in registry.df.metadata] == list(OLD.values())
        registry.flush(publish=True)
    assert read_by_all(path) == list(OLD.values())


@given(st.text(st.characters() | st.sampled_from(["\ud800", "\udfff", "\\", "u", "d", "8", "0", '"'])))
def test_mending_leaves_what_needs_none_and_takes_every_lone_surrogate(words):
    text = json.dumps({"a": words, f"{words}.": 1})
    mended = strict_text(text)
    try:
        json.loads(text)["a"].encode()
        assert mended == text
    except UnicodeEncodeError:
        wanted = json.loads(text)["a"].encode("utf-8", "backslashreplace").decode()
        assert json.loads(mended) == {"a": wanted, f"{wanted}.": 1}


@pytest.mark.parametrize("text", ["no JSON \\ud800", '{"a":"\\ud800"', '{"a":"\\ud800","n":' + "9" * 5000 + "}"])
def test_what_was_not_written_by_us_is_left_as_it_is(text):
    assert strict_text(text) == text


# ---- values in messages ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (5, "5"),
        ("a\n\x1b[2J", "'a\\n\\x1b[2J'"),
        (Steering(), "\\x1b[2J\\n# heading"),
        (Unprintable(), "a value of type Unprintable"),
        (10**5000, "a value of type int"),
        ("\u202e", "'\\u202e'"),
        ([1] * 1000, "[" + "1, " * 26 + "1..."),
        ("\ud800", "'\\ud800'"),
    ],
    ids=range(8),
)
def test_a_value_is_shown_on_one_line_whatever_it_is(value, words):
    assert shown(value) == words
