"""The chain decides, not the place of a row: honest logs are sound in any order, and every tampering is found."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from collections import Counter

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.synthesis import forging
from tests.synthesis.histories import Log, Writer, histories, table
from toriwork.synthesis import ObserverSynthesis
from toriwork.synthesis.chains import Chains
from toriwork.synthesis.identity import identify
from toriwork.synthesis.log_rows import contradiction, log_rows
from toriwork.synthesis.retention import Note
from toriwork.synthesis.runs import ChainRun, Runs, start_of

SLOW = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))


@SLOW
@given(histories())
def test_an_honest_log_is_sound_in_whatever_order_it_was_published_and_retired(log: Log):
    report = log.verify()
    assert report.ok, str(report)


@SLOW
@given(histories(old=False))
def test_a_note_of_today_leaves_no_doubt(log: Log):
    note = Note.from_json(log.note)
    assert note.unordered == 0
    assert not any("version 0.1" in text for text in log.verify().not_proven)


# ---- each tampering ----------------------------------------------------------------------------------------------


def edited(column, value):
    def tamper(log: Log, at: int) -> None:
        rows, at = both(log, at)
        wanted = value(rows[at][column]) if callable(value) else value
        assume(rows[at][column] != wanted)
        rows[at][column] = wanted
        put_back(log, rows)

    return tamper


def both(log: Log, at: int):
    rows = [dict(row) for row in (*log.published, *log.pending)]
    assume(rows)
    return rows, at % len(rows)


def put_back(log: Log, rows, n_published: int | None = None) -> None:
    n_published = len(log.published) if n_published is None else n_published
    log.published, log.journals = rows[:n_published], [rows[n_published:]]


def body_and_token(log: Log, at: int) -> None:
    rows, at = both(log, at)
    made = identify({"type": "made", "n": -1})
    rows[at] |= {"body": made.body.decode(), "token_id": made.token}
    put_back(log, rows)


def taken_out_of_the_file(log: Log, at: int) -> None:
    rows, _ = both(log, at)
    assume(log.published)
    del rows[at % len(log.published)]
    put_back(log, rows, len(log.published) - 1)


def taken_out_of_a_journal(log: Log, at: int) -> None:
    newest = {row["writer"]: row["sequence"] for row in sorted(log.pending, key=lambda row: row["sequence"])}
    inner = [row for row in log.pending if row["sequence"] < newest[row["writer"]]]
    assume(inner)
    gone = inner[at % len(inner)]
    log.journals = [[row for row in rows if row is not gone] for rows in log.journals]


def cut(log: Log, at: int) -> None:
    assume(log.published)
    del log.published[-1 - at % len(log.published) :]


def cut_with_its_note(log: Log, at: int) -> None:
    raw = json.loads(log.note or "{}")
    assume(len(raw.get("generations", ())) > 1)
    last = raw["generations"].pop()
    assume(last[0] > raw["retired"]["partly"][0])
    raw["rows"] -= last[1]
    log.published = [row for row in log.published if row["generation"] < last[0]]
    log.journals, log.note = [], json.dumps(raw)


def doubled(log: Log, at: int) -> None:
    rows, at = both(log, at)
    rows.insert(at, dict(rows[at]))
    put_back(log, rows, len(log.published) + (at < len(log.published)))


def doubled_into_a_journal(log: Log, at: int) -> None:
    rows, at = both(log, at)
    log.journals.insert(0, [{**rows[at], "generation": None}])


def moved_within_the_file(log: Log, at: int) -> None:
    n = len(log.published)
    assume(n > 1)
    rows = log.published
    one, two = at % n, (at // n + at % n + 1) % n
    assume(one != two)
    rows[one], rows[two] = rows[two], rows[one]


def another_generation(log: Log, at: int) -> None:
    numbers = sorted({row["generation"] for row in log.published})
    assume(len(numbers) > 1)
    row = log.published[at % len(log.published)]
    row["generation"] = next(number for number in numbers if number != row["generation"])
    log.published.sort(key=lambda row: row["generation"])


def exchanged_in_a_journal(log: Log, at: int) -> None:
    long = [rows for rows in log.journals if len(rows) > 1]
    assume(long)
    rows = long[at % len(long)]
    one = at % (len(rows) - 1)
    rows[one], rows[one + 1] = rows[one + 1], rows[one]


def foreign_rows(log: Log, at: int) -> None:
    assume(log.published)
    made = identify({"type": "made", "n": -2})
    row = {**log.published[-1], "body": made.body.decode(), "token_id": made.token, "sequence": 0, "writer": "ff" * 8}
    log.published += forging.chained(
        [{**row, "timestamp": dt.datetime.fromtimestamp(0, dt.UTC), "given_timestamp": None}]
    )


def a_forged_journal(log: Log, at: int) -> None:
    """Another emission behind the one before, right by itself: the real one is there as well."""
    rows, at = both(log, at)
    before = [r for r in rows if r["writer"] == rows[at]["writer"] and r["sequence"] == rows[at]["sequence"] - 1]
    assume(before)
    made = identify({"type": "made", "n": -3})
    log.journals.append([{**rows[at], "generation": None, "body": made.body.decode(), "token_id": made.token}])


def checkpoints_made_anew(log: Log, at: int) -> None:
    assume(log.checkpoints)
    at %= len(log.checkpoints)
    assume(any(g[0] == log.checkpoints[at].generation for g in json.loads(log.note)["generations"]))
    log.checkpoints[at] = log.checkpoints[at]._replace(head="00" * 20)


def a_checkpoint_of_more(log: Log, at: int) -> None:
    assume(log.checkpoints)
    last = log.checkpoints[-1]
    log.checkpoints.append(last._replace(generation=last.generation + 1, n_rows=last.n_rows + 1))


TAMPERINGS = {
    "a body": edited("body", lambda body: body.replace('"n":', '"n":9')),
    "a body and its token": body_and_token,
    "a token": edited("token_id", "t1:" + "00" * 20),
    "a type": edited("type", "other"),
    "a source": edited("source", "somebody"),
    "references": edited("refs", ["t1:x"]),
    "a time": edited("timestamp", lambda time: 0 if isinstance(time, int) else dt.datetime.fromtimestamp(1, dt.UTC)),
    "what the caller called the time": edited("given_timestamp", "later"),
    "a link": edited("link", "ab" * 20),
    "a link that is none": edited("link", "no link"),
    "no link": edited("link", None),
    "no time": edited("timestamp", None),
    "a sequence": edited("sequence", lambda sequence: sequence + 1),
    "a sequence below 0": edited("sequence", -1),
    "a far sequence": edited("sequence", 2**62),
    "a writer that is none": edited("writer", "nobody"),
    "taken out of the file": taken_out_of_the_file,
    "taken out of a journal": taken_out_of_a_journal,
    "the end cut off": cut,
    "the end and its note cut off": cut_with_its_note,
    "a row twice": doubled,
    "a row once more in a journal": doubled_into_a_journal,
    "moved within the file": moved_within_the_file,
    "into another generation": another_generation,
    "exchanged in a journal": exchanged_in_a_journal,
    "foreign rows": foreign_rows,
    "a forged journal": a_forged_journal,
    "checkpoints made anew": checkpoints_made_anew,
    "a checkpoint of more": a_checkpoint_of_more,
}


@pytest.mark.parametrize("name", TAMPERINGS)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(log=histories(old=False, ordered=True), at=st.integers(0, 10**4))
def test_each_tampering_is_found(name, log: Log, at: int):
    TAMPERINGS[name](log, at)
    report = log.verify()
    assert not report.ok
    assert report.proven == ()


#: what roots and notes bind holds behind a retention that took it that rows retire in order, too
BOUND = [
    "a body",
    "a body and its token",
    "a link",
    "taken out of the file",
    "the end cut off",
    "the end and its note cut off",
    "moved within the file",
    "into another generation",
    "foreign rows",
    "checkpoints made anew",
]


@pytest.mark.parametrize("name", BOUND)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(log=histories(old=True), at=st.integers(0, 10**4))
def test_each_tampering_of_published_rows_is_found_in_a_log_of_version_0_1(name, log: Log, at: int):
    assume(log.published)
    TAMPERINGS[name](log, at % max(1, len(log.published)))
    assert not log.verify().ok


# ---- beside a slow twin ------------------------------------------------------------------------------------------


def twin(rows) -> dict:
    """What is wrong with chains: every row by writer and sequence, looked at when all have come."""
    kept, found = {}, {"repeated": Counter(), "edited": set(), "reordered": set(), "missing": set()}
    for at, row in enumerate(rows):
        key = (row["writer"], row["sequence"])
        if key in kept:
            found["repeated"][key] += 1
        else:
            kept[key] = (at, row)
    for (writer, sequence), (at, row) in kept.items():
        before = kept.get((writer, sequence - 1))
        link = forging.FIRST if sequence == 0 else before and bytes.fromhex(before[1]["link"])
        if link and row["link"] != forging.linked(row, link).hex():
            found["edited"].add((writer, sequence))
        if before is not None and before[0] > at and before[1]["row_id"][16:] == row["row_id"][16:]:
            found["reordered"].add((writer, sequence - 1))
    for writer in {writer for writer, _ in kept}:
        have = {sequence for name, sequence in kept if name == writer}
        found["missing"] |= {(writer, sequence) for sequence in range(max(have)) if sequence not in have}
    return found


@SLOW
@given(histories(old=False), st.data())
def test_the_judge_says_what_its_slow_twin_says(log: Log, data: st.DataObject):
    rows = table([*log.published, *log.pending]).to_pylist()
    assume(rows)
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(rows) - 1))
        match data.draw(st.sampled_from(["drop", "double", "move", "link"])):
            case "drop" if len(rows) > 1:
                del rows[at]
            case "double":
                rows.insert(data.draw(st.integers(0, len(rows))), dict(rows[at]))
            case "link":
                rows[at]["link"] = f"{data.draw(st.integers(0, 255)):040x}"
            case "move":
                rows.insert(data.draw(st.integers(0, len(rows) - 1)), rows.pop(at))
    said = {"repeated": 0, "edited": 0, "reordered": 0}

    def find(_, kind, text):
        said[kind] += 1

    chains = Chains(Note(), find)
    for batch in table(rows).to_batches():
        for row in log_rows(batch):
            chains.look_at(row, contradiction(row))
    wanted = twin(rows)
    gaps = {(writer, n) for writer, gap in chains.missing(()) for n in range(gap.first, gap.last + 1)}
    assert gaps == wanted["missing"]
    assert said == {
        "repeated": wanted["repeated"].total(),
        "edited": len(wanted["edited"]),
        "reordered": len(wanted["reordered"]),
    }


def joined(before, behind, late):
    """Two runs have met: nothing is checked."""


@SLOW
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 4))))
def test_runs_hold_what_a_set_holds(pieces):
    runs, there = Runs(start_of()), set()
    for first, n in pieces:
        new = set(range(first, first + n))
        assert runs.put(ChainRun(first, first + n, f"{first + n - 1}"), joined) == (not new & there)
        there |= new if not new & there else set()
        assert {n for run in runs for n in range(run.first, run.after)} == there
        assert all(one.after < two.first for one, two in itertools.pairwise(runs))
        assert all(run.link == f"{run.after - 1}" for run in runs if run.after)


# ---- bounds, and the real log ------------------------------------------------------------------------------------


def test_a_log_whose_journals_are_sealed_out_of_order_is_sound_while_it_retires(tmp_path, monkeypatch):
    monkeypatch.setattr("toriwork.storage.journal.ROLL_BYTES", 1000)
    observers = ObserverSynthesis(path=tmp_path / "t.parquet", keep_rows=20)
    for n in range(200):
        observers.emit_token({"n": n})
        if n % 40 == 39:
            observers.log._table._maintenance._seal_closed(observers.log._table._writer)
            observers.log.flush(publish=True)
            report = observers.verify_log()
            assert report.ok, str(report)
    observers.close()


def test_memory_grows_with_the_gaps_and_not_with_the_rows():
    runs = Runs(start_of())
    for start in (1000, 0, 3000, 2000):
        for n in range(start, start + 1000):
            assert runs.put(ChainRun(n, n + 1, "ab"), joined)
    assert len(runs) == 1


def test_a_note_of_version_0_1_leaves_gaps_behind_its_retired_rows_unproven():
    log, one, two = Log(), Writer(1), Writer(2)
    for writer in (one, two, one):
        for n in range(10):
            writer.emit(n, 10**15 + n, writer.chain.sequence // 10)
        log.journals, writer.journals = [writer.journals[-1]], [[]]
        if len(log.checkpoints) < 2:
            log.publish([0], 5, old=True)  # five rows of the first writer retire
    assert log.verify().ok
    del log.journals[0][0]  # the first pending row, right behind rows of the generation that retired
    assert any("version 0.1" in text for text in log.verify().not_proven)
    del log.journals[0][1]
    assert {finding.kind for finding in log.verify().findings} == {"missing"}
