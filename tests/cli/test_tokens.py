"""``toriwork tokens``: looks without changing, and says when somebody has changed the log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.synthesis import forging
from toriwork.cli import main
from toriwork.synthesis import ObserverSynthesis, token_id

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A log of two generations of three rows, and one row that is not published."""
    path = tmp_path / "observer_tokens.parquet"
    observers = ObserverSynthesis(path=path)
    for generation in range(2):
        for n in range(3):
            observers.emit_token({"type": "a", "source": "me", "n": 3 * generation + n})
        assert observers.log is not None
        observers.log.flush(publish=True)
    observers.close()
    return path


def call(capsys: Capture, path: Path, *arguments: str) -> tuple[int, str]:
    code = main(["tokens", *arguments, "--path", str(path)])
    return code, capsys.readouterr().out


def test_info_tells_rows_types_and_head(capsys: Capture, path: Path) -> None:
    code, text = call(capsys, path, "info", "--json")
    facts = json.loads(text)
    assert (code, facts["rows"], facts["unpublished"], facts["generation"]) == (0, 6, 0, 2)
    assert facts["types"] == {"a": 6}
    _, text = call(capsys, path, "info")
    assert facts["head"] in text
    assert "6 rows" in text


def test_tail_shows_the_newest_first(capsys: Capture, path: Path) -> None:
    _, text = call(capsys, path, "tail", "-n", "2", "--json")
    assert [json.loads(row["body"])["m"]["n"] for row in json.loads(text)] == [5, 4]
    _, text = call(capsys, path, "tail", "-n", "1")
    assert token_id({"type": "a", "source": "me", "n": 5})[:15] in text
    assert len(text.splitlines()) == 2


def test_context_is_the_prompt_of_the_newest(capsys: Capture, path: Path) -> None:
    _, text = call(capsys, path, "context", "-n", "3", "--json")
    facts = json.loads(text)
    assert facts["token_count"] == 3
    _, text = call(capsys, path, "context", "-n", "3")
    assert text.strip() == facts["prompt"].strip()


def test_verify_is_content_with_what_nobody_touched(capsys: Capture, path: Path) -> None:
    code, text = call(capsys, path, "verify", "--json")
    assert (code, json.loads(text)["ok"]) == (0, True)
    code, text = call(capsys, path, "verify")
    assert (code, text.startswith("sound: 6 rows")) == (0, True)


@pytest.mark.parametrize("mend", [True, False], ids=["and mended what the store checks", "plainly"])
def test_verify_finds_an_edit_and_ends_with_1(capsys: Capture, path: Path, mend: bool) -> None:
    rows, _ = forging.read(path)
    rows[4]["body"] = rows[4]["body"].replace('"n":4', '"n":7')
    (forging.forge if mend else forging.write_plainly)(path, rows)
    code, text = call(capsys, path, "verify", "--json")
    found = json.loads(text)
    assert code == 1
    assert {(finding["generation"], finding["kind"]) for finding in found["findings"]} >= {(2, "edited")}
    assert found["proven"] == []
    assert call(capsys, path, "verify")[0] == 1


def test_verify_takes_a_bare_copy_and_its_checkpoints(capsys: Capture, path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere" / "copy.parquet"
    copy.parent.mkdir()
    copy.write_bytes(path.read_bytes())
    kept = path.with_suffix(".checkpoints")
    code, text = call(capsys, path, "verify", str(copy), "--checkpoints", str(kept), "--json")
    assert (code, json.loads(text)["ok"]) == (0, True)
    rows, _ = forging.read(copy)
    forging.forge(copy, rows[:-1])
    assert call(capsys, path, "verify", str(copy), "--checkpoints", str(kept))[0] == 1


def test_looking_changes_no_byte(capsys: Capture, path: Path) -> None:
    def everything() -> dict[str, bytes]:
        return {str(file): file.read_bytes() for file in sorted(path.parent.rglob("*")) if file.is_file()}

    before = everything()
    for action in ("info", "tail", "verify", "context"):
        call(capsys, path, action)
    assert everything() == before


def test_no_log_is_an_error(capsys: Capture, tmp_path: Path) -> None:
    assert main(["tokens", "info", "--path", str(tmp_path / "none.parquet")]) == 2
    assert "no token log" in capsys.readouterr().err
