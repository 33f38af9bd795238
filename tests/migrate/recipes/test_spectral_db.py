from __future__ import annotations

import pytest

from tests.migrate.recipes.code import STORE, after, rewritten
from toriwork.migrate.recipes.spectral_attributes import PROVIDED
from toriwork.migrate.recipes.spectral_members import INTERNAL
from toriwork.monitors.adopted import AdoptedSpectralDB
from toriwork.registry import TorusRegistry

IMPORT = "from python.core.torus_registry import SpectralDB as TorusSpectralDB, TorusRegistry, stream_for"


def test_a_class_over_sqlite_becomes_a_thin_subclass(tmp_path):
    assert after(tmp_path, STORE) == (
        f"{IMPORT}\n"
        "\n"
        "\n"
        "class SpectralDB(TorusSpectralDB):  # toriwork: spectral_db\n"
        '    """Keeps spectra."""\n'
        "\n"
        "    registry: TorusRegistry  # where the spectra are\n"
        "\n"
        '    def __init__(self, db_path="spectral.db", max_entries=100):\n'
        "        super().__init__("
        'max_entries=max_entries, stream=stream_for("spectral_db", db_path, "spectral.db"))\n'
        "        self.db_path = db_path\n"
    )


MEMBERS = [
    pytest.param("def count(self):\n    return self.conn.execute('').fetchone()[0]", "return len(self)", id="a count"),
    pytest.param("def commit(self):\n    self.conn.commit()", "self.flush()", id="a commit"),
    pytest.param("def vacuum(self):\n    self.conn.execute('VACUUM')", "return  # the registry is", id="housekeeping"),
    pytest.param(
        "def nearest(self, spectrum, k=5):\n    return float(abs(self.conn.execute('').fetchone()).mean())",
        "return super().distance(spectrum, k)",
        id="a distance of another name",
    ),
    pytest.param(
        "def store_spectrum(self, eigenvalues, betti=None):\n    self.conn.execute('')",
        "return super().add(eigenvalues=eigenvalues, betti=betti)",
        id="an addition by fields",
    ),
    pytest.param(
        "def where(self):\n    return self.db_path  # as given", "return self.db_path  # as given", id="plain"
    ),
    pytest.param(
        "def told(self):\n    return f'{self.count()}'\n\ndef count(self):\n    return self.conn.execute('')",
        "return f'{self.count()}'",
        id="a method on top of one that is answered",
    ),
]


def with_member(member: str) -> str:
    return STORE + "\n" + "".join(f"    {line}\n" if line else "\n" for line in member.splitlines())


@pytest.mark.parametrize(("member", "line"), MEMBERS)
def test_a_member_goes_on_working(tmp_path, member, line):
    text = after(tmp_path, with_member(member))
    assert line in text
    assert "conn" not in text


def test_a_reader_of_signatures_gives_them_back_in_its_order(tmp_path):
    row = "from dataclasses import dataclass\n\n\n@dataclass\nclass Row:\n    eigenvalues: list\n    hash_id: str\n"
    member = "def recent(self, n=3):\n    return [Row(*r) for r in self.conn.execute('SELECT 1 ORDER BY id{}')]"
    newest = after(tmp_path, row + with_member(member.format(" DESC")))
    oldest = after(tmp_path, row + with_member(member.format("")))
    assert "return super().recent(n)\n" in newest
    assert "return super().recent(n)[::-1]\n" in oldest


def test_a_reader_gives_back_its_own_class(tmp_path):
    row = "class Row:\n    def __init__(self, eigenvalues, hash_id=''):\n        self.hash_id = hash_id\n"
    member = "def recent(self, n=3):\n    return [Row(*r) for r in self.conn.execute('SELECT 1 ORDER BY id DESC')]"
    text = after(tmp_path, row + with_member(member))
    assert "    signature_class = Row  # what they come back as\n" in text
    assert "return super().recent(n)\n" in text


def test_a_method_of_a_row_that_only_the_storage_called_goes(tmp_path):
    row = "class Row:\n    x: int\n\n    def to_row(self):\n        return sqlite3.Binary(b'')\n"
    text = (STORE + "\n\n" + row).replace("signature.eigenvalues.tobytes()", "signature.to_row()")
    assert "to_row" not in after(tmp_path, text)
    found = rewritten(tmp_path, text, user="def f(row):\n    row.to_row()\n")
    assert b"to_row" in found.after


def test_a_connection_that_others_use_leaves_the_class_to_a_person(tmp_path):
    found = rewritten(tmp_path, STORE, user="def f(db):\n    db.conn.execute('')\n")
    assert found.after == found.before
    assert "SpectralDB.conn is its storage and is used in user.py" in found.manual[0].why


@pytest.mark.parametrize(
    ("class_line", "member"),
    [
        pytest.param("class SpectralDB(Base):", "", id="a base that nobody knows"),
        pytest.param("class SpectralDB:", "def purge(self, before):\n    self.conn.execute('')", id="called elsewhere"),
    ],
)
def test_a_class_that_cannot_be_told_stays_and_is_reported(tmp_path, class_line, member):
    source = with_member(member).replace("class SpectralDB:", class_line)
    found = rewritten(tmp_path, source, user="def clean(db):\n    db.purge(3)\n")
    assert found.after == found.before
    assert [(finding.recipe, finding.line) for finding in found.manual if finding.recipe == "spectral_db"] == [
        ("spectral_db", 4)
    ]


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


def test_adapters_and_helpers_of_the_driver_go_with_it(tmp_path):
    text = STORE.replace(
        "class SpectralDB:",
        "def _connect(path):\n    return sqlite3.connect(path)\n\n\n"
        "sqlite3.register_adapter(list, repr)\n\n\nclass SpectralDB:",
    ).replace("sqlite3.connect(db_path)", "_connect(db_path)")
    result = after(tmp_path, text)
    assert "sqlite3" not in result
    assert "_connect" not in result


def test_a_member_that_would_get_in_the_way_of_the_base_class_is_for_a_person(tmp_path):
    found = rewritten(
        tmp_path, with_member("def _hold(self):\n    return 1\n\ndef told(self):\n    return self._hold()")
    )
    assert found.after == found.before
    assert "_hold" in found.manual[0].why


def test_what_the_base_class_keeps_to_itself_is_known(tmp_path):
    base = AdoptedSpectralDB(registry=TorusRegistry(tmp_path / "r.parquet"))
    own = {name for name in {*dir(base), *vars(base)} if not name.startswith("__")}
    assert own == INTERNAL | {name for name in PROVIDED if not name.startswith("__")}
