"""The one shape of a spectral class that is moved, and what leaves a class as it is."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing

import pytest

from tests.migrate.fixtures import build
from tests.migrate.recipes.code import RECENT, STORE, after, rewritten
from toriwork.codebase import CodebaseIndex
from toriwork.compat import SignatureTable
from toriwork.migrate.engine.proposal import propose
from toriwork.migrate.recipes.spectral_db import BASE_MEMBERS
from toriwork.registry import TorusRegistry

IMPORT = "from python.core.torus_registry import SignatureTable, TorusRegistry, stream_of"
COUNT = "def count(self):\n    return self.conn.execute('select count( * )  from Signatures').fetchone()[0]\n"


def with_members(*members: str, store: str = STORE) -> str:
    lines = "\n\n".join(member.strip("\n") for member in members).splitlines()
    return store + "\n" + "".join(f"    {line}\n" if line else "\n" for line in lines)


def test_a_class_of_the_shape_becomes_a_thin_subclass(tmp_path):
    assert after(tmp_path, STORE) == (
        f"\n{IMPORT}\n"
        "\n"
        "\n"
        "class SpectralDB(SignatureTable):  # toriwork: spectral_db\n"
        '    """Keeps spectra."""\n'
        "\n"
        "    registry: TorusRegistry  # where the spectra are\n"
        "\n"
        '    def __init__(self, db_path="spectral.db", max_entries=100):\n'
        '        super().__init__(max_entries, stream=stream_of("spectral_db", db_path, __file__, "module.py"))\n'
        "        self.db_path = db_path\n"
        "\n"
        "    def add(self, signature):\n"
        "        super().add(signature)\n"
    )


def test_what_names_are_called_and_how_sql_is_spaced_does_not_matter(tmp_path):
    changes = {
        "self.conn": "self.con",
        "_compare": "apart",
        "rows": "found",
        "betti = ": "b: list = ",
        "if betti is None": "if b is None",
        "[float(b) for b in betti]": "[float(x) for x in b]",
        "signatures (hash_id, ": "Spectra(hash_id,",
        "FROM signatures": "from  spectra",
        "EXISTS signatures (": "EXISTS Spectra ( -- all, of us",
    }
    text = STORE
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    assert b"(SignatureTable)" in rewritten(tmp_path, text).after


MEMBERS = [
    pytest.param(COUNT, "        return super().count()\n", id="a count"),
    pytest.param("def commit(self):\n    self.conn.commit()", "        super().flush()\n", id="a commit"),
    pytest.param(
        f"{COUNT}\ndef told(self):\n    return f'{{self.count()}} of {{self.max_entries}}'  # as before",
        "        return f'{self.count()} of {self.max_entries}'  # as before\n",
        id="a method on top of one that is answered",
    ),
    pytest.param(
        "def size(self):\n    return self.db_path.stat().st_size",
        "        return self.registry.path.stat().st_size\n",
        id="the size of the file",
    ),
    pytest.param("UNIT = '1/s'\n\ndef unit(self):\n    return self.UNIT", "    UNIT = '1/s'\n", id="a constant"),
]


@pytest.mark.parametrize(("member", "line"), MEMBERS)
def test_a_member_goes_on_working(tmp_path, member, line):
    text = after(tmp_path, with_members(member))
    assert line in text
    assert "conn" not in text


def test_a_reader_gives_back_its_own_class(tmp_path):
    text = after(tmp_path, "from rows import Row\n" + with_members(RECENT))
    assert "        return [Row(**fields) for fields in super().recent(n)]\n" in text


def test_a_distance_that_pads_the_large_end_goes_on_doing_so(tmp_path):
    text = STORE.replace("(0, n - len(a))", "(n - len(a), 0)").replace("(0, n - len(b))", "(n - len(b), 0)")
    assert "    pads_large_end = True  # of two spectra of unequal length, as before\n" in after(tmp_path, text)
    assert "pads_large_end" not in after(tmp_path, STORE)


def test_an_add_that_hands_back_the_row_id_goes_on_doing_so(tmp_path):
    text = STORE.replace(
        'self.conn.execute(\n                "INSERT', 'c = self.conn.execute(\n                "INSERT'
    )
    text = text.replace("    def distance", "        return c.lastrowid\n\n    def distance")
    assert "        return super().add(signature)\n" in after(tmp_path, text)


def test_a_class_without_a_bound_keeps_all(tmp_path):
    assert "__init__(max_entries, stream=" in after(tmp_path, STORE.replace("max_entries=100", "max_entries=None"))


INSERT = '"INSERT INTO signatures'
EVICT = STORE[STORE.index('            self.conn.execute(\n                "DELETE') : STORE.index("    def distance")]
OTHERS = [
    pytest.param((INSERT, '"INSERT OR REPLACE INTO signatures'), 31, "may take the place", id="INSERT OR REPLACE"),
    pytest.param((INSERT, '"INSERT OR IGNORE INTO signatures'), 31, "may take the place", id="INSERT OR IGNORE"),
    pytest.param((INSERT, '"REPLACE INTO signatures'), 31, "may take the place", id="REPLACE"),
    pytest.param(
        ('?, ?)",\n', '?, ?) ON CONFLICT(hash_id) DO NOTHING",\n'), 31, "may take the place", id="ON CONFLICT"
    ),
    pytest.param(("hash_id TEXT NOT NULL,", "hash_id TEXT UNIQUE,"), 10, "no known shape", id="UNIQUE"),
    pytest.param(("hash_id TEXT NOT", "hash_id TEXT PRIMARY KEY NOT"), 10, "no known shape", id="PRIMARY KEY"),
    pytest.param(("gaps TEXT\n", "gaps TEXT CHECK (gaps != '')\n"), 10, "no known shape", id="CHECK"),
    pytest.param(("hash_id TEXT NOT NULL", "hash_id TEXT COLLATE NOCASE"), 10, "no known shape", id="a collation"),
    pytest.param(
        (");\n", "); CREATE UNIQUE INDEX IF NOT EXISTS u ON signatures (hash_id)\n"), 10, "UNIQUE", id="an index"
    ),
    pytest.param((");\n", "); CREATE TRIGGER t AFTER INSERT ON signatures BEGIN\n"), 10, "TRIGGER", id="a trigger"),
    pytest.param(
        (");\n", "); INSERT OR IGNORE INTO signatures VALUES (1)\n"), 10, "no known shape", id="rows of its own"
    ),
    pytest.param((EVICT, "\n"), 27, "add is of no known shape", id="no bound"),
    pytest.param(("(self.max_entries,)", "(3,)"), 27, "add is of no known shape", id="another bound"),
    pytest.param(("max_entries=100", "limit=100"), 17, "__init__ is of no known shape", id="no max_entries"),
    pytest.param(("<= (SELECT MAX(id)", "< (SELECT MIN(id)"), 43, "rows change or go", id="another eviction"),
    pytest.param(
        (
            "signature.betti_numbers\n",
            "signature.betti_numbers\n        if signature in self:\n            return\n",
        ),
        27,
        "add is of no known shape",
        id="skips what it knows",
    ),
    pytest.param(("[float(g) for", "[round(g, 3) for"), 27, "add is of no known shape", id="rounds"),
    pytest.param(('"<f8").tobytes()', '"<f4").tobytes()'), 27, "add is of no known shape", id="single precision"),
    pytest.param(("ORDER BY id DESC", "ORDER BY timestamp DESC"), 47, "answers otherwise", id="by time"),
    pytest.param(("ORDER BY id DESC", "ORDER BY id"), 47, "answers otherwise", id="the oldest"),
    pytest.param(("top_k=10", "top_k=5"), 46, "distance is of no known shape", id="another number of them"),
    pytest.param(('return float("inf")', "return 0.0"), 46, "distance is of no known shape", id="0 of nothing"),
    pytest.param(
        ("np.mean(np.abs(a - b))", "np.linalg.norm(a - b)"), 54, "_compare is of no known shape", id="Euclidean"
    ),
    pytest.param(("(0, n - len(b))", "(n - len(b), 0)"), 54, "_compare is of no known shape", id="pads both ends"),
    pytest.param(("sqlite3.connect(db_path)", "sqlite3.connect(db_path, timeout=1)"), 17, "__init__", id="a timeout"),
    pytest.param(
        ("        self._create()\n", "        self._create()\n        self.last = 0\n"), 17, "__init__", id="does more"
    ),
    pytest.param(("import sqlite3\n", "import apsw as sqlite3\n"), 7, "sqlite3 is not sqlite3's", id="another driver"),
    pytest.param(("class SpectralDB:", "class SpectralDB(Base):"), 7, "bases or decorators", id="a base"),
    pytest.param(("class SpectralDB:", "@final\nclass SpectralDB:"), 8, "bases or decorators", id="a decorator"),
    pytest.param(("class SpectralDB:", "class SpectralDB(\n    object\n):"), 7, "bases", id="a head of several lines"),
    pytest.param(("EXISTS signatures", "EXISTS others"), 7, "its table is not made by", id="another table is made"),
    pytest.param(("    SCHEMA = ", "    OTHER = "), 7, "its table is not made by", id="no table is made"),
    pytest.param(
        ("    def _create(self):\n", "    def a(self): return 1\n\n    def _create(self):\n"),
        7,
        "on a line",
        id="one line",
    ),
    pytest.param(("def distance(", "def nearest_distance("), 7, "no method distance", id="of another name"),
    pytest.param(
        ("def add(self, signature)", "async def add(self, signature)"), 27, "add is of no known shape", id="async"
    ),
]


@pytest.mark.parametrize(("change", "line", "why"), OTHERS)
def test_a_class_of_another_shape_stays_with_its_line_and_the_reason(tmp_path, change, line, why):
    text = STORE.lstrip("\n").replace(*change)
    assert text != STORE.lstrip("\n")
    found = rewritten(tmp_path, text)
    assert found.after == found.before
    finding = next(one for one in found.manual if one.recipe == "spectral_db")
    assert (finding.line, why in finding.why) == (line, True), finding
    assert finding.why.startswith("SpectralDB stays: ")
    assert "By hand: derive it from toriwork.registry.SpectralDB" in finding.why


STRANGE = [
    pytest.param("def purge(self):\n    self.conn.execute('DELETE FROM x')", "rows change or go", id="a deletion"),
    pytest.param(COUNT.replace("( * )", "(distinct hash_id)"), "answers otherwise", id="DISTINCT"),
    pytest.param(RECENT.replace("ORDER BY id", "ORDER BY timestamp"), "answers otherwise", id="the newest by time"),
    pytest.param(RECENT.replace("row[4]", "row[5]"), "recent is of no known shape", id="reads another column"),
    pytest.param(COUNT.replace("count(self)", "__len__(self)"), "__len__ is of no known shape", id="a length"),
    pytest.param("def undo(self):\n    self.conn.rollback()", "undo is of no known shape", id="a transaction"),
    pytest.param("def where(self):\n    return self.db_path.name", "where is of no known shape", id="the file's name"),
    pytest.param("def where(self):\n    return open('x').read()", "where is of no known shape", id="another file"),
    pytest.param("def more(self):\n    self.max_entries = 3", "more is of no known shape", id="changes its bound"),
    pytest.param("def both(self, a, b):\n    return self._compare(a, b)", "both is of no known shape", id="what goes"),
    pytest.param("def _rows(self):\n    return 1", "a member _rows", id="a name of the base class"),
    pytest.param("MADE = sqlite3.connect('x.db')", "no known shape", id="a class attribute that is no constant"),
]  # fmt: skip


@pytest.mark.parametrize(("member", "why"), STRANGE)
def test_a_member_of_another_shape_leaves_the_class_as_it_is(tmp_path, member, why):
    found = rewritten(tmp_path, with_members(member))
    assert found.after == found.before
    finding = next(one for one in found.manual if one.recipe == "spectral_db")
    assert why in finding.why
    assert finding.line > 60 or "_rows" in why


USERS = [
    pytest.param("def f(db):\n    db.conn.execute('')\n", "conn goes, and user.py uses something", id="its connection"),
    pytest.param("def f(db):\n    return db.db_path\n", "db_path goes, and user.py uses something", id="its path"),
    pytest.param("def f(db):\n    return getattr(db, 'conn')\n", "conn goes", id="its connection by a text"),
    pytest.param(
        "def f(c):\n    c.execute('select * from Signatures')\n", "user.py has SQL of its own", id="its table"
    ),
    pytest.param(
        "from module import SpectralDB\n\n\nclass Small(SpectralDB):\n    pass\n", "user.py derives", id="an heir"
    ),
]


@pytest.mark.parametrize(("user", "why"), USERS)
def test_what_others_do_with_a_class_may_keep_it(tmp_path, user, why):
    found = rewritten(tmp_path, STORE, user=user)
    assert found.after == found.before
    assert why in found.manual[0].why
    assert found.manual[0].line == 7


MADE = re.sub(r"--.*", "", STORE.split('"""')[3]).replace("IF NOT EXISTS ", "")
ROW = "INSERT INTO signatures VALUES (1, 'a', 1.5, x'000000000000f03f', NULL, 'local', '[]')"
DATABASES = [
    pytest.param([MADE.replace("hash_id TEXT NOT NULL", "hash_id TEXT UNIQUE")], "of no known shape", id="UNIQUE"),
    pytest.param([MADE.replace("gaps TEXT", "gaps TEXT, label TEXT")], "of no known shape", id="one more column"),
    pytest.param([MADE, "ALTER TABLE signatures ADD COLUMN x"], "of no known shape", id="a column that came later"),
    pytest.param([MADE, "CREATE UNIQUE INDEX u ON signatures (hash_id)"], "UNIQUE INDEX u", id="a unique index"),
    pytest.param([MADE, "CREATE INDEX i ON signatures (hash_id)"], "INDEX i", id="an index on something else"),
    pytest.param(
        [MADE, "CREATE TRIGGER t AFTER INSERT ON signatures BEGIN SELECT 1; END"], "CREATE TRIGGER t", id="a trigger"
    ),
    pytest.param([MADE, "CREATE VIEW v AS SELECT * FROM signatures"], "the view v", id="a view"),
    pytest.param([MADE, ROW.replace("x'000000000000f03f'", "'[1.0]'")], "1 rows of signatures in", id="a text"),
    pytest.param([MADE, ROW.replace("x'000000000000f03f'", "x'00'")], "no float64 bytes", id="a short blob"),
    pytest.param([MADE, ROW.replace("1.5", "9e999")], "its time is no finite number", id="an infinite time"),
    pytest.param([MADE, ROW.replace("NULL", "x'00'")], "a text of it is none", id="Betti numbers as bytes"),
]


def with_database(folder, *statements, name="spectral.db"):
    with closing(sqlite3.connect(folder / name)) as connection:
        for statement in statements:
            connection.executescript(statement)
        connection.commit()


def planned(folder):
    proposal = propose(CodebaseIndex.scan(folder), folder.parent / "state")
    return {(one["path"], one["line"]): one["why"] for one in proposal.manual if one["recipe"] == "spectral_db"}


@pytest.mark.parametrize(("statements", "why"), DATABASES)
def test_a_class_stays_where_the_real_database_is_not_as_its_code_says(tmp_path, statements, why):
    rewritten(tmp_path, STORE)
    with_database(tmp_path, *statements)
    found = planned(tmp_path)
    assert why in found["module.py", 7]
    assert "SpectralDB stays: " in found["module.py", 7]


@pytest.mark.parametrize(
    "statements", [[], [MADE], [MADE, ROW], [MADE, ROW, "CREATE INDEX i ON signatures(timestamp)"]]
)
def test_a_class_is_moved_where_the_real_database_is_as_its_code_says(tmp_path, statements):
    rewritten(tmp_path, STORE)
    with_database(tmp_path, *statements, "CREATE TABLE other (a)")
    assert planned(tmp_path) == {}


OUTSIDE = [
    pytest.param('"/var/lib/lab/spectral.db"', id="an absolute path"),
    pytest.param('os.path.expanduser("~/spectral.db")', id="the home folder"),
    pytest.param('os.environ["LAB_DB"]', id="the environment"),
    pytest.param("settings.DATABASE", id="another module"),
]


@pytest.mark.parametrize("place", OUTSIDE)
def test_a_class_stays_where_its_database_cannot_be_looked_at(tmp_path, place):
    rewritten(tmp_path, "import os\nimport settings\n" + STORE.replace('db_path="spectral.db"', f"db_path={place}"))
    assert "outside of the code base" in planned(tmp_path)["module.py", 10]


READERS = [
    pytest.param({"plot.R": "con <- dbConnect(SQLite(), 'data/spectral.db')\n"}, "plot.R:1 names", id="R"),
    pytest.param({"a.yml": "x: 1\ndatabase: spectral.db\n"}, "a.yml:2 names", id="YAML"),
    pytest.param({"look.py": "import other\nother.look('spectral.db')\n"}, "look.py:2 names", id="other code"),
]


@pytest.mark.parametrize(("files", "why"), READERS)
def test_a_class_stays_where_others_read_its_database(tmp_path, files, why):
    rewritten(tmp_path, STORE)
    with_database(tmp_path, MADE, ROW)
    build(tmp_path, files)
    assert why in planned(tmp_path)["module.py", 7]


def test_who_uses_the_class_and_who_writes_about_it_do_not_read_its_database(tmp_path):
    rewritten(tmp_path, STORE)
    with_database(tmp_path, MADE, ROW)
    use = "from module import SpectralDB\n\nSpectralDB('spectral.db')\n"
    build(tmp_path, {"use.py": use, "README.md": "data in spectral.db\n", ".gitignore": "spectral.db\n"})
    assert planned(tmp_path) == {}


TWIN = "class SpectralDB:\n    def undo(self):\n        self.n = 1\n\n\nclass Own(SpectralDB):\n    pass\n"


def test_two_classes_of_one_name_are_two_classes(tmp_path):
    use = "from twin import SpectralDB\n\nSpectralDB('spectral.db')\n"
    rewritten(tmp_path, STORE, twin=TWIN)
    with_database(tmp_path, MADE, ROW)
    assert planned(tmp_path) == {}  # the heir is one of the twin
    build(tmp_path, {"use.py": use})
    assert "use.py:3 names spectral.db" in planned(tmp_path)["module.py", 7]  # who uses the twin does not use the class


def test_what_a_trial_showed_leaves_a_class_as_it_is(tmp_path):
    rewritten(tmp_path, STORE)
    stopped = {("module.py", "spectral_db"): "it answers otherwise"}
    proposal = propose(CodebaseIndex.scan(tmp_path), tmp_path / "state", stopped=stopped)
    assert [one["why"].partition(". ")[0] for one in proposal.manual if one["recipe"] == "spectral_db"] == [
        "SpectralDB stays: it answers otherwise"
    ]


def test_a_class_over_json_or_a_pickle_stays_and_is_told(tmp_path):
    for module in ("json", "pickle"):
        text = f"import {module}\n\n\nclass Memory:\n    def add(self, spectrum):\n        {module}.dumps(spectrum)\n\n"
        found = rewritten(tmp_path, text + "    def distance(self, spectrum):\n        return 0.0\n")
        assert found.after == found.before
        assert [(one.line, f"in {module}, which is no database" in one.why) for one in found.manual] == [(4, True)]


LEFT_ALONE = [
    pytest.param("class Cache:\n    def add(self, x): ...\n    def distance(self, y): ...\n", id="no storage"),
    pytest.param(
        "import json\n\n\nclass Places:\n    def add(self, city):\n        json.dumps(city)\n\n"
        "    def distance(self, city):\n        return 0\n",
        id="no spectra",
    ),
    pytest.param("import sqlite3\nprint(sqlite3.connect('x.db'))\n", id="no class"),
]


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_what_is_no_spectral_database_is_left_alone(tmp_path, text):
    found = rewritten(tmp_path, text)
    assert found.after == found.before
    assert not [one for one in found.manual if one.recipe == "spectral_db"]


def test_what_the_base_class_keeps_to_itself_is_known(tmp_path):
    base = SignatureTable(1, stream="s", registry=TorusRegistry(tmp_path / "r.parquet"))
    own = {name for name in {*dir(base), *vars(base)} if not name.startswith("__")}
    assert own == BASE_MEMBERS | {"add", "distance", "recent", "count", "close"}
