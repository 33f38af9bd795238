"""A plan is run exactly as it was shown, refuses a tree that is another one, and survives what a disk can do to it."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.migrate.engine.small import (
    DATABASE,
    NEW,
    OLD,
    build,
    copied,
    killed,
    plan_of,
    propose,
    tree,
    write,
)
from toriwork.errors import BadInput, Drift, LockUnavailable, MigrationError, NotFound, NotProven, SourceInUse
from toriwork.migrate import Plan
from toriwork.migrate.engine import api
from toriwork.migrate.engine.apply import LOCK, apply_steps, history_of
from toriwork.migrate.engine.plan import load_plan
from toriwork.migrate.engine.proposal import Change, Proposal
from toriwork.migrate.engine.rollback import roll_back


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return build(tmp_path / "code")


@pytest.fixture
def plan(root: Path, state_root: Path) -> Plan:
    return plan_of(root, state_root)


def test_the_same_tree_gives_the_same_plan_wherever_it_lies(root: Path, tmp_path: Path, state_root: Path) -> None:
    other = copied(root, tmp_path / "elsewhere")
    first, second, third = plan_of(root, state_root), plan_of(other, state_root), plan_of(root, state_root)
    assert first.content == second.content == third.content
    assert first.sha256 == second.sha256
    stored = [folder / "plan.json.gz" for folder in (first.folder, second.folder)]
    assert stored[0].read_bytes() == stored[1].read_bytes()
    assert load_plan(root, first.id).sha256 == first.sha256


def test_planning_writes_nothing_outside_of_its_own_folder(root: Path, state_root: Path) -> None:
    before = tree(root, private=True)
    plan_of(root, state_root)
    after = tree(root, private=True)
    assert {path for path in after if path not in before} == {p for p in after if p.split("/")[0] == ".toriwork"}
    assert before.items() <= after.items()
    assert not state_root.exists()


def test_a_search_for_imports_and_databases_finds_nothing_after_a_migration(root: Path, plan: Plan) -> None:
    apply_steps(plan)
    found = subprocess.run(["grep", "-r", "import sqlite3", "."], cwd=root, capture_output=True, text=True, check=False)
    assert found.stdout == ""
    names = 'find . -name "*.sqlite" -o -name "*.db" | wc -l'
    assert subprocess.run(names, shell=True, cwd=root, capture_output=True, text=True, check=True).stdout.strip() == "0"


def test_bytes_that_are_not_to_change_stay_and_so_do_modes_and_links(root: Path, plan: Plan) -> None:
    apply_steps(plan)
    assert (root / "pkg/windows.py").read_bytes() == b"\xef\xbb\xbf" + NEW + b"\r\nROWS = 3\r\n"
    assert (root / "pkg/latin.py").read_bytes() == b"# coding: latin-1\n" + NEW + b"\nNAME = '\xe4'"
    modes = [stat.S_IMODE((root / f"pkg/{name}.py").stat().st_mode) for name in ("windows", "latin", "sealed")]
    assert modes == [0o640, 0o755, 0o444]
    assert os.fspath((root / "link.py").readlink()) == "pkg/plain.py"
    assert (root / "link.py").read_bytes() == NEW + b"\n\nROWS = 3\n"
    assert os.fspath((root / "loop.py").readlink()) == "loop.py"


def test_a_plan_tells_the_change_of_every_file(plan: Plan) -> None:
    files = {found["path"]: found for found in plan.content["files"]}
    assert files["pkg/plain.py"]["diff"].splitlines()[3:5] == ["-import sqlite3", "+import toriwork"]
    assert files["pkg/latin.py"]["diff"].endswith("\\ No newline at end of file\n")
    assert {found["action"] for found in files.values()} == {"write", "make", "remove"}


def test_the_shown_differences_are_patches_that_lead_to_the_same_tree(root: Path, plan: Plan, tmp_path: Path) -> None:
    patched = copied(root, tmp_path / "patched")
    text = "".join(found["diff"] for found in plan.content["files"])
    subprocess.run(
        ["patch", "-p1", "--binary", "-s"], input=text.encode("utf-8", "surrogateescape"), cwd=patched, check=True
    )
    apply_steps(plan)
    for found in plan.content["files"]:
        places = [folder / found["path"] for folder in (root, patched)]
        assert [place.exists() for place in places] in ([True, True], [False, False])
        assert not places[0].exists() or places[0].read_bytes() == places[1].read_bytes()


def test_a_finished_migration_applied_again_changes_nothing(root: Path, plan: Plan) -> None:
    apply_steps(plan)
    before, journal = tree(root), (plan.folder / "journal.jsonl").read_bytes()
    again = apply_steps(plan)
    assert (again.phase, again.notes) == ("finished", ["there is nothing left to do"])
    assert (tree(root), (plan.folder / "journal.jsonl").read_bytes()) == (before, journal)


@pytest.mark.parametrize(
    ("path", "edit"),
    [
        pytest.param("pkg/plain.py", lambda p: p.write_bytes(OLD + b"\n\nROWS = 5\n"), id="an edited file"),
        pytest.param("pkg/untouched.py", lambda p: p.write_bytes(b"import os\n"), id="a file that was only read"),
        pytest.param("pkg/plain.py", lambda p: p.chmod(0o600), id="another mode"),
        pytest.param("pkg/plain.py", lambda p: p.unlink(), id="a file that is gone"),
        pytest.param("capsule.yml", lambda p: p.write_bytes(b"mine: 1\n"), id="a file where one was to be made"),
        pytest.param("pkg/plain.py", lambda p: (p.unlink(), p.symlink_to("latin.py")), id="a link instead of a file"),
        pytest.param(DATABASE, lambda p: p.write_bytes(p.read_bytes() + b"\0"), id="a database written to"),
    ],
)
def test_an_edit_after_the_plan_is_refused_by_name_and_left_alone(root: Path, plan: Plan, path: str, edit: Any) -> None:
    edit(root / path)
    before = tree(root)
    with pytest.raises(Drift, match=path):
        apply_steps(plan)
    assert tree(root) == before
    assert not (root / "backup_pre_nodb").exists()
    assert history_of(plan).phase == "planned"


def test_an_edit_while_a_migration_is_cut_short_is_shown_and_kept(root: Path, plan: Plan) -> None:
    assert killed(lambda: apply_steps(plan), "7")
    write(root / "pkg/sealed.py", b"import sqlite3 as s\n", 0o444)
    with pytest.raises(Drift, match=r"pkg/sealed\.py: planned mode 444"):
        apply_steps(plan)
    assert (root / "pkg/sealed.py").read_bytes() == b"import sqlite3 as s\n"
    assert roll_back(plan).kept == []
    assert (root / "pkg/sealed.py").read_bytes() == b"import sqlite3 as s\n"


def test_a_database_that_somebody_has_open_stops_everything_before_it_begins(root: Path, plan: Plan) -> None:
    before = tree(root)
    with closing(sqlite3.connect(root / DATABASE)) as connection:
        connection.execute("SELECT count(*) FROM spectra").fetchall()
        with pytest.raises(SourceInUse, match=f"process {os.getpid()}"):
            apply_steps(plan)
    assert tree(root) == before
    assert apply_steps(plan).phase == "finished"


def test_a_database_opened_after_its_export_stays(root: Path, plan: Plan) -> None:
    def guard(_: Path) -> list[tuple[str, int, str]]:
        opened.append(sqlite3.connect(root / DATABASE))
        opened[0].execute("SELECT count(*) FROM spectra").fetchall()
        return []

    opened: list[sqlite3.Connection] = []
    with pytest.raises(SourceInUse, match="is open in"):
        apply_steps(plan, guard=guard)
    opened[0].close()
    assert (root / DATABASE).exists()
    assert apply_steps(plan).phase == "finished"
    assert not (root / DATABASE).exists()


def test_a_database_written_to_after_its_export_stays(root: Path, plan: Plan) -> None:
    def guard(_: Path) -> list[tuple[str, int, str]]:
        with closing(sqlite3.connect(root / DATABASE)) as connection, connection:
            connection.execute("INSERT INTO spectra VALUES (99)")
        return []

    with pytest.raises(Drift, match="was written to after it was exported"):
        apply_steps(plan, guard=guard)
    with closing(sqlite3.connect(root / DATABASE)) as connection:
        assert connection.execute("SELECT count(*) FROM spectra WHERE value = 99").fetchone() == (1,)
    assert roll_back(plan).kept == [DATABASE]
    with closing(sqlite3.connect(root / DATABASE)) as connection:
        assert connection.execute("SELECT count(*) FROM spectra").fetchone() == (51,)


def test_what_the_guard_finds_keeps_the_database_until_it_is_gone(root: Path, plan: Plan) -> None:
    late = root / "pkg/late.py"

    def guard(where: Path) -> list[tuple[str, int, str]]:
        return [("pkg/late.py", 1, "imports a database")] if late.exists() else []

    late.write_bytes(OLD)
    outcome = apply_steps(plan, guard=guard)
    assert (outcome.phase, outcome.waits) == ("waiting", ["pkg/late.py:1: imports a database"])
    assert (root / DATABASE).exists()
    assert apply_steps(plan, guard=guard).phase == "waiting"
    late.unlink()
    assert apply_steps(plan, guard=guard).phase == "finished"
    assert not (root / DATABASE).exists()


def test_without_a_guard_what_is_left_to_a_person_keeps_the_database(root: Path, state_root: Path) -> None:
    left = {"path": "pkg/odd.py", "line": 3, "recipe": "sql", "why": "SQL that no recipe knows"}

    outcome = apply_steps(plan_of(root, state_root, replace(propose(root, state_root), manual=(left,))))
    assert outcome.waits == ["pkg/odd.py:3: SQL that no recipe knows"]
    assert (root / DATABASE).exists()


def test_new_code_that_does_not_compile_is_no_plan(root: Path, state_root: Path) -> None:
    change = Change("pkg/untouched.py", b"ROWS = 4\n", b"ROWS = \n", ("a faulty recipe",))
    with pytest.raises(MigrationError, match=r"pkg/untouched\.py: would not compile"):
        plan_of(root, state_root, Proposal(changes=(change,)))
    assert not (root / ".toriwork").exists()


def test_a_damaged_backup_keeps_the_database(root: Path, plan: Plan) -> None:
    def progress(event: str, **facts: Any) -> None:
        if facts.get("step") == f"retire:{DATABASE}" and event == "step":
            for blob in (root / "backup_pre_nodb/blobs").iterdir():
                blob.write_bytes(blob.read_bytes()[:-9])

    with pytest.raises(NotProven, match="missing or damaged"):
        apply_steps(plan, progress=progress)
    assert (root / DATABASE).exists()


def test_a_full_disk_leaves_whole_files_and_a_migration_that_goes_on(root: Path, plan: Plan, state_root: Path) -> None:
    write(root / "pkg/plain.py", OLD + b"\nTEXT = '" + os.urandom(20_000).hex().encode() + b"'\n", 0o644)
    plan = plan_of(root, state_root)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = tree(root)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, limits[1]))
    try:
        with pytest.raises(OSError, match="large"):
            apply_steps(plan)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert {path: state for path, state in tree(root).items() if path in before} == before
    assert apply_steps(plan).phase == "finished"
    roll_back(plan)
    assert tree(root) == before


def test_ctrl_c_leaves_a_migration_that_goes_on(root: Path, plan: Plan) -> None:
    def progress(event: str, **facts: Any) -> None:
        if facts.get("number") == 6:
            raise KeyboardInterrupt

    before = tree(root)
    with pytest.raises(KeyboardInterrupt):
        apply_steps(plan, progress=progress)
    assert history_of(plan).phase == "applying"
    assert not (root / ".toriwork" / LOCK).exists()
    assert apply_steps(plan).phase == "finished"
    roll_back(plan)
    assert tree(root) == before


def test_of_two_that_apply_at_once_one_works_and_the_other_is_told_who(root: Path, plan: Plan) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def progress(event: str, **facts: Any) -> None:
        inside.set()
        go_on.wait(30)

    first = threading.Thread(target=apply_steps, args=(plan,), kwargs={"progress": progress})
    first.start()
    inside.wait(30)
    with pytest.raises(LockUnavailable, match=f"process {os.getpid()}"):
        apply_steps(plan)
    go_on.set()
    first.join()
    assert history_of(plan).phase == "finished"


@pytest.mark.usefixtures("small_proposals")
def test_another_plan_waits_for_the_one_that_was_begun(root: Path, plan: Plan, state_root: Path) -> None:
    assert killed(lambda: apply_steps(plan), "5")
    write(root / "pkg/late.py", OLD, 0o644)
    later = api.make_plan(root, state_root=state_root)
    assert later.id != plan.id
    with pytest.raises(MigrationError, match=f"plan {plan.id} is applying"):
        api.apply_plan(root, later.id)
    assert api.current_plan(root).id == plan.id
    assert api.apply_plan(root).phase == "finished"


@pytest.mark.usefixtures("small_proposals")
def test_a_second_migration_keeps_the_backup_of_the_first(root: Path, plan: Plan, state_root: Path) -> None:
    start = tree(root)
    apply_steps(plan)
    write(root / "pkg/late.py", OLD, 0o644)
    between = tree(root)
    later = plan_of(root, state_root)
    assert later.backup.name == f"backup_pre_nodb_{later.id}"
    apply_steps(later)
    assert api.rollback(root).plan_id == later.id
    assert tree(root) == between
    (root / "pkg/late.py").unlink()
    roll_back(plan)
    assert tree(root) == start


def test_a_change_behind_a_link_out_of_the_code_base_is_left_to_a_person(root: Path, state_root: Path) -> None:
    outside = root.parent / "tox.ini"
    outside.write_bytes(b"[tox]\n")
    (root / "tox.ini").symlink_to(outside)

    change = Change("tox.ini", b"[tox]\n", b"[tox]\nx = 1\n", ("generated",))
    plan = plan_of(root, state_root, Proposal(changes=(change,)))
    assert plan.empty
    assert "is a link to" in plan.manual[0]["why"]


def test_two_recipes_that_want_different_bytes_are_refused(root: Path, state_root: Path) -> None:
    changes = tuple(Change("a.py", None, text, (str(text),)) for text in (b"1", b"2"))
    with pytest.raises(MigrationError, match=r"a\.py: .* disagree"):
        plan_of(root, state_root, Proposal(changes=changes))


def test_names_that_lead_to_no_plan_are_refused_in_words(root: Path, plan: Plan) -> None:
    with pytest.raises(NotFound, match="not a directory"):
        api.make_plan(root / "no")
    with pytest.raises(NotFound, match="there is no plan zzz"):
        api.current_plan(root, "zzz")
    with pytest.raises(NotFound, match="has no plan"):
        api.current_plan(root / "pkg")
    assert api.current_plan(root, plan.id[:5]).id == plan.id
    (plan.folder / "plan.json.gz").write_bytes(b"no gzip")
    with pytest.raises(Exception, match="cannot be read"):
        api.current_plan(root)
    assert BadInput.kind == "bad_input"


@pytest.mark.skipif(sys.platform == "win32", reason="modes")
def test_a_fresh_run_of_nothing_is_empty(tmp_path: Path, state_root: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    plan = plan_of(empty, state_root, Proposal())
    assert plan.empty
    assert list(empty.iterdir()) == []
