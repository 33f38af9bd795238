"""What is measured beside tools that live in an environment of their own."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import other_tools
from benchmarks.other_tools import main, our_diagrams, our_measurements


def test_our_diagrams_have_the_loops_that_gudhi_finds(tmp_path: Path) -> None:
    from gudhi import RipsComplex

    total = 0.0
    for cloud in np.random.default_rng(0).standard_normal((3, 30, 3)):
        tree = RipsComplex(points=cloud).create_simplex_tree(max_dimension=2)
        tree.compute_persistence()
        total += np.diff(tree.persistence_intervals_in_dimension(1)).sum()
    assert our_diagrams(3, 30, str(tmp_path))["answer"] == pytest.approx(total)


def test_each_measurement_is_a_token(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    found = our_measurements(12, str(tmp_path))
    assert found["answer"] == 12
    assert found["seconds"] > 0
    assert pq.read_metadata(tmp_path / "observer_tokens.parquet").num_rows == 12 + other_tools._WARM


def test_an_interpreter_without_them_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(other_tools, "MODULES", dict.fromkeys(other_tools.MODULES, "a_module_that_is_nowhere"))
    assert main([sys.executable]) == 2
    told = capsys.readouterr()
    assert told.err.count("left out") == 3
    assert "0 lines" in told.out


def test_different_answers_are_no_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(other_tools, "MODULES", dict.fromkeys(other_tools.MODULES, "numpy"))
    answers = {"our_diagrams": 1.0, "their_diagrams": 1.1}
    monkeypatch.setattr(other_tools, "_ask", lambda _, name, __: {"seconds": 1.0, "answer": answers[name]})
    work = (other_tools.GIOTTO, "diagrams", {"n_clouds": 1, "n_points": 5})
    with pytest.raises(RuntimeError, match="ours found"):
        other_tools.measure(sys.executable, [work], 1, tmp_path)
