"""A row's bytes: everything that goes in comes out, bit for bit, and its id can be recomputed by anybody."""

from __future__ import annotations

import hashlib
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toriwork.errors import BadInput
from toriwork.registry.codec import ShapeCodec
from toriwork.registry.rows import SCHEMA, STATUSES, pack_shape, restore_vertices, unpack_rows
from toriwork.storage import Payload

JOURNAL = "ab" * 16
DTYPES = (
    "<f8",
    "<f4",
    "<f2",
    ">f8",
    ">f4",
    "<c16",
    "<c8",
    ">c16",
    "i1",
    "<i2",
    "<i4",
    "<i8",
    ">i8",
    "u1",
    "<u4",
    "<u8",
    "?",
)


def payload_of(*shapes: Any) -> Payload:
    data = b"".join(shape.row for shape in shapes)
    return Payload(JOURNAL, 7, 1_700_000_000_123_456_789, len(shapes), memoryview(data))


def clouds(dtype: str) -> st.SearchStrategy[Any]:
    kind = np.dtype(dtype)
    shape = st.one_of(
        st.tuples(st.integers(0, 6), st.integers(1, 4)),
        st.tuples(st.integers(0, 9)),
    )
    if kind.kind in "iu" and kind.itemsize == 8:
        elements: Any = st.integers(0 if kind.kind == "u" else -(2**53), 2**53)
    elif kind.kind in "fc":
        elements = hnp.from_dtype(kind, allow_nan=False, allow_infinity=False)
    else:
        elements = hnp.from_dtype(kind)
    return hnp.arrays(kind, shape, elements=elements)


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_vertices_of_every_type_survive_journal_and_table_bit_for_bit(dtype: str, data: Any) -> None:
    cloud = data.draw(clouds(dtype))
    shape = pack_shape(cloud, [1.0], "global", {"k": 1}, compute=False)
    payload = payload_of(shape)
    (row,) = unpack_rows(payload)
    assert row.vertices().dtype == cloud.dtype
    assert row.vertices().tobytes() == cloud.tobytes()
    batch = ShapeCodec().decode([payload], {})
    stored = batch.to_pylist()[0]
    back = restore_vertices(np.array(stored["vertices"]), stored["vertices_dtype"], stored["vertices_shape"])
    assert back.dtype == cloud.dtype
    assert back.shape == cloud.shape
    assert back.tobytes() == cloud.tobytes()


@given(clouds("<f8"))
def test_the_id_is_blake2b_over_dtype_shape_and_bytes(cloud: np.ndarray) -> None:
    said = f"{cloud.dtype.str}{cloud.shape}".encode() + cloud.tobytes()
    expected = hashlib.blake2b(said, digest_size=16).hexdigest()
    assert pack_shape(cloud, None, "local", None).shape_id == "shape_" + expected


def test_byte_order_and_memory_layout_do_not_change_the_id() -> None:
    cloud = np.arange(12.0).reshape(4, 3)
    ids = {
        pack_shape(variant, None, "local", None).shape_id
        for variant in (
            cloud,
            cloud.astype(">f8"),
            np.asfortranarray(cloud),
            np.repeat(cloud, 2, axis=0)[::2],
            cloud.tolist(),
        )
    }
    assert len(ids) == 1


def test_dtype_and_shape_change_the_id() -> None:
    cloud = np.zeros((2, 3))
    variants = (cloud, cloud.astype("f4"), cloud.astype("i8"), cloud.reshape(3, 2), cloud.reshape(6))
    assert len({pack_shape(v, [0], "local", None).shape_id for v in variants}) == len(variants)


@pytest.mark.parametrize(
    ("vertices", "message"),
    [
        pytest.param([[1, 2], [np.nan, 3]], "row 1 is not finite", id="NaN"),
        pytest.param(np.array([[0.0, np.inf]], "f2"), "row 0 is not finite", id="infinity in float16"),
        pytest.param(np.array([1 + 1j, complex(0, np.inf)]), "row 1 is not finite", id="infinite spectrum"),
        pytest.param(np.array([[1, "a"]], dtype=object), "dtype object", id="objects"),
        pytest.param(np.array([["a", "b"]]), "dtype <U1", id="text"),
        pytest.param(np.zeros((2, 2), "M8[s]"), "dtype datetime64", id="dates"),
        pytest.param(np.zeros((2, 2), np.longdouble), "cannot be stored exactly", id="long double"),
        pytest.param(np.zeros((2, 2, 2)), r"got \(2, 2, 2\)", id="three axes"),
        pytest.param(np.float64(3), r"got \(\)", id="a number"),
        pytest.param(np.zeros((3, 0)), r"got \(3, 0\)", id="no coordinates"),
        pytest.param([[1, 2], [3]], "expected a rectangular array", id="ragged"),
        pytest.param(np.array([[2**53 + 1]]), r"2\*\*53", id="a large integer"),
        pytest.param(np.array([[2**63]], "u8"), r"2\*\*53", id="a large unsigned integer"),
        pytest.param(np.ma.masked_array([[1.0]], mask=[[True]]), "masked", id="masked"),
    ],
)
def test_what_cannot_be_stored_exactly_is_refused_by_name(vertices: Any, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        pack_shape(vertices, None, "local", None)


def test_a_cloud_of_huge_numbers_is_finite() -> None:
    assert pack_shape(np.full((3, 2), 1e200), None, "local", None).is_open


def test_nonfinite_vertices_are_stored_when_allowed_with_their_bits() -> None:
    cloud = np.array([[np.nan, np.inf], [-np.inf, -0.0]])
    cloud.view("u8")[0, 0] = 0x7FF8_DEAD_BEEF_0001
    shape = pack_shape(cloud, None, "local", None, allow_nonfinite=True)
    stored = ShapeCodec().decode([payload_of(shape)], {})["vertices"][0].values.to_numpy()
    assert stored.tobytes() == cloud.tobytes()


@pytest.mark.parametrize(
    ("given_numbers", "columns", "status"),
    [
        pytest.param([1, 2, 3], (1.0, 2.0, 3.0), "given", id="three"),
        pytest.param((1.0,), (1.0, None, None), "given", id="one"),
        pytest.param(np.array([2, 0]), (2.0, 0.0, None), "given", id="array"),
        pytest.param([None, float("nan"), 1], (None, None, 1.0), "given", id="unknown ones"),
        pytest.param([], (None, None, None), "pending", id="empty counts as not given"),
        pytest.param(None, (None, None, None), "pending", id="not given"),
    ],
)
def test_given_betti_numbers_become_columns(given_numbers: Any, columns: tuple[Any, ...], status: str) -> None:
    shape = pack_shape(np.zeros((3, 2)), given_numbers, "local", None)
    row = ShapeCodec().decode([payload_of(shape)], {}).to_pylist()[0]
    assert (row["betti0"], row["betti1"], row["betti2"]) == columns
    assert row["betti_status"] == status


@pytest.mark.parametrize(
    "bad", [[1, 2, 3, 4], [-1], [float("inf")], ["x"]], ids=["four", "negative", "infinite", "text"]
)
def test_betti_numbers_that_make_no_sense_are_refused(bad: Any) -> None:
    with pytest.raises(BadInput, match="betti_numbers"):
        pack_shape(np.zeros((3, 2)), bad, "local", None)


def test_unknown_bands_and_metadata_without_a_json_form_are_refused() -> None:
    with pytest.raises(BadInput, match="local, global, critical"):
        pack_shape(np.zeros((3, 2)), None, "universal", None)
    with pytest.raises(BadInput, match="'when'"):
        pack_shape(np.zeros((3, 2)), None, "local", {"a": 1, "when": object()})


def test_spectra_get_no_betti_numbers_and_may_be_complex() -> None:
    for spectrum in (np.array([3.0, 1.0]), np.array([1 + 2j])):
        shape = pack_shape(spectrum, None, "critical", None)
        assert not shape.is_open
        assert STATUSES[unpack_rows(payload_of(shape))[0].status] == "spectrum"


def test_vertices_that_are_not_kept_are_there_only_until_they_were_computed() -> None:
    open_row = pack_shape(np.ones((4, 2)), None, "local", None, keep_vertices=False)
    assert unpack_rows(payload_of(open_row))[0].vertices().shape == (4, 2)
    closed_row = pack_shape(np.ones((4, 2)), [1], "local", None, keep_vertices=False)
    assert len(closed_row.row) < 100
    batch = ShapeCodec().decode([payload_of(open_row, closed_row)], {})
    assert batch["vertices"].null_count == 2
    assert batch["vertices_shape"].to_pylist() == [[4, 2], [4, 2]]


def test_rows_of_one_frame_have_unique_ids_that_sort_by_time() -> None:
    shapes = [pack_shape(np.full((2, 2), float(k)), [0], "local", {"k": k}) for k in range(50)]
    batch = ShapeCodec().decode([payload_of(*shapes)], {})
    ids = batch["row_id"].to_pylist()
    assert ids == sorted(set(ids))
    assert batch.schema.equals(SCHEMA)
    assert [row["metadata"] for row in batch.to_pylist()] == [f'{{"k":{k}}}' for k in range(50)]
