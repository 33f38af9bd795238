"""The new code is tried on a copy: what fails there and did not before keeps a plan from being applied."""

from __future__ import annotations

import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.migrate.engine.small import plan_of, tree
from tests.migrate.fixtures import build
from tests.migrate.recipes.code import make_store
from toriwork.codebase import CodebaseIndex
from toriwork.errors import NotProven
from toriwork.migrate import make_plan
from toriwork.migrate.engine import copies, trial
from toriwork.migrate.engine.apply import apply_steps, history_of
from toriwork.migrate.engine.behaviour import Differs
from toriwork.migrate.engine.plan import Plan
from toriwork.migrate.engine.proposal import Change, Proposal
from toriwork.migrate.engine.trial import try_plan


def planned(folder: Path, before: dict[str, str], after: dict[str, str], why: str = "test") -> Plan:
    """A plan that turns files into others; those that are only in ``before`` stay."""
    root = folder / "backend"
    for path, text in before.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    changes = tuple(
        Change(path, before[path].encode() if path in before else None, text.encode(), (why,))
        for path, text in after.items()
    )
    return plan_of(root, folder / "state", Proposal(tuple(before), changes))


def test_a_module_that_cannot_be_imported_any_more_stops_the_plan_before_anything_changes(tmp_path):
    plan = planned(tmp_path, {"pkg/__init__.py": "", "pkg/a.py": "X = 1\n"}, {"pkg/a.py": "from pkg import nothing\n"})
    start = tree(plan.root)
    with pytest.raises(NotProven, match=r"nothing was changed:\n  pkg/a.py: cannot be imported any more: ImportError"):
        apply_steps(plan, trial=try_plan)
    assert tree(plan.root) == start
    assert history_of(plan).phase == "planned"


def test_a_good_plan_is_applied_and_told_what_it_was_tried_with(tmp_path):
    plan = planned(tmp_path, {"a.py": "X = 1\n"}, {"a.py": "X = 2\n", "odd name-1.py": "Y = 2\n"})
    told = []
    outcome = apply_steps(plan, trial=try_plan, progress=lambda event, **facts: told.append((event, facts)))
    assert outcome.phase == "finished"
    assert told[0][0] == "trial"
    assert told[0][1]["modules"] == 2
    assert "import" in told[0][1]["tools"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("import no_such_driver\n", id="a package that is not here"),
        pytest.param("import sys\nsys.exit(2)\n", id="a script that ends"),
        pytest.param("input()\n", id="a script that asks"),
        pytest.param("import os\nos._exit(3)\n", id="a process that dies"),
        pytest.param("from missing.name import x\n", id="an import that never worked"),
    ],
)
def test_what_failed_before_is_not_held_against_a_plan(tmp_path, text):
    plan = planned(tmp_path, {"a.py": text, "b.py": "X = 1\n"}, {"a.py": text + "#\n", "b.py": "X = 2\n"})
    assert try_plan(plan).n_modules == 2


def test_a_module_that_ends_the_process_hides_no_other(tmp_path):
    plan = planned(
        tmp_path, {"a.py": "X = 1\n", "b.py": "X = 1\n"}, {"a.py": "import os\nos._exit(3)\n", "b.py": "1/0\n"}
    )
    with pytest.raises(NotProven, match=r"(?s)a.py: .*ended the process \(3\).*b.py: .*ZeroDivisionError"):
        try_plan(plan)


def test_importing_reaches_nothing_outside_of_the_copy(tmp_path):
    outside = tmp_path / "outside.txt"
    text = f"import subprocess\nopen({str(outside)!r}, 'w').write('x')\n"
    other = f"import subprocess\nsubprocess.run(['touch', {str(outside)!r}])\n"
    plan = planned(tmp_path, {"a.py": text, "b.py": other}, {"a.py": text + "#\n", "b.py": other + "#\n"})
    try_plan(plan)
    assert not outside.exists()
    inside = planned(tmp_path / "2", {"a.py": "X = 1\n"}, {"a.py": "open('beside.txt', 'w').write('x')\n"})
    assert try_plan(inside).n_modules == 1
    assert not (inside.root / "beside.txt").exists()


@pytest.mark.skipif(find_spec("ruff") is None, reason="ruff is not installed")
def test_a_name_that_nothing_binds_stops_the_plan_and_an_idle_import_is_only_noted(tmp_path):
    plan = planned(tmp_path, {"a.py": "def f():\n    return 1\n"}, {"a.py": "def f():\n    return missing\n"})
    with pytest.raises(NotProven, match=r"a\.py: F821 Undefined name `missing`"):
        try_plan(plan)
    idle = planned(tmp_path / "2", {"a.py": "import os\nos.name\n"}, {"a.py": "import os\n"})
    assert [note.split(" ")[1] for note in try_plan(idle).notes] == ["F401"]
    same = planned(tmp_path / "3", {"a.py": "def f():\n    return lost\n"}, {"a.py": "def f():\n    return  lost\n"})
    assert try_plan(same).notes == ()


CHECKS = "from pkg.a import X\n\n\ndef test_one():\n    assert X == 1\n\n\ndef test_two():\n    assert X == 2\n"
TESTED = {"src/pkg/__init__.py": "", "src/pkg/a.py": "X = 1\n", "tests/test_a.py": CHECKS}


def test_the_own_tests_are_run_where_there_are_any(tmp_path):
    plan = planned(tmp_path, TESTED, {"src/pkg/a.py": "X = 2\n"})
    with pytest.raises(NotProven, match=r"tests/test_a\.py::test_one: fails") as caught:
        try_plan(plan)
    assert "test_two" not in str(caught.value)
    assert "pytest" not in try_plan(planned(tmp_path / "2", {"a.py": "X = 1\n"}, {"a.py": "X = 2\n"})).tools


def test_a_test_that_fails_with_a_recipe_stops_that_recipe(tmp_path):
    plan = planned(tmp_path, TESTED, {"src/pkg/a.py": "X = 2\n"}, why="betti_cells")
    with pytest.raises(Differs, match=r"test_one fails with it") as caught:
        try_plan(plan)
    assert list(caught.value.stopped) == [("src/pkg/a.py", "betti_cells")]


def test_a_test_that_needs_a_database_that_goes_stops_the_plan(tmp_path):
    """No code is written, and no name of the database stands in any: only running it shows that it is read."""
    text = "from pathlib import Path\n\n\ndef test_all():\n    assert len(list(Path().rglob('*.db'))) == 1\n"
    root = build(tmp_path / "code", {"tests/test_all.py": text})
    make_store(root / "a.db", 2)
    plan = make_plan(root, state_root=tmp_path / "state")
    assert [step["paths"] for step in plan.content["retire"]] == [["a.db"]]
    with pytest.raises(NotProven, match=r"tests/test_all\.py::test_all: fails"):
        try_plan(plan)


def test_tests_that_take_too_long_are_left(tmp_path, monkeypatch):
    monkeypatch.setattr(trial, "_SECONDS_OF_TESTS", 0.01)
    plan = planned(tmp_path, TESTED, {"src/pkg/a.py": "X = 2\n"})
    verdict = try_plan(plan)
    assert "pytest" in verdict.tools
    assert verdict.notes == ("the own tests take too long to be compared; --tests waits for them",)


def test_a_run_in_a_copy_knows_nothing_of_its_caller_and_ends_with_all_that_it_started(tmp_path, monkeypatch):
    """As within the kernel of a notebook: its variables, its input, its process group are not the run's."""
    monkeypatch.setenv("JPY_PARENT_PID", "1")
    root = tmp_path / "root"
    root.mkdir()
    told = (
        "import os, sys; print([name for name in os.environ if name.startswith('JPY_')], os.getsid(0) == os.getpid())"
    )
    assert copies.run_python(root, ["-c", f"{told}; print(repr(sys.stdin.read()))"], 60) == (0, b"[] True\n''\n")
    lasting = "import os, time\nos.fork()\nwhile True:\n    open('alive', 'a').write('x')\n    time.sleep(0.01)\n"
    assert copies.run_python(root, ["-c", lasting], 1) == (None, b"")
    size = (root / "alive").stat().st_size
    time.sleep(0.2)
    assert (root / "alive").stat().st_size == size > 0


def test_a_plan_without_code_needs_no_trial(tmp_path):
    plan = planned(tmp_path, {"a.py": "1/0\n"}, {"capsule.yml": "state_path: x\n"})
    assert try_plan(plan).tools == ()


def test_large_data_is_not_copied_and_code_always_is(tmp_path, monkeypatch):
    monkeypatch.setattr(copies, "_ALL_DATA", 3)
    text = "from pathlib import Path\n\nassert Path('a.txt').exists()\nassert not Path('b.txt').exists()\n"
    plan = planned(tmp_path, {"a.txt": "123", "b.txt": "12345", "c.py": text}, {"c.py": text + "X = 1\n"})
    assert trial._look(plan.root, ["c.py"], ("import",)).raised["c.py"]  # both are there
    copy = tmp_path / "copy"
    copies.copy_tree(CodebaseIndex.scan(plan.root), copy)
    assert trial._look(copy, ["c.py"], ("import",)).raised == {"c.py": ""}


def test_the_copies_share_code_with_each_other_and_never_with_the_code_base(tmp_path):
    files = {"a.py": "X = 1\n", "b.py": "Y = 1\n", "c.txt": "text\n"}
    plan = planned(tmp_path, files, {"a.py": "X = 2\n"})
    before, after, _ = copies.make_copies(plan, CodebaseIndex.scan(plan.root), tmp_path / "copies")
    assert [(root / "a.py").read_text() for root in (before, after)] == ["X = 1\n", "X = 2\n"]
    assert {(name, (root / name).stat().st_nlink) for root in (before, after) for name in files} == {
        ("a.py", 1), ("b.py", 2), ("c.txt", 1)
    }  # fmt: skip
    assert {(plan.root / name).stat().st_nlink for name in files} == {1}


@pytest.mark.parametrize(("setting", "n_failed"), [("", 0), ("[pytest]\naddopts = --nbval\n", 1)])
def test_notebooks_are_among_the_own_tests_where_the_settings_say_so(tmp_path, setting, n_failed):
    cell = '{"cell_type": "code", "execution_count": 1, "metadata": {}, "outputs": [], "source": "1/0"}'
    about = '{"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}'
    build(
        tmp_path,
        {
            "pytest.ini": setting,
            "test_a.py": "def test_a():\n    pass\n",
            "b.ipynb": f'{{"cells": [{cell}], "metadata": {about}, "nbformat": 4, "nbformat_minor": 4}}\n',
        },
    )
    assert len(trial._failed_tests(tmp_path, 60)) == n_failed
