"""Which distances are the registry's own, and what becomes of the others."""

from __future__ import annotations

import pytest

from tests.migrate.recipes.code import STORE, after, rewritten

HEAD, _, _ = STORE.partition("    def distance(")
READ = "rows = self.conn.execute('SELECT eigenvalues FROM signatures ORDER BY id DESC LIMIT ?', (top_k,)).fetchall()"
MEAN = "float(np.mean(np.abs(eigenvalues - row[0])))"


def with_distance(*lines: str, head: str = "distance(self, eigenvalues, top_k=10)") -> str:
    body = "".join(f"        {line}\n" for line in lines)
    return f"import numpy as np\n{HEAD}    def {head}:\n{body}"


OTHERS = [
    pytest.param([READ, "return min(np.linalg.norm(eigenvalues - r[0]) for r in rows)"], "norm", id="Euclidean"),
    pytest.param([READ, "return min(np.mean((eigenvalues - r[0]) ** 2) for r in rows)"], "power", id="squares"),
    pytest.param([READ, "return min(1 - np.dot(eigenvalues, r[0]) for r in rows)"], "dot", id="a product"),
    pytest.param([READ, "return min(np.abs(eigenvalues - r[0]).max() for r in rows)"], "cannot be told", id="largest"),
    pytest.param(
        [READ, "if not rows:", "    return 0.0", f"return min({MEAN} for row in rows)"], "says 0.0", id="0 of nothing"
    ),
    pytest.param([READ, f"return min(({MEAN} for row in rows), default=1.0)"], "says 1.0", id="1 of nothing"),
]


@pytest.mark.parametrize(("lines", "why"), OTHERS)
def test_a_class_with_another_distance_is_left_to_a_person(tmp_path, lines, why):
    found = rewritten(tmp_path, with_distance(*lines))
    assert found.after == found.before
    assert "may tell another distance" in found.manual[0].why
    assert why in found.manual[0].why


def test_another_distance_over_what_stays_is_kept(tmp_path):
    lines = ["recent = list(self.signatures)[-top_k:]", "return min(np.linalg.norm(one.eigenvalues) for one in recent)"]
    text = after(tmp_path, with_distance(*lines))
    assert "np.linalg.norm(one.eigenvalues) for one in recent" in text
    assert "sqlite3" not in text


FAR = [
    pytest.param("distance(self, eigenvalues)", "LIMIT 7", "super().distance(eigenvalues, 7)", id="a limit in the SQL"),
    pytest.param("distance(self, eigenvalues)", "", "super().distance(eigenvalues, self.max_entries)", id="all"),
    pytest.param("nearest_distance(self, x, *, k=3)", "LIMIT 9", "super().distance(x, k)", id="told by keyword alone"),
]


@pytest.mark.parametrize(("head", "limit", "line"), FAR)
def test_it_looks_as_far_back_as_before(tmp_path, head, limit, line):
    read = f"rows = self.conn.execute('SELECT eigenvalues FROM signatures {limit}').fetchall()"
    assert line in after(tmp_path, with_distance(read, f"return min({MEAN} for row in rows)", head=head))


NO_NUMBER = [
    pytest.param("nearest(self, eigenvalues)", f"return min({MEAN} for row in rows), rows[0]", id="a number and a row"),
    pytest.param("nearest(self, eigenvalues)", "return rows[0]", id="a row"),
    pytest.param("distance(self, eigenvalues, betti)", f"return min({MEAN} for row in rows)", id="asks for more"),
]


@pytest.mark.parametrize(("head", "line"), NO_NUMBER)
def test_what_is_no_distance_of_a_spectrum_is_not_answered_by_one(tmp_path, head, line):
    text = with_distance("rows = self.conn.execute('SELECT 1').fetchall()", line, head=head)
    name = head.partition("(")[0]
    found = rewritten(tmp_path, text, user=f"def f(db):\n    return db.{name}([1.0])\n")
    assert found.after == found.before
    assert f"SpectralDB.{name} (line 16)" in found.manual[0].why


def test_the_distance_may_stand_in_another_module(tmp_path):
    text = with_distance(READ, "return min(apart(eigenvalues, row[0]) for row in rows)")
    good = rewritten(
        tmp_path, f"from apart import apart\n{text}", apart="def apart(a, b):\n    return abs(a - b).mean()\n"
    )
    assert not good.manual
    bad = rewritten(tmp_path, f"from apart import apart\n{text}", apart="def apart(a, b):\n    return hypot(a, b)\n")
    assert "hypot" in bad.manual[0].why
