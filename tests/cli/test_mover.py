"""``toriwork export-sqlite`` and ``import-sqlite``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.sqlite.hostile import cells, make
from toriwork.cli import main


def test_there_and_back_by_two_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = make(tmp_path / "a.db")
    assert main(["export-sqlite", str(source), "--to", str(tmp_path / "out")]) == 0
    assert "proven by pyarrow and DuckDB" in capsys.readouterr().out
    assert main(["import-sqlite", str(tmp_path / "out"), "--to", str(tmp_path / "b.db"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["complete"]
    assert {table["name"]: table["rows"] for table in told["tables"]}["twice"] == 3
    assert cells(tmp_path / "b.db") == cells(source)


def test_what_cannot_be_exported_is_an_error_with_its_kind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export-sqlite", str(tmp_path / "none.db"), "--to", str(tmp_path / "out"), "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"] == "not_found"


def test_rows_move_a_bar_and_no_progress_turns_it_off(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    monkeypatch.setattr("toriwork.progress.DELAY", -1.0)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    source, folder = make(tmp_path / "a.db"), tmp_path / "out"
    assert main(["export-sqlite", str(source), "--to", str(folder)]) == 0
    assert "export: " in capsys.readouterr().err
    assert main(["import-sqlite", str(folder), "--to", str(tmp_path / "b.db")]) == 0
    assert "import: " in capsys.readouterr().err
    assert main(["export-sqlite", str(source), "--to", str(tmp_path / "again"), "--no-progress"]) == 0
    assert main(["import-sqlite", str(folder), "--to", str(tmp_path / "c.db"), "--no-progress"]) == 0
    assert capsys.readouterr().err == ""
