"""``toriwork migrate`` on a small code base: what it prints, as a person and as a program reads it, and how it ends."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import pytest

from tests.migrate.engine.small import killed, tree
from toriwork.cli import main
from toriwork.cli import migrate as command

SOURCE = b"import sqlite3\nimport os\n\nHERE = os.getcwd()\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "code"
    (root / "pkg").mkdir(parents=True)
    (root / "data").mkdir()
    (root / "pkg/a.py").write_bytes(SOURCE)
    with closing(sqlite3.connect(root / "data/old.db")) as connection:
        connection.execute("CREATE TABLE runs (name TEXT)")
        connection.execute("INSERT INTO runs VALUES ('first')")
        connection.commit()
    return root


def said(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str]:
    code = main(["migrate", *map(str, words)])
    captured = capsys.readouterr()
    return code, captured.out + captured.err


def events(capsys: pytest.CaptureFixture[str], *words: object) -> list[dict[str, Any]]:
    _, text = said(capsys, *words, "--json")
    return [json.loads(line) for line in text.splitlines()]


def test_a_path_alone_plans_shows_and_applies_and_rollback_takes_it_back(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = tree(root)
    code, text = said(capsys, root)
    assert code == 0, text
    assert "export  data/old.db: runs 1 rows" in text
    assert "    -import sqlite3" in text
    assert "finished; what was changed is kept in backup_pre_nodb/" in text
    assert (root / "pkg/a.py").read_bytes() == SOURCE.removeprefix(b"import sqlite3\n")
    assert said(capsys, root)[0] == 0
    assert said(capsys, "status", root, "--check")[0] == 0
    assert said(capsys, "verify", root)[0] == 0
    assert said(capsys, "rollback", root) == (0, said_lines(root, start))


def said_lines(root: Path, start: dict[str, str]) -> str:
    """What a rollback prints: the steps backwards, then one sentence."""
    assert tree(root) == start
    lines = [
        json.loads(line)["step"]
        for line in (next((root / ".toriwork/migrations").iterdir()) / "journal.jsonl").read_text().splitlines()
        if json.loads(line)["kind"] == "undo"
    ]
    return "".join(f"undo {step}\n" for step in lines) + "everything is as it was\n"


@pytest.mark.parametrize(
    ("answer", "words", "moved"),
    [
        ("n\n", [], False),
        ("\n", [], False),
        ("y\n", [], True),
        ("yes\n", [], True),
        ("n\n", ["--yes"], True),
        ("", [], True),
    ],
)
def test_it_asks_where_somebody_can_answer(
    root: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    words: list[str],
    moved: bool,
) -> None:
    reading, writing = os.pipe()
    os.write(writing, answer.encode())
    os.close(writing)
    with open(reading) as stream:  # noqa: PTH123 - a descriptor
        monkeypatch.setattr("sys.stdin", stream)
        code, text = said(capsys, root, *words)
    assert "export  data/old.db" in text, "the plan is shown first"
    assert (code, (root / "data/old.db").exists()) == ((0, False) if moved else (command.FOUND, True))
    assert ("nothing was changed" in text) == (not moved)


def test_a_silent_pipe_is_not_waited_for(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = os.pipe()
    with open(reading) as stream:  # noqa: PTH123 - a descriptor
        monkeypatch.setattr("sys.stdin", stream)
        assert said(capsys, root)[0] == 0
    os.close(writing)


def test_a_terminal_is_asked_and_what_was_begun_is_not_asked_about_again(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    leader, follower = os.openpty()
    os.write(leader, b"n\n")
    with open(follower, "r+b", buffering=0) as stream:  # noqa: PTH123 - a descriptor
        monkeypatch.setattr("sys.stdin", TextIOWrapper(stream))
        code, text = said(capsys, root)
        assert (code, "apply this plan? [y/N]" in text) == (command.FOUND, True)
        assert killed(lambda: main(["migrate", str(root), "--no-diff", "--yes"]), "6")
        code, text = said(capsys, root)
    os.close(leader)
    assert (code, "going on with plan" in text) == (0, True)


def test_a_dry_run_is_the_plan_that_apply_runs(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start = tree(root)
    code, text = said(capsys, root, "--dry-run")
    assert (code, tree(root)) == (0, start)
    planned = events(capsys, "plan", root)
    assert planned[-1]["plan"] in text
    assert {event["event"] for event in planned} == {"file", "database", "summary"}
    applied = events(capsys, "apply", root)
    assert applied[-1]["plan"] == planned[-1]["plan"]
    assert (applied[-1]["exit"], applied[-1]["phase"]) == (0, "finished")
    steps = [event["step"] for event in applied if event["event"] == "step"]
    assert steps[0] == "backup"
    assert steps[-1].startswith("data:retire")


def test_check_tells_by_the_exit_code_whether_anything_is_to_do(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "plan", root, "--check")[0] == command.FOUND
    assert said(capsys, root, "--check", "--no-diff")[0] == command.FOUND
    assert said(capsys, "status", root, "--check")[0] == command.FOUND
    assert said(capsys, root)[0] == 0
    assert said(capsys, "plan", root, "--check")[0] == 0


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["go"], "Missing argument 'PATH'"),
        (["nowhere"], "not a directory"),
        (["plan", "a", "b"], "unexpected extra argument (b)"),
        (["apply", "."], "has no plan"),
        (["explain"], "Missing argument 'ITEM'"),
    ],
)
def test_a_wrong_call_is_refused_in_words(
    words: list[str], wanted: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, text = said(capsys, *words)
    assert code == command.FAILED
    assert wanted in text


def test_drift_is_shown_and_replan_plans_again(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "plan", root)
    (root / "pkg/a.py").write_bytes(SOURCE + b"MORE = 1\n")
    code, text = said(capsys, "apply", root)
    assert code == command.FAILED
    assert "pkg/a.py: planned mode 644" in text
    assert events(capsys, "apply", root)[-2]["error"] == "drift"
    code, text = said(capsys, "apply", root, "--replan")
    assert (code, "planned again" in text) == (0, True)
    assert (root / "pkg/a.py").read_bytes().endswith(b"MORE = 1\n")


def test_an_open_database_is_a_conflict(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(root / "data/old.db")) as connection:
        connection.execute("SELECT * FROM runs").fetchall()
        code, text = said(capsys, root, "--no-diff")
    assert (code, f"process {os.getpid()}" in text) == (command.FAILED, True)


def test_a_call_that_no_recipe_knows_keeps_the_database_and_is_left_to_a_person(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "pkg/b.py").write_bytes(b'import sqlite3\n\nROWS = sqlite3.connect("data/old.db").execute("SELECT 1")\n')
    code, text = said(capsys, root, "--no-diff")
    assert code == command.BY_HAND
    assert "stays   data/old.db: pkg/b.py:3 names it" in text
    assert "by hand pkg/b.py:3: names data/old.db, which therefore stays; `toriwork migrate PATH --retire" in text
    assert (root / "data/old.db").exists()
    code, text = said(capsys, root, "--no-diff", "--retire", "old.db")
    assert code == command.BY_HAND
    assert (root / "data/old.db").exists()
    assert said(capsys, "status", root, "--check")[0] == command.FOUND
    (root / "pkg/b.py").write_bytes(b"ROWS = []\n")
    code, text = said(capsys, root)
    assert "going on with plan" in text
    assert not (root / "data/old.db").exists()


def test_a_database_that_nothing_names_any_more_goes(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, root, "--no-diff")[0] == 0
    assert not (root / "data/old.db").exists()


def test_only_a_database_can_be_retired(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = said(capsys, root, "--retire", "a.py")
    assert (code, "a.py: expected the name of a database" in text) == (command.FAILED, True)


def test_a_failed_proof_and_a_kept_edit_have_exit_codes_of_their_own(
    root: Path, state_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said(capsys, root)
    parquet = next(state_root.rglob("legacy/**/runs.parquet"))
    data = bytearray(parquet.read_bytes())
    data[20] ^= 1
    parquet.write_bytes(bytes(data))
    code, text = said(capsys, "verify", root)
    assert (code, "FAILED" in text) == (command.FOUND, True)
    assert said(capsys, "prune", root, "--yes")[0] == command.FAILED
    (root / "pkg/a.py").write_bytes(b"mine = 1\n")
    code, text = said(capsys, "rollback", root)
    assert (code, "kept    pkg/a.py" in text) == (command.FOUND, True)


def test_an_interrupt_is_told_and_apply_goes_on(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: command.Talk, event: str, **facts: Any) -> None:
        if facts.get("number") == 4:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(command.Talk, "progress", interrupted)
        code, text = said(capsys, root, "--no-diff")
    assert (code, "interrupted" in text) == (command.INTERRUPTED, True)
    assert events(capsys, root)[0]["event"] == "resume"


def test_a_killed_run_goes_on_and_what_a_full_disk_cut_short_is_told_as_incomplete(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert killed(lambda: main(["migrate", str(root), "--no-diff"]), "6")

    def full(self: command.Talk, event: str, **facts: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(command.Talk, "progress", full)
        assert said(capsys, root)[0] == command.FAILED
    assert said(capsys, root)[0] == 0


def test_explain_and_prune(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, root)
    code, text = said(capsys, "explain", "pkg/a.py", root)
    assert (code, "-import sqlite3" in text, "kind: done" in text) == (0, True, True)
    assert "--yes deletes them" in said(capsys, "prune", root)[1]
    assert "no way back" in said(capsys, "prune", root, "--yes")[1]
    assert said(capsys, "rollback", root)[0] == command.FAILED


def test_rows_that_are_no_spectra_are_counted_by_reason_at_every_look(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(root / "data/spectra.db")) as connection:
        connection.execute("CREATE TABLE spectra (time REAL, eigenvalues TEXT, hash_id TEXT)")
        rows = ["[1.0, 0.5]", "[Infinity]", "[NaN, 1.0]", None, "no list"]
        connection.executemany("INSERT INTO spectra VALUES (1.0, ?, 'h')", [(row,) for row in rows])
        connection.commit()
    said_of_it = "4 rows are no spectra: "
    code, planned = said(capsys, "plan", root)
    assert (code, "data/spectra.db: 4 of 5 rows of spectra are no spectra: " in planned) == (0, True)
    reasons = planned.partition("are no spectra: ")[2].partition(";")[0]
    assert sorted(int(reason.split()[0]) for reason in reasons.split(", ")) in ([1, 1, 2], [1, 3], [2, 2], [1, 1, 1, 1])
    for word in ("apply", "verify", "status"):
        code, text = said(capsys, word, root)
        assert (code, said_of_it + reasons in text) == (0, True), text
    assert said(capsys, "rollback", root)[0] == 0
    assert said_of_it not in said(capsys, "status", root)[1]


def test_a_database_that_some_file_names_stays_until_it_is_asked_for(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "analysis.R").write_text("library(RSQLite)\ncon <- dbConnect(SQLite(), 'data/old.db')\n")
    code, text = said(capsys, root)
    assert code == command.BY_HAND
    assert "stays   data/old.db: analysis.R:2 names it" in text
    assert (
        "analysis.R:2: names data/old.db, which therefore stays; `toriwork migrate PATH --retire data/old.db`" in text
    )
    assert (root / "data/old.db").exists()
    assert said(capsys, root, "--retire", "no.db") == (
        command.FAILED,
        "toriwork: retire: no.db: expected the name of a database of the code base\n",
    )
    assert said(capsys, root, "--retire", "old.db")[0] == 0
    assert not (root / "data/old.db").exists()


def test_a_table_that_takes_long_has_a_bar_between_the_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[Any] = []

    @contextmanager
    def counted(what: str, total: float, **options: Any) -> Iterator[Any]:
        yield lambda n: told.append((what, n, total, options["progress"]))
        told.append("end")

    monkeypatch.setattr(command, "progress_bar", counted)
    talk = command.Talk(as_json=False)
    for table, rows in (("runs", 3), ("runs", 8), ("notes", 2)):
        talk.progress("export", path="a.db", table=table, rows=rows, of=8)
    talk.progress("step", step="code", number=2, steps=2)
    of_runs, of_notes = "a.db, runs", "a.db, notes"
    assert told == [(of_runs, 3, 8, True), (of_runs, 5, 8, True), "end", (of_notes, 2, 8, True), "end"]
    assert capsys.readouterr().out == "[2/2] code\n"


def test_json_has_no_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("toriwork.progress.DELAY", -1.0)
    for as_json, bars in ((True, False), (False, True)):
        talk = command.Talk(as_json=as_json)
        talk.progress("export", path="a.db", table="runs", rows=3, of=8)
        talk.finish(0)
        assert ("a.db, runs" in capsys.readouterr().err) is bars
