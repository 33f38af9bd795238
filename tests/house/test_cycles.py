"""No module imports, over others or at once, one that imports it; imports in functions and for types count as well."""

from __future__ import annotations

from pathlib import Path

from tools.architecture import circles, import_graph

PACKAGE = Path(__file__).resolve().parents[2] / "toriwork"
#: circles that are still to be opened, by one of their modules; this set only ever shrinks
KNOWN: set[str] = set()


def test_no_circle_of_imports():
    found = [sorted(circle) for circle in circles(import_graph(PACKAGE)) if not circle & KNOWN]
    assert found == [], "move what both sides need into a module that imports neither"


def test_a_known_circle_is_still_there():
    opened = [name for name in KNOWN if not any(name in circle for circle in circles(import_graph(PACKAGE)))]
    assert opened == [], "take it out of KNOWN"


def test_an_import_counts_wherever_it_stands(tmp_path):
    package = tmp_path / "toriwork"
    (package / "room").mkdir(parents=True)
    for name, source in (
        ("__init__", ""),
        ("lazy", "def f():\n    from toriwork.room import typed"),
        ("typed", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import toriwork.room.plain"),
        ("plain", "from toriwork.room.lazy import f"),
        ("below", "import os"),
    ):
        (package / "room" / f"{name}.py").write_text(source)
    (package / "__init__.py").write_text("from toriwork.room.lazy import f")
    graph = import_graph(package)
    assert circles(graph) == [frozenset(f"toriwork.room.{name}" for name in ("lazy", "typed", "plain"))]
    assert graph["toriwork.room.below"] == set()
