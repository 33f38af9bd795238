from __future__ import annotations

import codecs
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.migrate.recipes.code import STORE, rewritten
from toriwork.codebase.edits import Edit, apply
from toriwork.codebase.notebooks import Cells
from toriwork.errors import MissingExtra, Unsure
from toriwork.migrate.recipes import World, base, rewrite
from toriwork.migrate.recipes.source import Outcome

TEXT = STORE + "\n\nclass S:\n    def classify(self, e):\n        return {'größe': 1}  # ü\n"


def shapes() -> list:
    crlf, tabs = TEXT.replace("\n", "\r\n"), TEXT.replace("    ", "\t")
    return [
        pytest.param(TEXT.encode(), id="plain"),
        pytest.param(crlf.encode(), id="CRLF"),
        pytest.param(codecs.BOM_UTF8 + TEXT.encode(), id="BOM"),
        pytest.param(codecs.BOM_UTF8 + crlf.encode(), id="BOM and CRLF"),
        pytest.param(("# -*- coding: latin-1 -*-\n" + TEXT).encode("latin-1"), id="latin-1"),
        pytest.param(tabs.encode(), id="tabs"),
        pytest.param(TEXT.rstrip().encode(), id="no end of line"),
        pytest.param(TEXT.replace("\n\n\nclass S", "\n\n\f\nclass S").encode(), id="a form feed"),
        pytest.param(TEXT.replace("    ", "  ").encode(), id="two blanks"),
        pytest.param(("#!/usr/bin/env python3\n# licence\n" + TEXT).encode(), id="a shebang"),
    ]


@pytest.mark.parametrize("before", shapes())
def test_only_what_is_meant_changes_byte_for_byte(tmp_path, before):
    found = rewritten(tmp_path, before)
    again = rewritten(tmp_path, found.after)
    if found.manual:  # LibCST did not print what it parsed: nothing was touched
        assert found.after == before
        return
    assert again.after == found.after
    old, new = before.splitlines(keepends=True), found.after.splitlines(keepends=True)
    end = b"\r\n" if b"\r\n" in before else b"\n"
    assert all(line.endswith(end) for line in new[:-1])
    kept = (b"Keeps", b"class S:", b"#!", b"# licence", b"coding", b"import sys")
    assert all(line in new for line in old if any(word in line for word in kept))
    assert found.after.startswith(codecs.BOM_UTF8) == before.startswith(codecs.BOM_UTF8)
    assert "größe".encode("latin-1" if b"latin" in before else "utf-8") in found.after


ODD = [
    pytest.param(b"print 'two'\n", "this Python cannot read it", id="Python 2"),
    pytest.param(b"lazy import os\n", "this Python cannot read it", id="syntax of tomorrow"),
    pytest.param(b"x = '\xff'\n", "its encoding cannot be told", id="not its encoding"),
    pytest.param(b"# coding: klingon\n", "its encoding cannot be told", id="no encoding"),
    pytest.param(b"x = 1\0\n", "this Python cannot read it", id="a NUL"),
]


@pytest.mark.parametrize(("before", "why"), ODD)
def test_an_odd_file_comes_back_as_it_is_with_the_reason_where_it_speaks_of_a_database(tmp_path, before, why):
    source = before + b"import sqlite3\n"
    found = rewritten(tmp_path, source)
    assert found.after == source
    assert why in found.manual[0].why
    assert rewritten(tmp_path, before).manual == ()


@given(st.text(alphabet="abc =()[]:#\n\t\f'\"\\%!{}", max_size=60))
@settings(max_examples=40)
def test_no_text_makes_it_raise_and_none_is_changed_without_a_recipe(tmp_path, text):
    world = World.look(tmp_path)
    for path in ("a.py", "a.ipynb"):
        found = rewrite(path, text.encode(), world)
        assert found.recipes or found.after == found.before


@given(
    st.lists(st.sampled_from(["", "# a remark", "x = 1  # tail", "\f", 'TEXT = """\nimport sqlite3\n"""']), max_size=4)
)
def test_lines_around_a_class_stay_whatever_they_are(tmp_path, lines):
    around = "\n".join(lines)
    found = rewritten(tmp_path, f'"""Doc."""\n{around}\n{STORE}\n{around}\n'.encode())
    if not found.manual:
        assert found.after.count(around.encode()) >= 2
        assert rewritten(tmp_path, found.after).after == found.after


def test_an_import_goes_behind_docstring_future_and_path_edits(tmp_path):
    text = '"""Doc."""\nfrom __future__ import annotations\nimport sys\nsys.path.insert(0, "..")\nX = 1\n' + STORE
    result = rewritten(tmp_path, text.encode())
    lines = result.after.decode().splitlines()
    assert lines.index('sys.path.insert(0, "..")') < lines.index(
        next(line for line in lines if "torus_registry" in line)
    )


def test_without_libcst_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "libcst", None)
    assert rewritten(tmp_path, b"x = 1\n").after == b"x = 1\n"
    with pytest.raises(MissingExtra, match=r"toriwork\[migrate\]"):
        rewritten(tmp_path, STORE.encode())


def test_overlapping_edits_are_refused():
    with pytest.raises(Unsure, match="overlap"):
        apply(b"abcdef", (Edit(0, 3, b""), Edit(2, 4, b"")))


def test_a_notebook_changes_in_its_code_alone(tmp_path):
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["import sqlite3\n", "é"]},
        {"cell_type": "code", "metadata": {}, "outputs": [{"x": 1.50}], "source": ["%%time\n", "import sqlite3"]},
        {
            "cell_type": "code",
            "metadata": {},
            "outputs": [],
            "source": ["%load_ext x\n", "import sqlite3\n", "!ls {y}\n", "y?"],
        },
        {"cell_type": "code", "metadata": {}, "outputs": [], "source": "import sqlite3\nz = 'é'"},
        {"cell_type": "code", "metadata": {}, "outputs": [], "source": []},
    ]
    text = json.dumps({"nbformat": 4, "metadata": {}, "cells": cells}, indent=1, ensure_ascii=False) + "\n"
    found = rewritten(tmp_path, text.encode(), "n.ipynb")
    assert found.manual == ()
    wanted = text.replace('    "import sqlite3\\n",\n    "!ls', '    "!ls').replace('"import sqlite3\\nz', '"z')
    assert found.after.decode() == wanted


@pytest.mark.parametrize(
    "text",
    ['{"betti": 1}', '["betti"]', '{"cells": [{"cell_type": "code", "source": ["betti",  "b"]}]}'],
    ids=["an object", "a list", "odd blanks"],
)
def test_a_notebook_in_another_form_is_left_alone(tmp_path, text):
    found = rewritten(tmp_path, text.encode(), "n.ipynb")
    assert found.after == text.encode()
    assert found.manual


GATES = [
    pytest.param(b"x = 1\n", "would change it twice", id="it grows each time"),
    pytest.param(b"x = = 1\n", "cannot read it", id="what comes out is no Python"),
]


@pytest.mark.parametrize(("added", "why"), GATES)
def test_a_recipe_that_goes_wrong_changes_nothing(tmp_path, monkeypatch, added, why):
    def wrong(unit):
        return Outcome((Edit(0, 0, added),))

    monkeypatch.setattr(base, "RECIPES", (("wrong", wrong),))
    found = rewritten(tmp_path, b"betti = 2\n")
    assert found.after == b"betti = 2\n"
    assert why in found.manual[0].why


def test_a_notebook_that_would_lose_a_magic_is_refused():
    cell = {"cell_type": "code", "metadata": {}, "outputs": [], "source": ["%time\n", "x = 1"]}
    cells = Cells.read(json.dumps({"cells": [cell]}).encode())
    with pytest.raises(Unsure, match="magic"):
        cells.replaced(cells.code.replace(b"pass  # toriwork-magic %time\n", b""))
