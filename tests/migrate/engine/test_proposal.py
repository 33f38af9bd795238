"""A code base is left alone where there is nothing to do."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.migrate.engine.small import tree
from tests.migrate.fixtures import build
from tests.migrate.recipes.code import STORE
from toriwork.migrate import make_plan
from toriwork.migrate.engine.show import plan_lines


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({}, id="an empty folder"),
        pytest.param({"mylab/__init__.py": "def f():\n    return 1\n"}, id="a package"),
        pytest.param({"python/core/__init__.py": "", "tox.ini": "[tox]\n"}, id="a core that nobody needs"),
        pytest.param({"a.py": "print 'two'\n", "b.ipynb": "{}"}, id="files that this Python cannot read"),
        pytest.param({"lab/__init__.py": "", "conf.yaml": "database: none\n"}, id="a word in a configuration"),
    ],
)
def test_nothing_to_do_is_an_empty_plan_that_says_so_and_is_not_even_stored(
    tmp_path: Path, state_root: Path, files: dict[str, str]
) -> None:
    root = build(tmp_path / "code", files)
    root.mkdir(exist_ok=True)
    before = tree(root, private=True)
    plan = make_plan(root, state_root=state_root)
    assert (plan.empty, plan.manual, plan.content["notes"]) == (True, [], [])
    assert "nothing to do" in list(plan_lines(plan))
    assert tree(root, private=True) == before


def test_what_is_all_left_to_a_person_changes_no_file(tmp_path: Path, state_root: Path) -> None:
    root = build(tmp_path / "code", {"lab/__init__.py": "import sqlite3\n\nROWS = sqlite3.connect('x')\n"})
    plan = make_plan(root, state_root=state_root)
    assert plan.empty
    assert [found["recipe"] for found in plan.manual] == ["database_imports"]


def test_a_database_alone_gets_a_place_and_a_guard_and_no_core(tmp_path: Path, state_root: Path) -> None:
    root = build(tmp_path / "code", {"lab/__init__.py": ""})
    with closing(sqlite3.connect(root / "a.db")) as connection, connection:
        connection.execute("CREATE TABLE t (a)")
    plan = make_plan(root, state_root=state_root)
    made = {found["path"] for found in plan.content["files"]}
    assert made == {"capsule.yml", "tox.ini", ".pre-commit-config.yaml"}


@pytest.mark.parametrize("core", [True, False])
def test_a_moved_class_gets_support_modules_only_where_there_is_a_core(
    tmp_path: Path, state_root: Path, core: bool
) -> None:
    files = {"lab/__init__.py": "", "lab/store.py": STORE} | ({"python/core/__init__.py": ""} if core else {})
    plan = make_plan(build(tmp_path / "code", files), state_root=state_root)
    made = {found["path"] for found in plan.content["files"]}
    assert "lab/store.py" in made
    assert ("python/core/torus_registry.py" in made) == core
    assert any(path.startswith("python") for path in made) == core
