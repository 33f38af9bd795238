"""Whatever is done to the public file of a token log is reported, with the generation it belongs to."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.synthesis import forging
from toriwork.errors import DamagedFile, NotFound, StoreError
from toriwork.synthesis import ObserverSynthesis, token_id
from toriwork.synthesis.checkpoints import read_checkpoints
from toriwork.synthesis.identity import identify
from toriwork.synthesis.log import TokenLog
from toriwork.synthesis.retention import Note
from toriwork.synthesis.verify import LogCheck, verify_file

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    """A folder with a log of four generations by two writers; copied for each test."""
    folder = tmp_path_factory.mktemp("published")
    path = folder / "tokens.parquet"
    one, two = ObserverSynthesis(path=path), ObserverSynthesis(path=path)
    for generation in range(4):
        for n in range(5):
            one.emit_token({"type": "a", "n": 10 * generation + n, "timestamp": n if n % 2 else None})
            two.emit_token({"type": "b", "source": "two", "n": 10 * generation + n})
        one.log.flush(publish=True)
    one.close()
    two.close()
    return folder


@pytest.fixture
def path(published, tmp_path) -> Path:
    shutil.copytree(published, tmp_path / "log")
    return tmp_path / "log" / "tokens.parquet"


def place(rows: list[dict], generation: int, nth: int) -> int:
    """Where the nth row of a generation stands."""
    return [at for at, row in enumerate(rows) if row["generation"] == generation][nth]


def edit_body(rows):
    at = place(rows, 2, 3)
    rows[at]["body"] = rows[at]["body"].replace('"n":', '"n":1')


def edit_body_and_token(rows):
    at = place(rows, 2, 3)
    made = identify({"type": "a", "n": 99})
    rows[at] |= {"body": made.body.decode(), "token_id": made.token, "source": None, "type": "a"}


def edit_time(rows):
    rows[place(rows, 2, 3)]["timestamp"] += dt.timedelta(microseconds=1)


def edit_given_time(rows):
    rows[place(rows, 2, 3)]["given_timestamp"] = "another"


def edit_column(column, value):
    def edit(rows):
        rows[place(rows, 2, 3)][column] = value

    return edit


def swap(rows):
    one, two = place(rows, 2, 3), place(rows, 2, 4)
    rows[one], rows[two] = rows[two], rows[one]


def swap_far(rows):
    one, two = place(rows, 2, 0), place(rows, 2, 7)
    rows[one], rows[two] = rows[two], rows[one]


def delete(rows):
    del rows[place(rows, 2, 3)]


def delete_two(rows):
    del rows[place(rows, 2, -1)]
    del rows[place(rows, 2, -1)]


def repeat(rows):
    at = place(rows, 2, 3)
    rows.insert(at, dict(rows[at]))


def edit_and_chain_anew(rows):
    edit_body_and_token(rows)
    rows[:] = forging.chained(rows)


def delete_and_chain_anew(rows):
    at = place(rows, 2, 3)
    writer, sequence = rows[at]["writer"], rows[at]["sequence"]
    del rows[at]
    for row in rows:
        if row["writer"] == writer and row["sequence"] > sequence:
            row["sequence"] -= 1
    rows[:] = forging.chained(rows)


#: tampering with the second of four generations, and the kinds of finding of which one at least must come
TAMPERINGS = [
    pytest.param(edit_body, {"edited"}, id="a body"),
    pytest.param(edit_body_and_token, {"edited"}, id="a body and its token"),
    pytest.param(edit_time, {"edited"}, id="a time"),
    pytest.param(edit_given_time, {"edited"}, id="what the caller called the time"),
    pytest.param(edit_column("type", "c"), {"edited"}, id="a type"),
    pytest.param(edit_column("source", "someone"), {"edited"}, id="a source"),
    pytest.param(edit_column("subject", "x"), {"edited"}, id="a subject"),
    pytest.param(edit_column("refs", ["t1:x"]), {"edited"}, id="references"),
    pytest.param(edit_column("row_id", "0" * 32), {"edited"}, id="a row id"),
    pytest.param(edit_column("link", "00" * 20), {"edited"}, id="a link"),
    pytest.param(edit_column("link", "no link"), {"edited"}, id="a link that is none"),
    pytest.param(edit_column("writer", "00" * 8), {"missing"}, id="a writer"),
    pytest.param(edit_column("writer", None), {"missing"}, id="no writer"),
    pytest.param(edit_column("sequence", 77), {"missing"}, id="a sequence"),
    pytest.param(edit_column("body", None), {"edited"}, id="no body"),
    pytest.param(edit_column("token_id", None), {"edited"}, id="no token"),
    pytest.param(swap, {"edited", "reordered"}, id="two neighbours exchanged"),
    pytest.param(swap_far, {"reordered"}, id="two rows of a writer exchanged"),
    pytest.param(delete, {"missing"}, id="a row taken out"),
    pytest.param(delete_two, {"missing"}, id="the last rows of a generation taken out"),
    pytest.param(repeat, {"repeated"}, id="a row twice"),
    pytest.param(edit_and_chain_anew, {"edited"}, id="an edit, every link made anew"),
    pytest.param(delete_and_chain_anew, {"missing"}, id="a row taken out, every link made anew"),
]


def check(report, kinds):
    found = {finding.kind for finding in report.findings if finding.generation == 2}
    assert kinds <= found, str(report)
    assert report.proven == ()


def test_what_nobody_touched_is_sound(path):
    report = verify_file(path)
    assert report.ok, str(report)
    assert (report.n_rows, report.generation, report.n_retired) == (40, 4, 0)
    assert len(report.proven) == 3
    assert "rewrote file and checkpoints" in report.not_proven[-1]


def test_links_can_be_recomputed_from_the_columns_alone(path):
    rows, _ = forging.read(path)
    assert forging.chained(rows) == rows
    assert {row["sequence"] for row in rows} == set(range(20))


@pytest.mark.parametrize(("tamper", "kinds"), TAMPERINGS)
def test_a_plain_rewriting_is_refused_by_the_store_and_told_of_a_bare_copy(path, tamper, kinds):
    rows, _ = forging.read(path)
    tamper(rows)
    forging.write_plainly(path, rows)
    with pytest.raises(StoreError):
        TokenLog(path)
    check(verify_file(path), kinds)


@pytest.mark.parametrize(("tamper", "kinds"), TAMPERINGS)
def test_who_mends_what_the_store_checks_is_found_by_the_chains(path, tamper, kinds):
    rows, _ = forging.read(path)
    tamper(rows)
    forging.forge(path, rows)
    log = TokenLog(path)
    try:
        check(log.verify(), kinds)
    finally:
        log.close()


def cut(path, generation, n_left):
    """Rows behind a place go, and so does what the note says of later generations."""
    rows, _ = forging.read(path)
    del rows[place(rows, generation, n_left - 1) + 1 :]
    note = forging.note_of(path)
    gone = [g for g in note["generations"] if g[0] > generation]
    note["generations"] = note["generations"][:generation]
    note["rows"] -= sum(g[1] for g in gone)
    return rows, json.dumps(note)


def test_a_cut_within_a_generation_is_found_by_its_root(path):
    rows, _ = forging.read(path)
    forging.forge(path, rows[:-3])
    (finding, *_) = verify_file(path).findings
    assert (finding.generation, finding.kind) == (4, "truncated")
    assert "3 of 10" in finding.text


def test_a_cut_of_whole_generations_is_found_by_the_note(path):
    rows, _ = forging.read(path)
    forging.forge(path, rows[:20])
    found = [(finding.generation, finding.kind) for finding in verify_file(path).findings]
    assert found == [(3, "truncated"), (4, "truncated")]


def test_a_cut_with_its_note_is_found_by_the_checkpoints(path):
    forging.forge(path, *cut(path, 2, 10))
    found = [(finding.generation, finding.kind) for finding in verify_file(path).findings]
    assert found == [(3, "truncated"), (4, "truncated")]
    checkpoints = path.with_suffix(".checkpoints")
    kept = checkpoints.rename(path.with_name("kept"))
    alone = verify_file(path)
    assert alone.ok, "without the checkpoints nobody can tell, and the report says so"
    assert "cut off behind generation 0" in alone.not_proven[0]
    assert not verify_file(path, kept).ok


def test_a_history_made_anew_is_found_by_the_checkpoints(path, tmp_path):
    other = ObserverSynthesis(path=tmp_path / "other.parquet")
    for generation in range(4):
        for n in range(10):
            other.emit_token({"n": 100 * generation + n})
        other.log.flush(publish=True)
    other.close()
    rows, facts = forging.read(tmp_path / "other.parquet")
    forging.forge(path, rows, facts.note)
    report = verify_file(path)
    assert [(finding.generation, finding.kind) for finding in report.findings] == [(1, "rewritten")]


def test_pandas_over_the_file_leaves_a_note_of_nothing(path):
    pd.read_parquet(path).to_parquet(path)
    (finding,) = verify_file(path).findings
    assert (finding.generation, finding.kind) == (None, "foreign"), "every row is there, as the checkpoints say"
    path.with_suffix(".checkpoints").unlink()
    kinds = {(finding.generation, finding.kind) for finding in verify_file(path).findings}
    assert {(g, "foreign") for g in range(1, 5)} <= kinds


def test_a_repaired_store_goes_on_and_still_tells(path):
    rows, _ = forging.read(path)
    edit_body(rows)
    forging.write_plainly(path, rows)
    with pytest.raises(StoreError):
        TokenLog(path)
    pd.read_parquet(path).to_parquet(path)
    from toriwork.storage import ParquetTable
    from toriwork.synthesis.log import token_spec
    from toriwork.synthesis.retention import LogRetention

    ParquetTable(path, token_spec(LogRetention()), repair=True).close()
    observers = ObserverSynthesis(path=path)
    observers.emit_token({"n": 1})
    observers.log.flush(publish=True)
    report = observers.verify_log()
    observers.close()
    assert report.generation == 5
    found = {(finding.generation, finding.kind) for finding in report.findings}
    assert {(2, "edited")} <= found
    assert {generation for generation, _ in found} == {2}


def test_two_tamperings_are_two_findings(path):
    rows, _ = forging.read(path)
    rows[place(rows, 1, 2)]["timestamp"] += dt.timedelta(seconds=1)
    del rows[place(rows, 3, 4)]
    forging.forge(path, rows)
    found = {(finding.generation, finding.kind) for finding in verify_file(path).findings}
    assert {(1, "edited"), (3, "missing")} <= found
    assert {generation for generation, _ in found} == {1, 3}


def test_many_findings_are_counted(path):
    rows, _ = forging.read(path)
    forging.write_plainly(path, [{**row, "subject": "x"} for row in rows] * 10)
    report = verify_file(path)
    assert len(report.findings) == 200
    assert report.n_more > 0
    assert f"and {report.n_more:,} more" in str(report)


# ---- what is not published yet -----------------------------------------------------------------------------------


def test_unpublished_rows_continue_the_chains(path):
    observers = ObserverSynthesis(path=path)
    for n in range(3):
        observers.emit_token({"n": n})
    report = observers.verify_log()
    assert report.ok, str(report)
    assert (report.n_rows, report.n_unpublished) == (43, 3)
    assert any("3 unpublished" in text for text in report.not_proven)
    observers.close()


def test_rows_cut_away_before_unpublished_ones_are_missing(path):
    rows = pq.read_table(path)
    published, later = rows.slice(0, 38), rows.slice(39).to_batches()
    later = [batch.set_column(12, "generation", pa.nulls(batch.num_rows, pa.int64())) for batch in later]
    check = LogCheck(forging.read(path)[1].note)
    for batch in published.to_batches():
        check.published(batch)
    for batch in later:
        check.pending(batch)
    report = check.finish()
    assert {(finding.generation, finding.kind) for finding in report.findings} == {(4, "missing")}


def test_a_verification_needs_a_log(tmp_path):
    with pytest.raises(NotFound, match="no token log"):
        ObserverSynthesis().verify_log()
    with pytest.raises(NotFound):
        verify_file(tmp_path / "nothing.parquet")
    (tmp_path / "text.parquet").write_text("no Parquet")
    with pytest.raises(DamagedFile):
        verify_file(tmp_path / "text.parquet")
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "other.parquet")
    with pytest.raises(ValueError, match="no token log"):
        verify_file(tmp_path / "other.parquet")


# ---- writers -----------------------------------------------------------------------------------------------------


def test_threads_make_one_chain(tmp_path):
    observers = ObserverSynthesis(path=tmp_path / "t.parquet")
    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [
            threading.Thread(target=lambda k=k: [observers.emit_token({"k": k, "n": n}) for n in range(300)])
            for k in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(switch)
    report = observers.verify_log()
    rows = observers.log.rows()
    observers.close()
    assert report.ok, str(report)
    assert rows["sequence"].to_pylist() == list(range(1800))
    assert len(set(rows["writer"].to_pylist())) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_of_a_fork_is_a_writer_of_its_own(tmp_path):
    observers = ObserverSynthesis(path=tmp_path / "t.parquet")
    observers.emit_token({"n": 0})
    child = os.fork()
    if child == 0:
        observers.emit_token({"n": 1})
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    observers.emit_token({"n": 2})
    report, rows = observers.verify_log(), observers.log.rows().to_pylist()
    observers.close()
    assert report.ok, str(report)
    assert len({row["writer"] for row in rows}) == 2
    assert sorted(row["sequence"] for row in rows) == [0, 0, 1]


@pytest.mark.parametrize("error", [StoreError("disk full"), KeyboardInterrupt()])
def test_an_emission_that_did_not_return_ends_its_chain(tmp_path, error):
    observers = ObserverSynthesis(path=tmp_path / "t.parquet")
    observers.emit_token({"n": 0})
    append = observers.log._append

    def interrupted(payload):
        if isinstance(error, KeyboardInterrupt):
            append(payload)
        raise error

    observers.log._append = interrupted
    with pytest.raises(type(error)):
        observers.emit_token({"n": 1})
    observers.log._append = append
    observers.emit_token({"n": 2})
    report, rows = observers.verify_log(), observers.log.rows().to_pylist()
    observers.close()
    assert report.ok, str(report)
    assert len({row["writer"] for row in rows}) == 2


def test_eight_processes_emit_side_by_side(tmp_path, request):
    n_each = 10_000 if request.config.getoption("--long") else 300
    path = tmp_path / "t.parquet"
    program = (
        "import sys, os\nfrom toriwork.synthesis import ObserverSynthesis\n"
        "o = ObserverSynthesis(path=sys.argv[1])\n"
        f"for n in range({n_each}): o.emit_token({{'type': 'many', 'who': sys.argv[2], 'n': n}})\n"
        "o.close()\n"
    )
    children = [subprocess.Popen([sys.executable, "-c", program, str(path), str(k)], cwd=ROOT) for k in range(8)]
    assert [child.wait() for child in children] == [0] * 8
    log = TokenLog(path)
    log.flush(publish=True)
    report, tokens = log.verify(), log.rows()["token_id"].to_pylist()
    log.close()
    assert report.ok, str(report)
    assert report.n_rows == 8 * n_each
    wanted = {token_id({"type": "many", "who": str(k), "n": n}) for k in range(8) for n in range(0, n_each, 7)}
    assert wanted <= set(tokens)
    assert len(tokens) == len(set(tokens))
    assert verify_file(path).ok


# ---- checkpoints -------------------------------------------------------------------------------------------------


def test_every_generation_has_a_checkpoint(path):
    found = read_checkpoints(path.with_suffix(".checkpoints"))
    generations = Note.from_json(forging.read(path)[1].note).generations
    assert [(c.generation, c.n_rows, c.head) for c in found] == [
        (g.number, 10 * g.number, g.head.hex()) for g in generations
    ]


def test_a_checkpoint_that_was_cut_short_costs_no_other(path):
    checkpoints = path.with_suffix(".checkpoints")
    checkpoints.write_bytes(checkpoints.read_bytes()[:-10])
    assert [c.generation for c in read_checkpoints(checkpoints)] == [1, 2, 3]
    observers = ObserverSynthesis(path=path)
    observers.emit_token({"n": 1})
    observers.close()
    assert [c.generation for c in read_checkpoints(checkpoints)] == [1, 2, 3, 4, 5]
    assert verify_file(path).ok


def test_a_generation_that_nobody_wrote_down_is_written_down_by_the_next_publish(path):
    checkpoints = path.with_suffix(".checkpoints")
    checkpoints.unlink()
    observers = ObserverSynthesis(path=path)
    observers.emit_token({"n": 1})
    observers.log._table.flush(publish=True)  # as the background does
    assert [c.generation for c in read_checkpoints(checkpoints)] == [4]
    observers.close()
    assert [c.generation for c in read_checkpoints(checkpoints)] == [4, 5]


def test_checkpoints_do_not_grow_for_ever(path, monkeypatch):
    monkeypatch.setattr("toriwork.synthesis.checkpoints._MANY_BYTES", 500)
    observers = ObserverSynthesis(path=path)
    for n in range(12):
        observers.emit_token({"n": n})
        observers.log.flush(publish=True)
    observers.close()
    found = read_checkpoints(path.with_suffix(".checkpoints"))
    assert path.with_suffix(".checkpoints").stat().st_size < 700
    assert found[-1].generation == 16
    assert verify_file(path).ok
