from __future__ import annotations

import json

import pytest

from tests.migrate.recipes.code import STORE, after, rewritten

CHANGES = [
    pytest.param("import sqlite3\nx = 1\n", "x = 1\n", id="a line of its own"),
    pytest.param("import sqlite3  # old\nx = 1\n", "x = 1\n", id="with a remark"),
    pytest.param("import os, sqlite3\nos.getcwd()\n", "import os\nos.getcwd()\n", id="last of several"),
    pytest.param("import sqlite3, os\nos.getcwd()\n", "import os\nos.getcwd()\n", id="first of several"),
    pytest.param("import sqlite3; x = 1\n", "pass; x = 1\n", id="beside a statement"),
    pytest.param("import sqlite3 as sq\n", "", id="under another name"),
    pytest.param("from sqlalchemy import (\n    create_engine,\n    text,\n)\n", "", id="in brackets"),
    pytest.param("try:\n    import sqlite3\nexcept ImportError:\n    raise\n", None, id="alone in a block"),
    pytest.param('"""Was over sqlite3."""\nimport sqlite3\n', '"""Was over sqlite3."""\n', id="named in a docstring"),
    pytest.param("def f():\n    import sqlite3\n    return 1\n", "def f():\n    return 1\n", id="in a function"),
]


@pytest.mark.parametrize(("text", "wanted"), CHANGES)
def test_a_driver_that_nothing_uses_goes(tmp_path, text, wanted):
    result = after(tmp_path, text)
    assert "import sql" not in result
    assert wanted is None or result == wanted


STAYS = [
    pytest.param("import sqlite3\nc = sqlite3.connect('a.db')\n", "used in line 2", id="used"),
    pytest.param("import sqlite3\nglobals()['sqlite3'].connect\n", "the text in line 2", id="looked up by text"),
    pytest.param("import sqlite3\n__all__ = ['sqlite3']\n", "the text in line 2", id="handed out"),
    pytest.param("import sqlite3\ndef f(c: 'sqlite3.Connection'): ...\n", "the text in line 2", id="an annotation"),
    pytest.param("from sqlite3 import *\n", "imported as *", id="everything"),
]


@pytest.mark.parametrize(("text", "why"), STAYS)
def test_a_driver_that_something_needs_stays_and_is_reported(tmp_path, text, why):
    found = rewritten(tmp_path, text)
    assert found.after == found.before
    (finding,) = found.manual
    assert (finding.recipe, finding.line) == ("database_imports", 1)
    assert why in finding.why


def test_a_driver_that_another_file_takes_from_here_stays(tmp_path):
    found = rewritten(tmp_path, "import sqlite3\n", other="from module import sqlite3\nsqlite3.connect\n")
    assert found.after == found.before
    assert "another file" in found.manual[0].why


HANDLER = "import sqlite3\ntry:\n    f()\nexcept sqlite3.Error:\n    raise\n"
STAND_IN = "import os\ntry:\n    import sqlite3\n    HAVE = True\nexcept ImportError:\n    sqlite3 = HAVE = None\n"


@pytest.mark.parametrize(("text", "lines"), [(HANDLER, (1, 4)), (STAND_IN, (3, 6))])
def test_a_handler_of_its_errors_and_a_stand_in_are_for_a_person(tmp_path, text, lines):
    found = rewritten(tmp_path, text, store=STORE)
    assert found.after == found.before
    (finding,) = found.manual
    assert (finding.line, f"used in line {lines[1]}" in finding.why) == (lines[0], True)


def test_an_import_that_only_what_went_needed_goes_and_no_other(tmp_path):
    text = STORE.replace("import json\n", "import json, shutil\nfrom io import StringIO\n")
    result = after(tmp_path, text + "\n\nLATER = StringIO()\n")
    assert "import shutil\n" in result  # idle before, and nobody's business
    assert "from io import StringIO\n" in result
    assert "json" not in result


def test_a_finding_in_a_notebook_names_cell_and_line(tmp_path):
    code = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": "a"},
        code | {"source": "import sqlite3"},
        code | {"source": "x = 1\nsqlite3.connect('a')"},
    ]
    notebook = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    (finding,) = rewritten(tmp_path, notebook.encode(), "look.ipynb").manual
    assert (finding.line, finding.why) == (1, "cell 2: sqlite3 stays imported: it is used in line 2 of cell 3")
