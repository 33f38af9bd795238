"""``toriwork registry``: looks without changing, publishes, and says when something is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from toriwork.cli import main
from toriwork.registry import TorusRegistry

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A published registry of three rows."""
    path = tmp_path / "torus_registry.parquet"
    with TorusRegistry(path) as registry:
        for k in range(3):
            registry.record_shape(np.eye(3) + k, (1, 0), metadata={"k": k})
        registry.flush(publish=True)
    return path


def call(capsys: Capture, path: Path, *arguments: str) -> tuple[int, str]:
    code = main(["registry", *arguments, "--path", str(path)])
    return code, capsys.readouterr().out


def test_info_tells_rows_as_text_and_as_json(capsys: Capture, path: Path) -> None:
    code, text = call(capsys, path, "info")
    assert code == 0
    assert str(path) in text
    code, text = call(capsys, path, "info", "--json")
    facts = json.loads(text)
    assert (code, facts["total_shapes"], facts["path"]) == (0, 3, str(path))
    assert facts["avg_betti"]["b2"] is None, "NaN has no JSON form"


def test_head_shows_the_newest_rows_first(capsys: Capture, path: Path) -> None:
    _, text = call(capsys, path, "head", "-n", "2", "--json")
    assert [json.loads(row["metadata"])["k"] for row in json.loads(text)] == [2, 1]
    _, text = call(capsys, path, "head", "-n", "1")
    assert '"k":2' in text
    assert '"k":1' not in text


def test_publish_brings_pending_rows_into_the_file(capsys: Capture, path: Path) -> None:
    writer = TorusRegistry(path)
    writer.record_shape(np.zeros((2, 2)), (1, 0))
    assert len(pd.read_parquet(path)) == 3
    code, text = call(capsys, path, "publish", "--json")
    assert (code, json.loads(text)["n_rows"]) == (0, 4)
    assert len(pd.read_parquet(path)) == 4
    writer.close()


def test_looking_changes_no_byte(capsys: Capture, path: Path) -> None:
    def everything() -> dict[str, bytes]:
        return {str(file): file.read_bytes() for file in sorted(path.parent.rglob("*")) if file.is_file()}

    before = everything()
    for action in ("info", "head", "verify"):
        call(capsys, path, action)
    assert everything() == before


def test_verify_finds_a_flipped_byte_and_ends_with_1_or_2(capsys: Capture, path: Path) -> None:
    assert call(capsys, path, "verify")[0] == 0
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 0x10
    path.write_bytes(content)
    assert main(["registry", "verify", "--path", str(path)]) in (1, 2)
    captured = capsys.readouterr()
    assert path.name in captured.out + captured.err
    assert path.read_bytes() == bytes(content), "a damaged file is left as it is"


def test_a_missing_registry_is_not_made(capsys: Capture, tmp_path: Path) -> None:
    for action in ("info", "head", "verify", "publish"):
        assert main(["registry", action, "--path", str(tmp_path / "none" / "torus_registry.parquet")]) == 2
        assert "there is no registry" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_without_a_path_the_state_root_is_meant(capsys: Capture, state_root: Path) -> None:
    assert main(["registry", "info"]) == 2
    assert str(state_root) in capsys.readouterr().err
