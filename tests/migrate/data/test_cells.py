"""A cell becomes the numbers that it stands for, bit for bit, or says why not; it never becomes a guess."""

from __future__ import annotations

import io
import json
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toriwork.errors import BadInput
from toriwork.migrate.data.cells import few_numbers, likely_dtype, numbers
from toriwork.sqlite.values import Text

finite = st.floats(allow_nan=False, allow_infinity=False)
usual = st.floats(1e-20, 1e20) | st.floats(-1e20, -1e-20) | st.just(0.0)


def saved(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


@given(st.lists(finite, max_size=9))
def test_json_comes_back_bit_for_bit(values: list[float]) -> None:
    for cell in (json.dumps(values), Text(json.dumps(values).encode()), values):
        assert numbers(cell).tobytes() == np.array(values, np.float64).tobytes()


@given(st.lists(usual, min_size=1, max_size=9))
def test_bytes_come_back_bit_for_bit(values: list[float]) -> None:
    wanted = np.array(values)
    for cell in (wanted.tobytes(), saved(wanted)):
        assert numbers(cell, "float64").tobytes() == wanted.tobytes()


@pytest.mark.parametrize("dtype", ["<f8", "<f4"])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_what_nothing_describes_is_told_by_the_whole_column(dtype: str, scale: float) -> None:
    rng = np.random.default_rng(5)
    for _ in range(50):
        rows = [(scale * rng.random(int(rng.integers(2, 9)))).astype(dtype) for _ in range(20)]
        assert likely_dtype([row.tobytes() for row in rows]) == dtype


def test_round_numbers_in_double_precision_are_not_taken_for_single_precision() -> None:
    assert likely_dtype([np.array([0.5, 0.25, 4.0]).tobytes()] * 9) == "<f8"
    assert likely_dtype([np.array([0.5, 0.1]).tobytes()]) == "<f8"


def test_a_column_of_other_forms_has_no_type() -> None:
    assert likely_dtype([b"[1.0]", None, 5, saved(np.eye(1)[0]), pickle.dumps(1), Text(b"abcd")]) == ""


@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<c16", "<i4", "<f2"])
def test_bytes_of_a_type_that_is_told_are_of_that_type(dtype: str) -> None:
    values = np.array([1, 2, 300], dtype)
    assert np.array_equal(numbers(values.tobytes(), dtype), values)


def test_a_count_tells_the_width() -> None:
    assert numbers(np.array([0.1, 0.2], "<f4").tobytes(), count=2).tolist() == np.array([0.1, 0.2], "<f4").tolist()
    values = np.array([1 + 2j, 3 - 1j])
    assert np.array_equal(numbers(values.tobytes(), count=2), values)
    assert numbers(values.tobytes(), count=4).tolist() == [1, 2, 3, -1]


def test_single_precision_is_seen_by_the_size_of_the_numbers() -> None:
    values = np.array([0.11, 0.52, 0.73, 0.94], "<f4")
    assert numbers(values.tobytes()).tolist() == values.astype(float).tolist()


@pytest.mark.parametrize(
    ("cell", "wanted"),
    [
        pytest.param("0.1, 0.2;0.3", [0.1, 0.2, 0.3], id="commas"),
        pytest.param("[[1, 2], [0, -1]]", [1 + 2j, -1j], id="pairs"),
        pytest.param('["(1+2j)", "3"]', [1 + 2j, 3], id="texts"),
        pytest.param('{"values": [1, 2]}', [1, 2], id="a list in an object"),
        pytest.param("[]", [], id="nothing"),
        pytest.param(b"", [], id="no bytes"),
        pytest.param(b"[1.5, 2]", [1.5, 2], id="JSON in a blob"),
    ],
)
def test_every_usual_form_is_read(cell: Any, wanted: list[complex]) -> None:
    assert numbers(cell).tolist() == wanted


class Bomb:
    def __reduce__(self) -> Any:
        return (pytest.fail, ("a pickle was loaded",))


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        pytest.param(pickle.dumps([0.1, 0.2]), "pickle", id="a pickle"),
        pytest.param(pickle.dumps(Bomb()), "pickle", id="a pickle that runs something"),
        pytest.param("[0.1 0.2]", "not JSON", id="as numpy prints an array"),
        pytest.param('{"real": [1], "imag": [2]}', "got dict", id="two lists"),
        pytest.param(b"\x01\x02\x03", "expected an array", id="three bytes"),
        pytest.param(b"\x7f" * 16, "expected an array", id="bytes of absurd numbers"),
        pytest.param("0.1 ... 0.9", "expected a number", id="an array that was cut when it was printed"),
        pytest.param("many", "expected a number", id="a word"),
        pytest.param("[1, null]", "got 'None'", id="a hole"),
        pytest.param("[true]", "got 'True'", id="a truth value"),
        pytest.param('{"a": 1}', "got dict", id="an object"),
        pytest.param("[1, 2", "not JSON", id="JSON that was cut off"),
        pytest.param(5, "int", id="a number"),
        pytest.param(None, "NoneType", id="null"),
    ],
)
def test_what_is_no_list_of_numbers_is_refused(cell: Any, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        numbers(cell)


def test_saved_objects_are_not_loaded() -> None:
    with pytest.raises((BadInput, ValueError), match="pickle"):
        numbers(saved(np.array([Bomb()], dtype=object)))


def test_bytes_that_do_not_fit_the_type_that_is_told_are_refused() -> None:
    with pytest.raises(BadInput, match="expected an array of float64"):
        numbers(b"\x00" * 12, "float64")
    with pytest.raises(BadInput, match="unknown type"):
        numbers(b"\x00" * 16, "quaternion")


def test_a_few_numbers_may_be_missing() -> None:
    assert few_numbers(None) is None
    assert few_numbers("[1, 2]") == [1, 2]
    assert few_numbers(3) == [3]
    assert few_numbers("none") is None
