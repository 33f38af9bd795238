"""The files that people have become clouds, or are refused in one sentence that names the remedy."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from toriwork.cli import main
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
    "a comma behind each row": "x,y\n0,0,\n0,1,\n1,0,\n1,1.5,\n",
    "a comma behind names and rows": "x,y,\n0,0,\n0,1,\n1,0,\n1,1.5,\n",
    "a point 0 1 first, by blanks": "0 0\n0 1\n1 0\n1 1.5\n",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_text_in_every_form(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.csv").write_bytes(text.encode())
    assert np.array_equal(read_cloud(tmp_path / "a.csv"), SQUARE)


SAID = {
    "to_csv": (pd.DataFrame(SQUARE, columns=["x", "y"]).to_csv(), "counts the rows; it is left out"),
    "to_csv of an array": (pd.DataFrame(SQUARE).to_csv(), "counts the rows; it is left out"),
    "write.csv of R": ('"","x","y"\n"1",0,0\n"2",0,1\n"3",1,0\n"4",1,1.5\n', "counts the rows; it is left out"),
    "columns that are counted": (pd.DataFrame(SQUARE).to_csv(index=False), "first line (0, 1) is taken for names"),
    "decimal commas, semicolons": ("x;y\n0,0;0,0\n0;1\n1;0\n1;1,5\n", "decimal commas are read as points"),
    "decimal commas, blanks": ("0,0 0,0\n0 1\n1 0\n1 1,5\n", "decimal commas are read as points"),
    "decimal commas, tabs": ("0,0\t0,0\n0\t1\n1\t0\n1\t1,5\n", "decimal commas are read as points"),
}


@pytest.mark.parametrize(("text", "said"), SAID.values(), ids=SAID)
def test_what_is_no_coordinate_is_left_out_with_a_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    (tmp_path / "a.csv").write_text(text)
    assert np.array_equal(read_cloud(tmp_path / "a.csv"), SQUARE)
    assert said in capsys.readouterr().err


def test_a_line_of_one_number_is_a_name_above_numbers_with_a_point(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("0\n0.5\n1.0\n")
    (tmp_path / "b.csv").write_text("0\n1\n2\n")
    assert read_cloud(tmp_path / "a.csv").tolist() == [[0.5], [1.0]]
    assert read_cloud(tmp_path / "b.csv").tolist() == [[0.0], [1.0], [2.0]]


def test_row_numbers_are_left_out_of_parquet_and_kept_when_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(pd.DataFrame(SQUARE, columns=["x", "y"]).to_csv())
    pd.read_csv(tmp_path / "a.csv").to_parquet(tmp_path / "a.parquet")
    assert np.array_equal(read_cloud(tmp_path / "a.parquet"), SQUARE)
    assert read_cloud(tmp_path / "a.csv", columns="Unnamed: 0,x")[:, 0].tolist() == [0, 1, 2, 3]


def test_integers_name_columns_of_parquet_and_of_text_without_names(tmp_path: Path) -> None:
    pd.DataFrame(SQUARE).to_parquet(tmp_path / "a.parquet")
    (tmp_path / "a.csv").write_text(TEXTS["no names"])
    for name in ("a.parquet", "a.csv"):
        assert np.array_equal(read_cloud(tmp_path / name, columns="1,0"), SQUARE[:, ::-1]), name


DAMAGED = {
    "flipped.npz": "cannot be read",
    "header.npy": "cannot be read",
    "huge.npy": "cannot be read",
    "wider.npy": "cannot be read",
    "thrift.parquet": "cannot be read",
    "field.csv": "field larger than field limit",
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_one_sentence_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    packed = io.BytesIO()
    np.savez_compressed(packed, a=np.random.default_rng(0).normal(size=(40, 2)))
    flipped = bytearray(packed.getvalue())
    flipped[200:260] = b"\xff" * 60
    content = {
        "flipped.npz": bytes(flipped),
        "header.npy": _npy("(40, 2)").replace(b"(40, 2)", b"(40, (2"),
        "huge.npy": _npy(f"({10**13}, 2)"),
        "wider.npy": _npy(f"({10**30}, 2)"),
        "thrift.parquet": b"PAR1" + b"x" * 100 + b"\x40\x00\x00\x00PAR1",
        "field.csv": b"x" * 200_000 + b",y\n1,2\n",
    }
    (tmp_path / name).write_bytes(content[name])
    assert main(["diagram", str(tmp_path / name)]) == 2
    told = capsys.readouterr().err
    assert str(tmp_path / name) in told
    assert DAMAGED[name] in told
    assert told.count("\n") == 1


def _npy(shape: str) -> bytes:
    """A file of NumPy with the numbers of 40 points that claims a shape."""
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(640)


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
        ("a.csv", "x,y\n", "expected at least one point, got none"),
        (
            "a.csv",
            ",x,y\n3,1,2\n7,3,4\n",
            r"expected a name for each column, got none for column 0; --columns x,y leaves",
        ),
        ("a.csv", "x,y\n1,2,3\n3,4,5\n", "expected 2 fields as in its first line, got 3 in line 2"),
        ("a.csv", "x,y\n1,2\n3,4,5\n", "Expected 2 fields in line 3, saw 3"),
        ("a.csv", "x,y\n\n# odd\n1,2,3\n", "got 3 in line 4"),
        ("a.csv", "x,y\n1,2,\n3,4,5\n", "line 3"),
        ("a.csv", "setosa,0\nother,1\n", "expected a first line of names or of numbers, got both: setosa, 0"),
        ("a.csv", "1.5,2.5,setosa\n3,4,other\n", "expected a first line of names or of numbers, got both"),
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


def test_a_column_is_chosen_once(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n0,0\n")
    with pytest.raises(BadInput, match="expected each column once, got x, x"):
        read_cloud(tmp_path / "a.csv", columns="x,x")
