"""``toriwork notebook``: a starter that runs on the user's file as it is, and the file for nbval."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import pytest

from toriwork.cli import main
from toriwork.cli.notebook import SANITIZE

Capture = pytest.CaptureFixture[str]
ANGLES = np.linspace(0, 2 * np.pi, 30, endpoint=False)
FRAME = pd.DataFrame({"x": np.cos(ANGLES), "y": np.sin(ANGLES), "name": "a"})


def run(path: Path) -> dict[str, Any]:
    """The names that the cells of a notebook bind, run in its folder."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    names: dict[str, Any] = {}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            exec(cell.source, names)
    return names


WAYS = {
    "a.csv": (lambda path: FRAME.to_csv(path, index=False), ["--columns", "x,y"]),
    "b.csv": (lambda path: FRAME[["x", "y"]].to_csv(path, index=False, header=False, sep=";"), []),
    "c.csv": (lambda path: FRAME[["x", "y"]].where(FRAME.x < 0.99).to_csv(path, index=False), ["--drop-missing"]),
    "d.npy": (lambda path: np.save(path, FRAME[["x", "y"]]), []),
    "e.npz": (lambda path: np.savez(path, points=FRAME[["x", "y"]]), []),
    "f.parquet": (FRAME.to_parquet, ["--columns", "y,x"]),
    "g.npy": (lambda path: np.save(path, FRAME[["x", "y", "y"]]), ["--columns", "0,1"]),
    "h.npy": (lambda path: np.save(path, FRAME[["x", "y"]].where(FRAME.x < 0.99)), ["--drop-missing"]),
    "i.csv": (lambda path: FRAME[["x", "y"]].where(FRAME.x < 0.99, np.inf).to_csv(path), ["--drop-missing"]),
    "j.csv": (lambda path: FRAME[["x", "y"]].to_csv(path, index=False, header=False), ["--columns", "0,1"]),
}


@pytest.mark.parametrize("name", WAYS)
def test_a_new_notebook_runs_on_the_file_and_records_it(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    write, words = WAYS[name]
    (tmp_path / "data").mkdir()
    (tmp_path / "work").mkdir()
    write(tmp_path / "data" / name)
    out = tmp_path / "work" / "look.ipynb"
    assert main(["notebook", "new", str(tmp_path / "data" / name), "--to", str(out), *words]) == 0
    monkeypatch.chdir(out.parent)
    names = run(out)
    assert names["points"].shape == (29 if "--drop-missing" in words else 30, 2)
    assert np.isfinite(names["points"]).all()
    assert names["estimate"].numbers == (1, 1)
    assert json.loads(names["newest"].metadata.iloc[0]) == {"file": name}
    assert main(["notebook", "new", str(tmp_path / "data" / name), "--to", str(out), *words]) == 2
    assert "expected a name that is free" in capsys.readouterr().err


def test_the_sanitising_file_is_written_once(capsys: Capture, tmp_path: Path) -> None:
    assert main(["notebook", "sanitize", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["file"] == str(tmp_path / "sanitize.cfg")
    assert (tmp_path / "sanitize.cfg").read_bytes() == SANITIZE.read_bytes()
    assert main(["notebook", "sanitize", str(tmp_path)]) == 2
    assert "left as it is" in capsys.readouterr().err
