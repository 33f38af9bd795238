"""The sorted index: every row of a value, the newest first, by a slow twin that looks at all of them."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toriwork.storage import index


class Bytes:
    """Bytes as a file that can be read."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.n_read = 0

    def read_at(self, offset: int, length: int) -> bytes:
        self.n_read += length
        return self.data[offset : offset + length]


def packed(values: list[str], times: list[int]) -> bytes:
    """An index over some rows."""
    ids = pa.array([f"{time:016x}rest" for time in times], pa.string())
    return index.pack_index([index.hashes(pa.array(values, pa.string()))], [index.times_of(ids)])


def found(data: bytes, n_rows: int, value: str) -> list[int]:
    """The rows that an index gives for a value."""
    return list(index.find(Bytes(b"front" + data), 5, n_rows, index.hash_of(value)))  # type: ignore[arg-type]


texts = st.one_of(st.text(max_size=40), st.sampled_from(["", "a", "shape_" + "0" * 32, "é" * 20]))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(texts, st.integers(0, 2**63)), max_size=80), st.integers(1, 7))
def test_every_row_of_a_value_is_found_the_newest_first(rows: list[tuple[str, int]], block: int) -> None:
    values, times = [value for value, _ in rows], [time for _, time in rows]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "_BLOCK", block)
        data = packed(values, times)
        for value in {*values, "nowhere"}:
            wanted = [n for n, one in enumerate(values) if index.hash_of(one) == index.hash_of(value)]
            assert found(data, len(rows), value) == sorted(wanted, key=lambda n: (times[n], n), reverse=True)


def test_a_look_up_reads_the_fences_and_one_block_however_many_rows_there_are() -> None:
    rng = random.Random(3)
    values = [f"shape_{rng.getrandbits(128):032x}" for _ in range(20_000)]
    file = Bytes(packed(values, list(range(20_000))))
    assert list(index.find(file, 0, 20_000, index.hash_of(values[777]))) == [777]  # type: ignore[arg-type]
    assert file.n_read < 10_000


def test_hashes_do_not_depend_on_how_an_array_is_cut() -> None:
    values = pa.array(["", "abc", None, "x" * 100, "shape_" + "f" * 32, "é"])
    whole = index.hashes(values)
    for start in range(len(values)):
        assert (index.hashes(values.slice(start)) == whole[start:]).all()
    assert (index.hashes(values.dictionary_encode()) == whole).all()


def test_hashes_spread_even_where_the_ends_of_values_are_alike() -> None:
    values = pa.array([f"{number:08d}" for number in range(50_000)])
    assert len(np.unique(index.hashes(values))) == 50_000


@pytest.mark.parametrize("text", ["", "short", "no hexadecimal text", "00000000000000G0rest", None])
def test_row_ids_without_a_time_count_as_nought(text: str | None) -> None:
    assert index.times_of(pa.array([text], pa.string())).tolist() == [0]


def test_times_are_those_of_the_row_ids() -> None:
    times = [0, 1, 2**63, 2**64 - 1, 1_764_000_000_000_000_000]
    assert index.times_of(pa.array([f"{time:016x}abcdef" for time in times])).tolist() == times


def test_every_flip_of_a_byte_that_is_read_is_an_error_or_changes_nothing() -> None:
    values = [f"value {n % 9}" for n in range(40)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "_BLOCK", 8)
        data = packed(values, list(range(40)))
        for value in ("value 0", "value 8", "value 9"):
            right = found(data, 40, value)
            for at in range(len(data)):
                flipped = data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]
                try:
                    assert found(flipped, 40, value) == right
                except index.BadIndex:
                    continue
