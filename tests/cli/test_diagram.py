"""``toriwork diagram``: the shape of a file in numbers, as JSON and as a figure."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from toriwork.cli import main

Capture = pytest.CaptureFixture[str]
ANGLES = np.linspace(0, 2 * np.pi, 40, endpoint=False)
CIRCLE = np.column_stack([np.cos(ANGLES), np.sin(ANGLES)])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    np.savetxt(tmp_path / "circle.csv", CIRCLE, delimiter=",", header="x,y", comments="")
    return tmp_path / "circle.csv"


def test_the_longest_bars_stand_first_and_the_rest_is_counted(capsys: Capture, file: Path) -> None:
    assert main(["diagram", str(file)]) == 0
    first, names, *bars, last = capsys.readouterr().out.splitlines()
    assert first.startswith("circle.csv: 40 points. ")
    assert names.split() == ["dimension", "birth", "death", "length"]
    assert [bar.split()[0] for bar in bars[:3]] == ["0", "1", "0"]
    assert (len(bars), last) == (10, "and 31 shorter bars")
    lengths = [float(bar.split()[3]) for bar in bars]
    assert lengths == sorted(lengths, reverse=True)


def test_json_holds_every_bar(capsys: Capture, file: Path) -> None:
    assert main(["diagram", str(file), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["n_points"], facts["betti"], len(facts["pairs"])) == (40, [1, 1], 41)
    assert facts["pairs"][0] == {"dimension": 0, "birth": 0.0, "death": None}


def test_a_matrix_of_distances_has_the_same_bars(capsys: Capture, file: Path) -> None:
    distances = np.linalg.norm(CIRCLE[:, None] - CIRCLE[None], axis=-1)
    np.save(file.with_name("d.npy"), distances)
    told = []
    for line in (["diagram", str(file)], ["diagram", str(file.with_name("d.npy")), "--distances"]):
        assert main([*line, "--json"]) == 0
        told.append(json.loads(capsys.readouterr().out))
    assert told[0]["betti"] == told[1]["betti"]
    assert np.allclose([one["birth"] for one in told[0]["pairs"]], [one["birth"] for one in told[1]["pairs"]])


@pytest.mark.parametrize(("ending", "magic"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_the_figure_is_saved_in_the_form_of_its_ending(capsys: Capture, file: Path, ending: str, magic: bytes) -> None:
    out = file.with_name(f"figure.{ending}")
    assert main(["diagram", str(file), "--plot", str(out)]) == 0
    assert f"figure: {out}" in capsys.readouterr().out
    assert out.read_bytes().startswith(magic)


@pytest.mark.parametrize("name", ["figure.docx", "none/figure.pdf", "figure"])
def test_a_figure_that_cannot_be_saved_is_one_sentence(capsys: Capture, file: Path, name: str) -> None:
    assert main(["diagram", str(file), "--plot", str(file.with_name("x").parent / name)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
