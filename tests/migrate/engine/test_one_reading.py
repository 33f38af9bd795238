"""A plan reads a tree once: counted, not timed. A database is hashed once; large trees stay in reach."""

from __future__ import annotations

import ast
import sqlite3
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from tests.migrate.recipes.code import STORE
from toriwork.migrate import make_plan

_OPENED: list[str] | None = None


def _note(event: str, given: tuple[object, ...]) -> None:
    if event == "open" and _OPENED is not None and isinstance(given[0], str):
        _OPENED.append(given[0])


sys.addaudithook(_note)  # stays for good, and is silent outside of these tests


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every path that this process opens from now on."""
    found: list[str] = []
    monkeypatch.setitem(globals(), "_OPENED", found)
    return found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    for n in range(30):
        (folder / f"pkg{n}").mkdir(parents=True)
        (folder / f"pkg{n}" / "module.py").write_text(f"import math\n\nX = math.sqrt({n})\n")
        (folder / f"pkg{n}" / "notes.txt").write_text("plain\n")
    (folder / "uses.py").write_text("import sqlite3\n\nPATH = 'lab.db'\n")
    with closing(sqlite3.connect(folder / "lab.db")) as connection:
        connection.execute("CREATE TABLE t (a)")
        connection.commit()
    return folder


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each source is parsed from now on."""
    found: Counter[str] = Counter()
    parse = ast.parse

    def counted(source: str, *more: object, **others: object) -> ast.AST:
        found[source] += 1
        return parse(source, *more, **others)

    monkeypatch.setattr(ast, "parse", counted)
    return found


def test_only_code_that_may_matter_is_parsed_and_that_once(root: Path, tmp_path: Path, parsed: Counter[str]) -> None:
    """A spectral class asks about names all over the tree, and SQL is looked for in it."""
    (root / "store.py").write_text(STORE)
    (root / "asks.py").write_text("def ask(run):\n    return run('SELECT a FROM t')\n")
    (root / "adds.py").write_text("def more(seen):\n    seen._compare(3)\n")
    (root / "broken.py").write_text("import sqlite3\nprint 'betti'\n")
    plan = make_plan(root, state_root=tmp_path / "state", retire=["lab.db"])
    code = {path.relative_to(root).as_posix(): path.read_text() for path in root.rglob("*.py")}
    counts = {path: parsed[source] for path, source in code.items()}
    assert {path for path, n in counts.items() if n} == {"store.py", "uses.py", "asks.py", "adds.py", "broken.py"}
    assert max(counts.values()) == 1
    assert {(found["path"], found["recipe"]) for found in plan.manual} >= {("asks.py", "direct_sql")}


def test_no_file_is_read_more_often_than_a_plan_needs(root: Path, tmp_path: Path, opened: list[str]) -> None:
    make_plan(root, state_root=tmp_path / "state")
    counts = Counter(Path(path).relative_to(root).as_posix() for path in opened if path.startswith(str(root)))
    code = {path: n for path, n in counts.items() if path.endswith(".py")}
    assert len(code) >= 31
    assert max(code.values()) == 1  # for recipes, data, hashes and guard together
    assert counts["pkg7/notes.txt"] == 2  # its first bytes, and its words: it may name the database
    assert counts["lab.db"] == 3  # its first bytes, its hash, the copy that SQLite looks at
