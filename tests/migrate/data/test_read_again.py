"""A file of spectra stays where it is, so it is met again: its rows are in the registry once."""

from __future__ import annotations

import json
from pathlib import Path

from toriwork.migrate import apply_plan, make_plan, rollback, status
from toriwork.migrate.data.registry import rows_of
from toriwork.registry import TorusRegistry

STORE = """import json


class SpectralDB:
    def __init__(self, path="spectra.json"):
        with open(path) as file:
            self.rows = json.load(file)

    def add(self, eigenvalues):
        self.rows.append(eigenvalues)

    def distance(self, eigenvalues):
        return min(sum(abs(a - b) for a, b in zip(eigenvalues, row)) / 2 for row in self.rows)

    def __contains__(self, eigenvalues):
        return eigenvalues in self.rows
"""


def row(n: int) -> dict[str, object]:
    return {"eigenvalues": [0.5 + n, 0.25], "timestamp": n, "hash_id": f"h{n}"}


def backend(folder: Path, n_rows: int) -> Path:
    """A class that is left to a person, and its history."""
    folder.mkdir(exist_ok=True)
    (folder / "store.py").write_text(STORE)
    (folder / "spectra.json").write_text(json.dumps([row(n) for n in range(n_rows)]))
    return folder


def test_the_same_rows_are_not_brought_again_by_another_migration(tmp_path):
    root, state = backend(tmp_path / "lab", 5), tmp_path / "state"
    first = make_plan(root, state_root=state)
    assert "it keeps its spectra in json, which is no database" in first.manual[0]["why"]
    apply_plan(root)
    again = make_plan(root, state_root=state)
    assert again.content["data"] == []
    assert again.empty
    with TorusRegistry(state / "torus_registry.parquet", read_only=True) as registry:
        assert len(registry.df) == 5


def test_rows_that_came_since_are_brought_alone_and_taken_back_alone(tmp_path):
    root, state = backend(tmp_path / "lab", 5), tmp_path / "state"
    first = make_plan(root, state_root=state)
    apply_plan(root)
    backend(root, 7)
    second = make_plan(root, state_root=state)
    assert apply_plan(root, second.id).phase == "finished"
    path = state / "torus_registry.parquet"
    assert [len(rows_of(path, plan.id)) for plan in (first, second)] == [5, 2]
    rollback(root)
    assert [len(rows_of(path, plan.id)) for plan in (first, second)] == [5, 0]
    assert status(root).plan_id == first.id
    rollback(root)
    assert not path.exists()
    assert not (root / "backup_pre_nodb").exists()
