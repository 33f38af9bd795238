"""``toriwork backup`` and ``restore`` take a whole state root; ``registry backup | restore | repair`` one registry."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from toriwork.cells import TorusCells
from toriwork.cli import main
from toriwork.cli.doctor import check_registry
from toriwork.registry import TorusRegistry
from toriwork.storage import ParquetTable
from toriwork.synthesis import ObserverSynthesis

Capture = pytest.CaptureFixture[str]
CIRCLE = np.c_[np.cos(np.arange(40) / 40 * 2 * np.pi), np.sin(np.arange(40) / 40 * 2 * np.pi)]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state root with rows in every table, the newest of each not public yet."""
    root = tmp_path / "root"
    monkeypatch.setenv("TORI_STATE_ROOT", str(root))
    return root


def call(capsys: Capture, *arguments: str) -> tuple[int, str]:
    code = main(list(arguments))
    return code, capsys.readouterr().out


def test_a_whole_state_root_is_backed_up_while_it_is_in_use_and_restored_equal(
    capsys: Capture, root: Path, tmp_path: Path
) -> None:
    registry = TorusRegistry(root / "torus_registry.parquet")
    cells = TorusCells(registry)
    synthesis = ObserverSynthesis(path=root / "observer_tokens.parquet")
    for k in range(3):
        cells.betti_update(f"idea {k}", CIRCLE * (k + 1), "global")
        synthesis.emit_token({"type": "test", "k": k})
    code, text = call(capsys, "backup", str(tmp_path / "kept"), "--json")
    made = json.loads(text)
    assert code == 0
    assert sorted(Path(one["path"]).name.rpartition("-")[0] for one in made) == [
        "observer_tokens",
        "torus_cells",
        "torus_diagrams",
        "torus_registry",
    ]
    assert all(len(pd.read_parquet(one["path"])) == one["n_rows"] > 0 for one in made)
    code, text = call(capsys, "restore", str(tmp_path / "kept"), "--to", str(tmp_path / "drill"), "--json")
    assert code == 0
    assert all(one["clean"] for one in json.loads(text))
    with TorusRegistry(tmp_path / "drill" / "torus_registry.parquet", read_only=True) as copy:
        assert copy.df.equals(registry.df)
        again = TorusCells(copy)
        assert again.get_protected_ideas() == cells.get_protected_ideas() != {}
    assert main(["tokens", "verify", "--path", str(tmp_path / "drill" / "observer_tokens.parquet")]) == 0
    code, _ = call(capsys, "restore", str(tmp_path / "kept"))
    assert code == 2, "tables that are there are not replaced"
    for handle in (cells, synthesis, registry):
        handle.close()


def test_nothing_to_back_up_or_to_restore_is_said(capsys: Capture, root: Path, tmp_path: Path) -> None:
    assert call(capsys, "backup", str(tmp_path / "kept"))[0] == 2
    assert call(capsys, "restore", str(tmp_path / "kept"))[0] == 2
    assert not root.exists()


def test_one_registry_goes_to_its_backup_and_back(capsys: Capture, root: Path, tmp_path: Path) -> None:
    path, kept = root / "torus_registry.parquet", tmp_path / "kept"
    with TorusRegistry(path) as registry:
        registry.record_shape(CIRCLE)
        code, text = call(capsys, "registry", "backup", str(kept), "--json")
        first = json.loads(text)
        assert (code, first["n_rows"], first["n_unpublished"]) == (0, 1, 1)
        registry.record_shape(CIRCLE * 2)
        assert "2 rows, 2 of them" in call(capsys, "registry", "backup", str(kept), "--path", str(path))[1]
    code, text = call(capsys, "registry", "restore", str(kept), "--replace")
    assert code == 0
    assert "2 rows restored, sound; what was there is kept in" in text
    name = Path(first["path"]).name
    for place, chosen in ((kept, ["--name", name]), (kept / name, [])):
        code, _ = call(capsys, "registry", "restore", str(place), "--replace", *chosen)
        with TorusRegistry(path, read_only=True) as restored:
            assert (code, len(restored)) == (0, 1)
    assert call(capsys, "registry", "restore")[0] == 2


def test_a_damaged_table_stops_no_other(capsys: Capture, root: Path, tmp_path: Path) -> None:
    with TorusRegistry(root / "torus_registry.parquet") as registry:
        registry.record_shape(CIRCLE, (1, 1))
    for name in ("observer_tokens", "torus_diagrams"):
        (root / f"{name}.parquet").write_bytes(b"PAR1 damaged PAR1")
    (root / "torus_cells.d").mkdir()  # a first opening that was cut short
    code, text = call(capsys, "backup", str(tmp_path / "kept"), "--json")
    made, *failed = json.loads(text)
    assert code == 1
    assert made["n_rows"] == 1
    assert [one["table"] for one in failed] == ["observer_tokens.parquet", "torus_diagrams.parquet"]
    assert all(one["error"] == "damaged_file" for one in failed)
    with closing(ObserverSynthesis(path=tmp_path / "other" / "observer_tokens.parquet")) as tokens:
        tokens.emit_token({"type": "a"})
    call(capsys, "backup", str(tmp_path / "kept"), "--root", str(tmp_path / "other"))
    code, text = call(capsys, "restore", str(tmp_path / "kept"), "--json")
    assert code == 2, "both are there"
    (root / "observer_tokens.parquet").unlink()
    code, text = call(capsys, "restore", str(tmp_path / "kept"), "--json")
    [done, refused] = json.loads(text)
    assert (code, done["n_rows"], Path(done["path"]).name) == (1, 1, "observer_tokens.parquet")
    assert refused["table"] == "torus_registry.parquet"


def test_a_token_log_is_sound_behind_a_restore_of_what_had_no_checkpoints(
    capsys: Capture, root: Path, tmp_path: Path
) -> None:
    log = root / "observer_tokens.parquet"

    def emit(n: int, *, flush: bool) -> None:
        with closing(ObserverSynthesis(path=log)) as tokens:
            for value in range(n):
                tokens.emit_token({"type": "a", "source": "s", "v": value})
            if flush:
                tokens.flush()
            else:
                assert call(capsys, "backup", str(tmp_path / "kept"))[0] == 0

    emit(5, flush=False)
    emit(5, flush=True)
    assert log.with_suffix(".checkpoints").exists()
    assert call(capsys, "restore", str(tmp_path / "kept"), "--replace")[0] == 0
    assert main(["tokens", "verify"]) == 0
    emit(5, flush=False)
    assert call(capsys, "restore", str(tmp_path / "kept"), "--to", str(tmp_path / "drill"))[0] == 0
    assert main(["tokens", "verify", "--path", str(tmp_path / "drill" / log.name)]) == 0


def test_an_empty_backup_is_taken_only_when_that_is_said(capsys: Capture, root: Path, tmp_path: Path) -> None:
    path, kept = root / "torus_registry.parquet", str(tmp_path / "kept")
    with TorusRegistry(path) as registry:
        registry.backup(kept)
        registry.record_shape(CIRCLE, (1, 1))
    for arguments in (["registry", "restore", kept, "--replace"], ["restore", kept, "--replace"]):
        assert main(arguments) == 2
        assert "holds no rows" in capsys.readouterr().err
        with TorusRegistry(path) as registry:
            assert len(registry) == 1
            registry.flush(publish=True)
        assert call(capsys, *arguments, "--empty")[0] == 0
        with TorusRegistry(path) as registry:
            assert len(registry) == 0
            registry.record_shape(CIRCLE, (1, 1))


def test_a_registry_comes_back_under_another_name(capsys: Capture, root: Path, tmp_path: Path) -> None:
    with TorusRegistry(root / "torus_registry.parquet") as registry:
        registry.record_shape(CIRCLE, (1, 1))
        made = registry.backup(tmp_path / "kept")
    for place in (made.path, made.path.with_suffix(".json")):
        other = tmp_path / place.suffix / "drill.parquet"
        assert call(capsys, "registry", "restore", str(place), "--path", str(other))[0] == 0
        with TorusRegistry(other, read_only=True) as restored:
            assert len(restored) == 1
    assert main(["registry", "restore", str(tmp_path / "kept"), "--path", str(tmp_path / "drill.parquet")]) == 2
    assert "got those of torus_registry" in capsys.readouterr().err


def test_repair_tells_before_it_does(capsys: Capture, root: Path) -> None:
    path = root / "torus_registry.parquet"
    with TorusRegistry(path) as registry:
        registry.record_shape(CIRCLE)
    assert call(capsys, "registry", "repair") == (0, f"{path}: nothing to repair\n")
    head = path.with_suffix(".d") / "HEAD"
    head.write_text("damaged")
    code, text = call(capsys, "registry", "repair")
    assert code == 1
    assert f"HEAD goes to {path.with_suffix('.d') / 'quarantine' / 'HEAD.0'}" in text
    assert head.read_text() == "damaged"
    code, text = call(capsys, "registry", "repair", "--yes", "--json")
    assert (code, json.loads(text)["done"]) == (0, True)
    assert call(capsys, "registry", "verify")[0] == 0
    with TorusRegistry(path) as registry:
        registry.record_shape(CIRCLE)
        registry.flush(publish=False)
        head.unlink()
        assert "HEAD is missing; it is written anew" in call(capsys, "registry", "repair")[1]


def test_doctor_tells_unpublished_rows_and_their_age(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with TorusRegistry(root / "torus_registry.parquet") as registry:
        registry.record_shape(CIRCLE, (1, 1))
        [_, pending] = check_registry()
        assert (pending.level, "1 rows are not in the public file yet" in pending.message) == ("ok", True)
        monkeypatch.setattr(ParquetTable, "pending_age", 3600.0)
        [_, pending] = check_registry()
        assert (pending.level, "for 3600 s: cp leaves them out" in pending.message) == ("note", True)
        assert "registry publish" in pending.remedy
    monkeypatch.undo()
    monkeypatch.setenv("TORI_STATE_ROOT", str(root))
    (root / "torus_registry.d" / "HEAD").write_text("damaged")
    [problem] = check_registry()
    assert problem.level == "problem"
    assert "registry repair" in problem.remedy


def test_a_registry_goes_to_a_bucket_and_comes_back_from_there(
    capsys: Capture, root: Path, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with TorusRegistry(root / "torus_registry.parquet", publish_to=bucket) as registry:
        registry.record_shape(CIRCLE)
        first = registry.upload().generation
        registry.record_shape(CIRCLE * 2)
        code, text = call(capsys, "registry", "publish", "--to", bucket, "--json")
        assert code == 0
        assert json.loads(text)["generation"] > first
        known = registry.get_statistics()["uploaded"]
        assert (known["to"], known["behind"], known["error"]) == (bucket, 0, "")
        assert [one.level for one in check_registry()] == ["ok"]
        frame = registry.df
    code, text = call(capsys, "registry", "generations", bucket, "--json")
    listed = json.loads(text)
    assert code == 0
    assert [one["rows"] for one in listed][:1] == [2]
    assert listed[-1]["generation"] == first
    for wanted, n_rows in (([], 2), (["--as-of", str(first)], 1), (["--as-of", listed[-1]["published"]], 1)):
        drill = tmp_path / f"drill{len(wanted)}{wanted[-1:]}"
        code, text = call(capsys, "registry", "restore", bucket, "--to", str(drill), *wanted, "--json")
        assert code == 0
        assert json.loads(text)["clean"]
        with TorusRegistry(drill / "torus_registry.parquet", read_only=True) as copy:
            assert copy.df.equals(frame.iloc[:n_rows])
    assert call(capsys, "registry", "restore", bucket, "--name", "x")[0] == 2
    assert call(capsys, "registry", "restore", str(tmp_path), "--as-of", "1")[0] == 2
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with TorusRegistry(root / "torus_registry.parquet", publish_to=bucket) as registry:
        registry.record_shape(CIRCLE * 3)
        registry.flush(publish=True)
    assert call(capsys, "registry", "publish", "--to", bucket)[0] == 2
    (told,) = [one for one in check_registry() if one.level == "note"]
    assert f"{bucket} has generation {listed[0]['generation']}" in told.message
