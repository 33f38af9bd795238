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


def test_head_tells_numbers_unknown_ones_and_cuts_nothing_in_a_pipe(capsys: Capture, path: Path) -> None:
    _, text = call(capsys, path, "head", "-n", "1")
    names, row = (line.split() for line in text.splitlines())
    assert names == ["shape_id", "time", "(UTC)", "b0", "b1", "b2", "band", "metadata"]
    assert row[3:] == ["1", "0", "-", "local", '{"k":2}']


def test_typed_columns_are_shown_and_exported(capsys: Capture, path: Path, tmp_path: Path) -> None:
    with TorusRegistry(path, columns={"k": "int64", "t": "float64"}) as registry:
        registry.record_shape(np.eye(2), (1, 0), t=0.1)
    names, *rows = (line.split() for line in call(capsys, path, "head", "-n", "2")[1].splitlines())
    assert names[6:] == ["band", "k", "t", "metadata"]
    assert [row[6:] for row in rows] == [["local", "-", "0.1", '{"t":0.1}'], ["local", "2", "-", '{"k":2}']]
    assert "k int64, t float64" in call(capsys, path, "info")[1]
    assert json.loads(call(capsys, path, "info", "--json")[1])["columns"] == {"k": "int64", "t": "float64"}
    assert [row["k"] for row in json.loads(call(capsys, path, "head", "--json")[1])] == [None, 2, 1, 0]
    assert call(capsys, path, "export", str(tmp_path / "rows.csv"))[0] == 0
    assert pd.read_csv(tmp_path / "rows.csv")["t"].tolist()[0] == 0.1


def test_add_records_each_file_with_its_numbers_or_none(capsys: Capture, path: Path, tmp_path: Path) -> None:
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    np.save(tmp_path / "circle.npy", circle)
    (tmp_path / "named.csv").write_text("who,x,y\na,0,0\nb,1,1\nc,2,\n")
    files = [str(tmp_path / "circle.npy"), str(tmp_path / "named.csv")]
    assert main(["registry", "add", *files, "--path", str(path)]) == 2
    assert "--columns x,y leaves it out" in capsys.readouterr().err
    assert len(pd.read_parquet(path)) == 3, "the first file was fine, and was not recorded either"
    code, text = call(capsys, path, "add", files[0], "--band", "global", "--json")
    (row,) = json.loads(text)["rows"]
    assert (code, row["betti0"], row["betti1"], row["coherence_band"]) == (0, 1, 1, "global")
    assert json.loads(row["metadata"]) == {"file": "circle.npy"}
    code, text = call(capsys, path, "add", files[1], "--columns", "x,y", "--drop-missing")
    assert (code, text.splitlines()[1].split()[2]) == (0, "2")
    assert len(pd.read_parquet(path)) == 5, "published"


def test_add_shows_its_own_rows_beside_a_writer(
    capsys: Capture, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    np.save(tmp_path / "two.npy", np.vstack([circle, circle + 5]))
    np.save(tmp_path / "one.npy", circle)
    flush = TorusRegistry.flush

    def meanwhile(registry: TorusRegistry, **options: bool) -> None:
        flush(registry, **options)
        with TorusRegistry(path) as other:
            other.record_shapes([np.eye(2) * n for n in range(1, 4)], [(77, 88, 99)] * 3)

    monkeypatch.setattr(TorusRegistry, "flush", meanwhile)
    files = [str(tmp_path / name) for name in ("two.npy", "one.npy", "one.npy")]
    code, text = call(capsys, path, "add", *files, "--json")
    numbers = [(row["betti0"], row["betti1"]) for row in json.loads(text)["rows"]]
    assert (code, numbers) == (0, [(2, 2), (1, 1), (1, 1)])
    code, text = call(capsys, path, "add", *files)
    assert [line.split()[-2:] for line in text.splitlines()[1:]] == [["2", "2"], ["1", "1"], ["1", "1"]]


def test_add_makes_the_registry_where_there_is_none(capsys: Capture, tmp_path: Path, state_root: Path) -> None:
    (tmp_path / "a.csv").write_text("0,0\n1,1\n")
    assert main(["registry", "add", str(tmp_path / "a.csv")]) == 0
    assert len(pd.read_parquet(state_root / "torus_registry.parquet")) == 1


def test_head_of_fewer_than_no_rows_is_refused(capsys: Capture, path: Path) -> None:
    with TorusRegistry(path) as registry:
        registry.retract(registry.df.shape_id[0], "wrong")
    assert main(["registry", "head", "-n", "-1", "--path", str(path)]) == 2
    assert "n: expected an integer >= 0, got -1" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl"])
def test_export_writes_every_row_newest_first(capsys: Capture, path: Path, tmp_path: Path, name: str) -> None:
    writer = TorusRegistry(path)
    writer.record_shape(np.zeros((2, 2)), (1, 0), metadata={"k": 3})
    code, text = call(capsys, path, "export", str(tmp_path / name), "--json")
    writer.close()
    assert (code, json.loads(text)["n_rows"]) == (0, 4)
    out = tmp_path / name
    rows = pd.read_csv(out) if name.endswith("csv") else pd.DataFrame(map(json.loads, out.read_text().splitlines()))
    assert [json.loads(text)["k"] for text in rows.metadata] == [3, 2, 1, 0]
    assert rows.betti2.isna().all()
    assert main(["registry", "export", str(out), "--path", str(path)]) == 2
    assert "expected a name that is free" in capsys.readouterr().err


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
