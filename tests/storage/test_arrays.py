"""Arrays made of buffers are those that Arrow makes of Python values, without pandas in the process."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from toriwork.storage import arrays

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
MICROS = st.integers(-(2**62), 2**62)


@given(st.lists(st.none() | TEXTS))
def test_texts_are_those_of_arrow(values: list[str | None]) -> None:
    found = arrays.texts(values)
    found.validate(full=True)
    assert found.equals(pa.array(values, pa.string()))


@given(st.lists(TEXTS))
def test_bytes_of_texts_become_the_same_texts(values: list[str]) -> None:
    found = arrays.encoded([value.encode() for value in values])
    found.validate(full=True)
    assert found.equals(pa.array(values, pa.string()))


@given(st.lists(st.lists(TEXTS, max_size=3)))
def test_lists_of_texts_are_those_of_arrow(values: list[list[str]]) -> None:
    found = arrays.text_lists(values)
    found.validate(full=True)
    assert found.equals(pa.array(values, pa.list_(pa.string())))


@given(st.lists(st.integers(-(2**31), 2**31 - 1)), st.sampled_from([pa.int32(), pa.int64()]))
def test_whole_numbers_are_those_of_arrow(values: list[int], of: pa.DataType) -> None:
    assert arrays.integers(values, of).equals(pa.array(values, of))
    assert arrays.integers(np.array(values, dtype=np.int64), of).equals(pa.array(values, of))


@given(st.lists(MICROS))
def test_times_are_those_of_arrow(values: list[int]) -> None:
    assert arrays.times(values).equals(pa.array(values, pa.timestamp("us", tz="UTC")))


PUBLISH = """
import sys
from toriwork.synthesis import ObserverSynthesis
with_log = ObserverSynthesis(path=sys.argv[1])
for n in range(40):
    with_log.emit_token({"source": "a", "type": "b", "n": n, "refs": ["t1:0"]})
    if n % 10 == 0:
        with_log.log.flush(publish=True)
with_log.close()
assert "pandas" not in sys.modules
"""


def test_who_emits_and_publishes_tokens_never_pays_for_pandas(tmp_path) -> None:
    subprocess.run([sys.executable, "-c", PUBLISH, str(tmp_path / "observer_tokens.parquet")], check=True)
