"""What version 0.1 left behind opens, verifies, grows and publishes; ``release_0_1/make.py`` tells what that is.

Dead journals, a segment, rows that lack values, completions elsewhere (also in a sealed journal), a torn end; tokens
that were published out of order, retired out of order, and beside a clock that went back.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.storage.release_0_1.make import circle, cloud, digest
from tests.synthesis import forging
from toriwork import ObserverSynthesis, TorusCells, TorusRegistry
from toriwork.cells.memory import DiagramMemory
from toriwork.monitors import OriginSentry
from toriwork.registry.rows import pack_shape
from toriwork.registry.spectral import SpectralDB
from toriwork.synthesis.log import TokenLog
from toriwork.synthesis.verify import verify_file
from toriwork.topology import estimate_betti

MADE = Path(__file__).parent / "release_0_1"
EXPECTED = json.loads((MADE / "expected.json").read_text(encoding="utf-8"))
LOGS = sorted(EXPECTED["logs"])
BY_HAND = [7.0, 3.0, None]  #: completions that no computation gives


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A copy of the state root as it was left behind."""
    with tarfile.open(MADE / "state.tar.gz") as tar:
        tar.extractall(tmp_path, filter="data")
    return tmp_path / "state"


@pytest.fixture
def registry(state: Path) -> Path:
    return state / "torus_registry.parquet"


def files_of(folder: Path) -> dict[str, str]:
    """Every file under a folder with a hash over what is in it."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def rows_of(frame: pd.DataFrame) -> dict[str, dict]:
    """Each row that the maker told of by its metadata, which are all different but for the batches."""
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return {row["metadata"] + row["shape_id"]: row for row in rows}


def computed(vertices: np.ndarray) -> list[float | None]:
    """The Betti numbers of a cloud as a row has them."""
    numbers = estimate_betti(vertices, max_dimension=1).numbers
    return [None if np.isnan(number) else number for number in [*numbers, np.nan, np.nan][:3]]


def check_rows(frame: pd.DataFrame, *, completed: bool) -> None:
    """Every row that had been promised is there, once, with what was given; ``completed``: none lacks values."""
    found = rows_of(frame)
    assert len(found) == len(frame)
    told = [{**row, "text": json.dumps(row["metadata"], ensure_ascii=False)} for row in EXPECTED["rows"]]
    by_metadata = {json.dumps(json.loads(r["metadata"]), ensure_ascii=False) + r["shape_id"]: r for r in found.values()}
    for row in told:
        there = by_metadata.pop(row["text"] + row["shape_id"])
        assert there["coherence_band"] == row["band"]
        numbers = [there[f"betti{k}"] for k in range(3)]
        key = next(iter(row["metadata"]))
        if key == "open":
            assert numbers == (computed(circle(6 + row["metadata"]["open"])) if completed else [None] * 3)
        elif key == "elsewhere":
            assert numbers == BY_HAND
        elif key == "late":
            later = computed(circle(30 + row["metadata"]["late"])) if completed else [None] * 3
            assert numbers == later  # version 0.1 sealed the journal that completes them: nobody reads it any more
        else:
            given = row["betti"] or []
            assert numbers == [*given, *[None] * (3 - len(given))]
    monitors = list(by_metadata.values())
    assert len(monitors) == EXPECTED["of monitors"]
    assert all(set(json.loads(row["metadata"])) & {"torus_cells", "spectral_stream", "step"} for row in monitors)


def check_ids(table: TorusRegistry) -> None:
    """The rows that the old code read have their ids and times, and their clouds are what the ids are the hash of."""
    columns = ["row_id", "shape_id", "timestamp"]
    rows = table.scan(columns).read_all().sort_by("row_id").to_pylist()
    there = {row["row_id"]: (row["shape_id"], row["timestamp"].isoformat()) for row in rows}
    assert len(there) == len(rows)
    assert {row["row_id"]: (row["shape_id"], row["timestamp"]) for row in EXPECTED["read"]}.items() <= there.items()
    for shape_id in {row["shape_id"] for row in EXPECTED["rows"] if not row.get("legacy")}:
        assert pack_shape(table.vertices(shape_id), (1,), "local", None).shape_id == shape_id


def test_the_registry_is_read_as_it_was_and_nothing_is_touched(state, registry):
    before = files_of(state)
    table = TorusRegistry(registry, read_only=True)
    check_rows(table.df, completed=False)
    check_ids(table)
    assert table.verify().findings == ()
    table.close()
    assert files_of(state) == before


def test_the_registry_opens_grows_and_publishes(registry):
    with TorusRegistry(registry) as table:
        assert table.verify().findings == ()
        check_ids(table)
        new = [table.record_shape(cloud(1000 + n), (1, 0, 0), "local", {"new": n}) for n in range(5)]
        table.flush(publish=True)
        check_ids(table)
        assert table.verify().findings == ()
    public = pd.read_parquet(registry)
    assert public["shape_id"].tolist()[:34] == [row["shape_id"] for row in EXPECTED["read"]][:34], "published before"
    assert set(new) <= set(public["shape_id"])
    check_rows(public[~public["shape_id"].isin(new)], completed=True)
    with TorusRegistry(registry) as table:
        assert len(table) == len(EXPECTED["read"]) + 5
        assert table.get_statistics()["pending_writes"] == 0
        check_ids(table)


def test_the_file_of_the_software_before_is_still_kept(registry):
    (original,) = registry.with_suffix(".d").glob("legacy-*.original")
    TorusRegistry(registry).close()
    kept = pd.read_parquet(original)
    assert kept["shape_id"].tolist() == [row["shape_id"] for row in EXPECTED["rows"] if row.get("legacy")]


def test_a_torn_row_was_never_promised_and_is_set_aside(registry):
    with TorusRegistry(registry) as table:
        table.flush(publish=True)
        assert not any("never promised" in text for text in table.df["metadata"])
    assert list((registry.with_suffix(".d") / "quarantine").iterdir())


def test_the_public_file_alone_is_a_backup(registry, tmp_path):
    copy = tmp_path / "copy.parquet"
    shutil.copy(registry, copy)
    with TorusRegistry(copy) as table:
        assert len(table) == len(pd.read_parquet(copy))
        assert table.verify().findings == ()


@pytest.mark.parametrize("name", LOGS)
def test_a_token_log_is_read_as_it_was(state, name):
    before = files_of(state)
    log = TokenLog(state / f"{name}.parquet", read_only=True)
    assert digest(log.rows().to_pylist()) == EXPECTED["logs"][name]["digest"]
    report = log.verify()
    assert report.ok, str(report)
    assert report.n_retired == EXPECTED["logs"][name]["retired"]
    log.close()
    assert files_of(state) == before


@pytest.mark.parametrize("name", LOGS)
def test_a_token_log_opens_grows_and_publishes(state, name):
    path = state / f"{name}.parquet"
    observers = ObserverSynthesis(path=path)
    tokens = [observers.emit_token({"type": "new", "n": n}) for n in range(20)]
    observers.log.flush(publish=True)
    observers.close()
    rows = pd.read_parquet(path)
    kept = rows[~rows["token_id"].isin(tokens)]
    assert len(rows) == EXPECTED["logs"][name]["rows"] + 20
    log = TokenLog(path, read_only=True)
    old = [row for row in log.rows().to_pylist() if row["token_id"] not in set(tokens)]
    assert len(old) == len(kept)
    assert digest(old) == EXPECTED["logs"][name]["digest"]
    report = log.verify()
    assert report.ok, str(report)
    assert report.n_retired == EXPECTED["logs"][name]["retired"]
    log.close()
    assert verify_file(path).ok


@pytest.mark.parametrize("name", LOGS)
def test_a_token_log_retires_more_and_stays_sound(state, name):
    path = state / f"{name}.parquet"
    for keep_rows in (100, 30, 5, 5):
        observers = ObserverSynthesis(path=path, keep_rows=keep_rows)
        for n in range(10):
            observers.emit_token({"type": "new", "n": n, "keep_rows": keep_rows})
        observers.log.flush(publish=True)
        report = observers.verify_log()
        observers.close()
        assert report.ok, str(report)
        assert verify_file(path).ok


def test_ideas_and_the_memory_of_a_sentry_are_there(state, registry):
    observers = ObserverSynthesis(path=state / "observer_tokens.parquet")
    with TorusRegistry(registry) as table:
        cells = TorusCells(table, observer=observers)
        assert cells.get_protected_ideas() == EXPECTED["ideas"]
        assert {name: len(cells.history(name)) for name in EXPECTED["history"]} == EXPECTED["history"]
        assert np.array_equal(cells.reference_cloud("loop"), EXPECTED["reference"])
        cells.betti_update("new", circle(20), "global", {"step": 9})
        sentry = OriginSentry(SpectralDB(registry=table, stream="origin_sentry"), synthesis=observers)
        assert [spectrum.tolist() for spectrum in sentry.spectral_db.last(10)] == EXPECTED["spectra"]
        assert sentry.classify([0.05, 0.03, 0.02], [1, 2])["novelty_score"] == EXPECTED["sentry"]
        cells.close()
        again = TorusCells(table, observer=observers)
        assert set(again.get_protected_ideas()) == {*EXPECTED["ideas"], "new"}
        again.close()
    observers.close()


def test_remembered_diagrams_are_there(state):
    path = state / "torus_diagrams.parquet"
    for _ in range(2):
        with DiagramMemory(path) as memory:
            for key, pairs in EXPECTED["diagrams"].items():
                assert key in memory
                (found,) = memory._look([bytes.fromhex(key)])
                assert np.array_equal(found.pairs, pairs)
            memory.persistence(circle(30))
            memory.flush(publish=True)


@pytest.mark.parametrize("name", LOGS)
def test_a_row_taken_out_of_a_log_is_missed_for_all_its_order(state, name):
    path = state / f"{name}.parquet"
    rows, _ = forging.read(path)
    for at in (0, len(rows) // 2, len(rows) - 1):
        forging.forge(path, rows[:at] + rows[at + 1 :])
        assert not verify_file(path).ok


def test_the_logs_are_out_of_order_indeed():
    """Version 0.1 itself called them so."""
    assert {name: EXPECTED["logs"][name]["findings"] > 0 for name in ("many", "kept", "clock")} == dict.fromkeys(
        ("many", "kept", "clock"), True
    )
