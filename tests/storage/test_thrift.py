"""The compact protocol: what Arrow wrote comes back to the byte, what is none is refused."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toriwork.storage import thrift
from toriwork.storage.thrift import BINARY, DOUBLE, FALSE, I32, I64, LIST, STRUCT, TRUE, Reader, pack


def arrow_footer(table: pa.Table, **options: Any) -> bytes:
    """The footer that Arrow gives a table, without length and magic."""
    sink = BytesIO()
    pq.write_table(table, sink, **options)
    file = sink.getvalue()
    return file[-8 - int.from_bytes(file[-8:-4], "little") : -8]


TABLES = {
    "numbers": pa.table({"a": [1, 2, 3], "b": [0.5, None, float("nan")]}),
    "texts": pa.table({"name": ["x", None, "é" * 300]}),
    "lists": pa.table({"v": [[1.0], [], None], "n": [[1], [2, 3], []]}),
    "nested": pa.table({"s": [{"a": 1, "b": [True]}, None]}),
    "empty": pa.table({"a": pa.array([], pa.int64())}),
    "times": pa.table({"t": pa.array([0, 1], pa.timestamp("us", tz="UTC")), "y": [True, False]}),
    "wide": pa.table({f"column_{number}": [number] for number in range(40)}),
}


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("options", [{}, {"write_page_index": True}, {"row_group_size": 1}], ids=str)
def test_a_footer_of_arrow_comes_back_to_the_byte(name: str, options: dict[str, Any]) -> None:
    footer = arrow_footer(TABLES[name], **options)
    reader = Reader(footer)
    assert pack(reader.fields()) == footer
    assert reader.at == len(footer)


@pytest.mark.parametrize("size", range(0, 200, 7))
def test_a_footer_that_was_cut_short_is_refused(size: int) -> None:
    footer = arrow_footer(TABLES["lists"])
    with pytest.raises(ValueError, match="expected"):
        Reader(footer[:size]).fields()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x1c" * 200, "nested"),
        (b"\x16" + b"\xff" * 12, "10 bytes"),
        (b"\x19\xf6\xff\xff\xff\xff\x0f", "items"),
        (b"\x18\xff\xff\xff\xff\x0f", "end of the bytes"),
        (b"\x1f\x00", "compact protocol"),
    ],
)
def test_bytes_that_are_no_struct_are_refused_without_taking_memory(data: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Reader(data).fields()


scalars = st.one_of(
    st.tuples(st.sampled_from([I32, I64]), st.integers(-(2**62), 2**62)),
    st.tuples(st.just(BINARY), st.binary(max_size=300)),
    st.tuples(st.just(DOUBLE), st.binary(min_size=8, max_size=8)),
    st.sampled_from([(TRUE, True), (FALSE, False)]),
)


def structs(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Structs and lists of structs over some values."""
    fields = st.dictionaries(st.integers(1, 300), values, max_size=4)
    return st.one_of(
        fields.map(lambda found: (STRUCT, found)),
        st.lists(fields, max_size=20).map(lambda items: (LIST, (STRUCT, items))),
        st.lists(st.integers(-(2**40), 2**40), max_size=20).map(lambda items: (LIST, (I64, items))),
    )


@given(st.dictionaries(st.integers(1, 300), st.recursive(scalars, structs, max_leaves=12), max_size=6))
def test_any_struct_comes_back(fields: thrift.Struct) -> None:
    assert Reader(pack(fields)).fields() == fields
