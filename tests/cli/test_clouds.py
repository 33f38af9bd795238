"""The files that people have become clouds, or are refused in one sentence that names the remedy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from toriwork.cli.clouds import read_cloud
from toriwork.errors import BadInput

SQUARE = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.5]])
TEXTS = {
    "no names": "0,0\n0,1\n1,0\n1,1.5\n",
    "names": "x,y\n0,0\n0,1\n1,0\n1,1.5\n",
    "semicolons and quotes": '"x";"y"\n0;0\n0;1\n1;0\n1;1.5\n',
    "tabs": "x\ty\n0\t0\n0\t1\n1\t0\n1\t1.5\n",
    "blanks": "0  0\n0 1\n1 0\n1  1.5\n",
    "a comment first": "# a square\nx,y\n0,0\n0,1\n1,0\n1,1.5\n",
    "a byte order mark": "\ufeffx,y\n0,0\n0,1\n1,0\n1,1.5\n",
    "line ends of Windows": "x,y\r\n0,0\r\n0,1\r\n1,0\r\n1,1.5\r\n",
    "blanks behind commas": "x, y\n0, 0\n0, 1\n1, 0\n1, 1.5\n",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_text_in_every_form(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.csv").write_bytes(text.encode())
    assert np.array_equal(read_cloud(tmp_path / "a.csv"), SQUARE)


def test_the_files_of_numpy_and_parquet(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", SQUARE.astype(np.float32))
    np.savez(tmp_path / "a.npz", points=SQUARE)
    pd.DataFrame(SQUARE, columns=["x", "y"]).to_parquet(tmp_path / "a.parquet")
    for name in ("a.npy", "a.npz", "a.parquet"):
        assert np.array_equal(read_cloud(tmp_path / name), SQUARE), name


def test_one_column_is_a_cloud_on_a_line(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("1\n2\n4\n")
    assert np.array_equal(read_cloud(tmp_path / "a.txt"), [[1.0], [2.0], [4.0]])


def test_columns_are_chosen_by_name_in_the_order_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("name,x,y\nfirst,1,2\nsecond,3,4\n")
    assert np.array_equal(read_cloud(tmp_path / "a.csv", columns="y, x"), [[2.0, 1.0], [4.0, 3.0]])


def test_missing_coordinates_are_left_out_only_when_asked(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n0,0\n0,\n1,0\nnan,1\n")
    with pytest.raises(BadInput, match=r"got nan in row 1, column y \(2 such rows\); --drop-missing"):
        read_cloud(tmp_path / "a.csv")
    assert np.array_equal(read_cloud(tmp_path / "a.csv", drop_missing=True), [[0.0, 0.0], [1.0, 0.0]])


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "name,x,y\nfirst,1,2\n", "got object|str in column name; --columns x,y leaves it out"),
        ("a.csv", "only,words\na,b\n", r"in column only$"),
        ("a.csv", "", "No columns|expected"),
        ("a.csv", "x,y\n", "at least one point|numbers"),
        ("a.xlsx", "PK", "ends in one of .npy, .npz, .parquet, .csv"),
        ("a.npy", "no array", "cannot be read"),
        ("a.npz", "no archive", "cannot be read"),
        ("a.parquet", "no table", "cannot be read"),
        ("a.csv", "x,y\n1,2\n1,2,3\n", "cannot be read"),
    ],
)
def test_a_file_without_a_cloud_is_refused_by_name(tmp_path: Path, name: str, content: str, said: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(BadInput, match=said) as caught:
        read_cloud(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_arrays_that_are_no_cloud(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((2, 2, 2)))
    np.savez(tmp_path / "b.npz", one=SQUARE, two=SQUARE)
    np.save(tmp_path / "c.npy", SQUARE.astype(complex))
    np.save(tmp_path / "d.npy", np.array([[None]]), allow_pickle=True)
    for name, said in {"a.npy": "got (2, 2, 2)", "b.npz": "one, two", "c.npy": "complex128", "d.npy": "pickle"}.items():
        with pytest.raises(BadInput) as caught:
            read_cloud(tmp_path / name)
        assert said in str(caught.value)


def test_unknown_columns_are_named_beside_those_there_are(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n0,0\n")
    with pytest.raises(BadInput, match="expected columns among x, y, got z"):
        read_cloud(tmp_path / "a.csv", columns="x,z")
