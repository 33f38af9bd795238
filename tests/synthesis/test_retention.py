"""The log does not grow for ever, and what went stays accounted for."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests.synthesis import forging
from toriwork.errors import BadInput
from toriwork.synthesis import ObserverSynthesis, retention
from toriwork.synthesis.merkle import Fold, Generation
from toriwork.synthesis.retention import LogRetention, Note, _thinned, leaves
from toriwork.synthesis.verify import verify_file


def publish(observers, measurements):
    for measurement in measurements:
        observers.emit_token(measurement)
    observers.log.flush(publish=True)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tokens.parquet"


def numbers(path):
    return [json.loads(body)["m"]["n"] for body in pd.read_parquet(path)["body"]]


def test_the_newest_rows_stay(path):
    observers = ObserverSynthesis(path=path, keep_rows=7)
    for generation in range(6):
        publish(observers, ({"n": 5 * generation + n} for n in range(5)))
        report = observers.verify_log()
        assert report.ok, str(report)
        assert report.n_rows <= 7 + 5
        assert report.n_rows + report.n_retired == 5 * (generation + 1)
    observers.close()
    assert numbers(path) == list(range(18, 30))
    assert verify_file(path).ok
    assert any("18 retired rows" in text for text in verify_file(path).not_proven)


def test_old_rows_go(path):
    observers = ObserverSynthesis(path=path)
    for generation in range(3):
        publish(observers, ({"n": 5 * generation + n} for n in range(5)))
    observers.close()
    times = pd.read_parquet(path)["timestamp"].dt.as_unit("us").astype("int64").tolist()
    now = times[7] + 86_400_000_000
    kept = LogRetention(keep_days=1.0, now_us=lambda: now).begin(lambda _: iter(()), forging.read(path)[1].note)
    rows = sum(kept.keep(batch).num_rows for batch in pq.ParquetFile(path).iter_batches(batch_size=4))
    assert rows == 15 - 7
    assert Note.from_json(kept.note()).n_retired == 7


def test_the_chains_go_on_behind_retired_rows(path):
    one, two = ObserverSynthesis(path=path, keep_rows=4), ObserverSynthesis(path=path, keep_rows=4)
    publish(one, ({"n": n} for n in range(5)))
    publish(two, ({"n": n} for n in range(5, 10)))
    publish(two, ({"n": n} for n in range(10, 15)))
    assert set(pd.read_parquet(path)["sequence"]) == {1, 2, 3, 4} | set(range(5, 10))
    publish(one, ({"n": n} for n in range(15, 20)))  # every row of this writer is retired by now
    report = one.verify_log()
    one.close()
    two.close()
    assert report.ok, str(report)
    assert report.n_retired == 11
    rows, _ = forging.read(path)
    del rows[[row["sequence"] for row in rows].index(5)]
    forging.forge(path, rows)
    assert not verify_file(path).ok


@pytest.mark.parametrize("n_gone", [1, 2])
def test_a_row_taken_out_at_the_border_of_the_retired_ones_is_missed(path, n_gone):
    observers = ObserverSynthesis(path=path, keep_rows=6)
    for generation in range(3):
        publish(observers, ({"n": 5 * generation + n} for n in range(5)))
    observers.close()
    rows, _ = forging.read(path)
    forging.forge(path, rows[n_gone:])
    findings = verify_file(path).findings
    assert findings
    assert {finding.generation for finding in findings} == {row["generation"] for row in rows[:n_gone]}


def test_the_writers_that_came_last_are_those_that_are_remembered(path, monkeypatch):
    monkeypatch.setattr(retention, "MANY_WRITERS", 3)
    names = []
    for n in range(12):
        observers = ObserverSynthesis(path=path, keep_rows=1)
        publish(observers, [{"n": n}])
        names.append(observers.log.rows()["writer"][-1].as_py())
        observers.close()
    n_retired = forging.note_of(path)["retired"]["rows"]
    assert list(forging.note_of(path)["retired"]["writers"]) == names[:n_retired][-3:]


def test_a_writer_that_was_forgotten_is_no_finding(path, monkeypatch):
    monkeypatch.setattr(retention, "MANY_WRITERS", 2)
    early = ObserverSynthesis(path=path, keep_rows=1)
    publish(early, [{"n": 0}])
    for n in range(1, 7):
        other = ObserverSynthesis(path=path, keep_rows=1)
        publish(other, [{"n": n}])
        other.close()
    publish(early, [{"n": 7}])
    report = early.verify_log()
    early.close()
    assert report.ok, str(report)
    assert any("were before" in text for text in report.not_proven)
    assert len(forging.note_of(path)["retired"]["writers"]) == 2


def test_the_note_stays_small(path, monkeypatch):
    monkeypatch.setattr(retention, "MANY_GENERATIONS", 8)
    observers = ObserverSynthesis(path=path)
    for n in range(30):
        publish(observers, [{"n": n}, {"n": -n}])
    report = observers.verify_log()
    observers.close()
    assert report.ok, str(report)
    noted = [g[0] for g in forging.note_of(path)["generations"]]
    assert len(noted) <= 8
    assert noted[-1] == 30
    shutil.copy(path, path.with_name("copy.parquet"))
    rows, _ = forging.read(path)
    left_out = next(number for number in range(2, 30) if number not in noted)
    rows[2 * left_out - 2], rows[2 * left_out - 1] = rows[2 * left_out - 1], rows[2 * left_out - 2]
    forging.forge(path.with_name("copy.parquet"), [{**row, "writer": None} for row in rows])
    behind = next(number for number in noted if number > left_out)
    assert behind in {f.generation for f in verify_file(path.with_name("copy.parquet")).findings}


def test_heads_bind_generations_that_are_left_out():
    generations = tuple(Generation(n, 1, bytes(20), bytes([n % 256]) * 20) for n in range(1, 2000))
    thinned = _thinned(generations)
    assert len(thinned) <= retention.MANY_GENERATIONS
    assert thinned[-1] == generations[-1]
    assert thinned[-250:] == generations[-250:]


def test_a_note_reads_back_what_it_said():
    note = Note(
        n_rows=9,
        generations=(Generation(1, 5, b"a" * 20, b"b" * 20),),
        n_retired=3,
        retired_head=b"c" * 20,
        partly=1,
        partly_tree=(3, (b"d" * 20, b"e" * 20)),
        writers={"00ff": (3, "ab")},
        n_forgotten=1,
    )
    assert Note.from_json(note.to_json()) == note
    assert Note.from_json("") == Note()


@pytest.mark.parametrize("text", ["{}", "[]", "no JSON", '{"v":1}', '{"v":2}', "null"])
def test_another_note_is_refused(text):
    with pytest.raises(BadInput):
        Note.from_json(text)


@pytest.mark.parametrize("limits", [{"keep_rows": 0}, {"keep_days": 0}, {"keep_days": float("nan")}])
def test_limits_are_positive(limits, path):
    with pytest.raises(BadInput, match="positive"):
        ObserverSynthesis(path=path, **limits).emit_token({"n": 1})


def test_what_went_can_be_proven_by_a_copy_of_it(path):
    """The roots that stay are those of the rows that went: an old backup and the note together prove both."""
    observers = ObserverSynthesis(path=path, keep_rows=4)
    publish(observers, ({"n": n} for n in range(6)))
    backup = pq.read_table(path)
    for generation in range(2):
        publish(observers, ({"n": 10 * generation + n} for n in range(10, 14)))
    observers.close()
    note = Note.from_json(forging.read(path)[1].note)
    fold = Fold()
    (batch,) = backup.to_batches()
    for row in leaves(batch):
        fold.add(1, row)
    assert fold.close() == note.generations[0]
    assert note.retired().close() == note.generations[0]
