"""Members of a spectral class that a careful person would keep, answer, or leave alone."""

from __future__ import annotations

import pytest

from tests.migrate.recipes.code import STORE, after, rewritten

ROW = """
from dataclasses import dataclass


@dataclass
class Row:
    eigenvalues: list
    hash_id: str = ""

"""
LISTED = (
    STORE.replace("        self.conn = ", "        self.rows = []\n        self.index = {}\n        self.conn = ")
    .replace("def add(self, signature):\n", "def add(self, signature: Row):\n        self.rows.append(signature)\n")
    .replace(
        '        self.conn.execute("INSERT',
        '        self.index[signature.hash_id] = signature\n        self.conn.execute("INSERT',
    )
)


def members(*texts: str, store: str = STORE) -> str:
    lines = "\n\n".join(texts).splitlines()
    return store + "\n" + "".join(f"    {line}\n" if line else "\n" for line in lines)


def test_a_list_and_an_index_of_signatures_go_on_as_properties(tmp_path):
    by_hash = "def by_hash(self, hash_id):\n    return self.index.get(hash_id)"
    text = after(tmp_path, ROW + members(by_hash, store=LISTED), user="def f(db):\n    return db.rows[0]\n")
    assert "    def rows(self):\n        return self.signatures\n" in text
    assert "    def index(self):\n        return {one.hash_id: one for one in self.signatures}\n" in text
    assert "        return self.index.get(hash_id)\n" in text


def test_a_list_of_something_else_that_others_use_leaves_the_class_to_a_person(tmp_path):
    text = LISTED.replace("rows.append(signature)", "rows.append(signature.hash_id)")
    found = rewritten(tmp_path, ROW + text, user="def f(db):\n    return db.rows[0]\n")
    assert found.after == found.before
    assert "SpectralDB.rows is its storage and is used in user.py" in found.manual[0].why


def test_the_same_word_of_another_object_is_no_use_of_it(tmp_path):
    other = "class Log:\n    def __init__(self):\n        self.rows = []\n"
    assert "signatures" not in after(tmp_path, ROW + LISTED, user=other)


def test_a_heir_that_uses_what_its_base_held_leaves_the_class_to_a_person(tmp_path):
    heir = (
        "from module import SpectralDB\n\n\nclass Small(SpectralDB):\n    def first(self):\n        return self.conn\n"
    )
    found = rewritten(tmp_path, STORE, user=heir)
    assert "SpectralDB.conn is its storage" in found.manual[0].why


COUNT = "self.conn.execute('SELECT COUNT(*) FROM signatures').fetchone()[0]"
READS = [
    pytest.param(f"def told(self):\n    return 'n = %d' % {COUNT}", "'n = %d' % len(self)", id="a count inside"),
    pytest.param(
        "def told(self):\n    import os\n    return os.path.getsize(self.db_path)",
        "os.path.getsize(self.registry.path)",
        id="the size of the file",
    ),
    pytest.param(
        f"def get_statistics(self):\n    return {{'n': {COUNT}, 'max': 3}}",
        "{'n': len(self), 'max': 3}",
        id="statistics",
    ),
]


@pytest.mark.parametrize(("member", "line"), READS)
def test_questions_that_the_registry_answers_as_well_are_put_to_it(tmp_path, member, line):
    assert line in after(tmp_path, members(member))


UNSURE = [
    pytest.param(
        "def __iter__(self):\n    return iter(self.conn.execute(''))", "", "goes through something", id="keys"
    ),
    pytest.param("def __getitem__(self, n):\n    return self.conn.execute('')", "", "Python itself", id="by index"),
    pytest.param("def __len__(self):\n    return self.conn.total_changes", "", "counts something", id="another length"),
    pytest.param(
        "def get_statistics(self):\n    return {'pages': self.conn.execute('').fetchone()}",
        "def f(db):\n    return db.get_statistics()['pages']\n",
        "and user.py reads it",
        id="statistics that somebody reads",
    ),
    pytest.param(
        "def store(self, spectrum):\n    return self.conn.execute('', spectrum).lastrowid",
        "def f(db):\n    return db.store([1])\n",
        "hands back something that is used",
        id="an id that somebody uses",
    ),
    pytest.param(
        "def store(self, spectrum):\n    self.db_path = 3\n    self.conn.execute('', spectrum)",
        "",
        "also sets self.db_path",
        id="an addition that does more",
    ),
]


@pytest.mark.parametrize(("member", "user", "why"), UNSURE)
def test_what_the_registry_does_otherwise_is_for_a_person(tmp_path, member, user, why):
    found = rewritten(tmp_path, members(member), user=user)
    assert found.after == found.before
    assert why in found.manual[0].why


def test_a_public_method_that_goes_is_told_with_its_place(tmp_path):
    found = rewritten(tmp_path, members("def search(self, words):\n    return self.conn.execute(words)"))
    assert not found.manual
    assert [(note.line, note.why) for note in found.notes] == [
        (18, "SpectralDB.search was storage and nothing here calls it; it went")
    ]


def test_what_changes_what_is_held_does_not_stay(tmp_path):
    found = rewritten(tmp_path, members("def clear(self):\n    self.signatures.clear()"))
    assert b"clear" not in found.after
    assert found.notes


def test_an_adding_method_hands_back_the_part_of_its_argument_that_it_did(tmp_path):
    store = STORE.replace(
        "(signature.eigenvalues.tobytes(),))", "(signature.eigenvalues.tobytes(),))\n        return signature.hash_id"
    )
    text = after(tmp_path, store, user="def f(db, s):\n    return db.add(s)\n")
    assert "        super().add(signature)\n        return signature.hash_id\n" in text


def test_private_helpers_of_the_storage_go_with_it(tmp_path):
    text = after(tmp_path, members("def _told(self):\n    return 1", "def told(self):\n    return self.db_path"))
    assert "_told" not in text
    assert "def told" in text


def test_a_class_whose_connection_a_helper_of_another_module_opens_is_one(tmp_path):
    text = STORE.replace("import sqlite3\n", "from access import connect\n").replace("sqlite3.connect", "connect")
    found = rewritten(tmp_path, text, access="import sqlite3\n\n\ndef connect(p):\n    return sqlite3.connect(p)\n")
    assert not found.manual
    assert b"connect" not in found.after


def test_a_method_on_a_helper_of_the_storage_does_not_stay(tmp_path):
    helpers = "def _con():\n    return sqlite3.connect('')\n\n\ndef ask(sql):\n    return _con().execute(sql)\n"
    found = rewritten(tmp_path, members("def clear(self):\n    ask('DELETE FROM signatures')") + "\n\n" + helpers)
    assert b"def clear" not in found.after
