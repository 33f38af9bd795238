"""The table of drivers against a list of import names with their distributions; what opens a database by default."""

from __future__ import annotations

from pathlib import Path

import pytest

from toriwork.guard import examine
from toriwork.guard.drivers import DEFAULTS, FAMILIES, PLAIN_WORDS
from toriwork.guard.settings import Settings

LISTED = [
    tuple(line.split())
    for line in (Path(__file__).parent / "drivers.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]
NO_SETTINGS = Settings(Path("/no/such/project"))


def found_in(folder: Path, **files: str) -> list[tuple[str, str]]:
    """Code and ``what`` of each finding; ``__`` in a name is a slash, ``_`` before the suffix a dot."""
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return [(finding.code, finding.what) for finding in examine([str(folder)], settings=NO_SETTINGS).findings]


def test_the_list_holds_at_least_150_import_names():
    assert len({module for module, _ in LISTED}) >= 150


@pytest.mark.parametrize("module", sorted({module for module, _ in LISTED}))
def test_an_import_of_a_driver_is_found(module, tmp_path):
    assert [code for code, _ in found_in(tmp_path, a_py=f"import {module}\n")] == ["TWG101"]


def test_what_a_package_holds_is_found_however_it_is_taken_from_it(tmp_path):
    nested = [module.rpartition(".") for module, _ in LISTED if "." in module]
    source = "".join(f"from {package} import {name}\n" for package, _, name in nested)
    assert len(found_in(tmp_path, a_py=source)) == len(nested)


def test_every_distribution_that_brings_a_driver_is_found_in_requirements(tmp_path):
    names = sorted({distribution for _, distribution in LISTED} - {"-"})
    (tmp_path / "requirements.txt").write_text("".join(f"{name}>=1\n" for name in names))
    lines = {finding.line for finding in examine([str(tmp_path)], settings=NO_SETTINGS).findings}
    assert [name for number, name in enumerate(names, 1) if number not in lines] == []


@pytest.mark.parametrize(
    "module",
    "pandas pyarrow duckdb lancedb mlflow optuna joblib sqlglot sqlparse google.cloud.storage azure.storage.blob "
    "firebase_admin langgraph testcontainers.core PyQt6.QtWidgets huey.FileHuey django.http sacred.observers".split(),
)
def test_its_neighbours_are_no_drivers(module, tmp_path):
    assert found_in(tmp_path, a_py=f"import {module}\n", requirements_txt=module.split(".")[0] + "\n") == []


def test_plain_words_are_parts_of_the_table():
    parts = {part for family in FAMILIES.values() for name in family.modules.split() for part in name.split(".")}
    assert sorted(PLAIN_WORDS - parts) == []


@pytest.mark.parametrize("library", DEFAULTS)
def test_a_call_that_opens_a_database_by_default_is_found_once_with_the_reason(library, tmp_path):
    call = DEFAULTS[library].calls.split()[0]
    (tmp_path / "a.py").write_text(f"import {library} as x\nx.{call}('a')\nx.{call}('b')\n")
    (finding,) = examine([str(tmp_path)], settings=NO_SETTINGS).findings
    assert (finding.line, finding.code, finding.what) == (2, "TWG110", library)
    assert DEFAULTS[library].reason in finding.message


@pytest.mark.parametrize(
    "files",
    [
        {"a_py": "import mlflow\nmlflow.set_tracking_uri('file:runs')\nwith mlflow.start_run():\n    pass\n"},
        {"a_py": "import mlflow\nmlflow.start_run()\n", "b_py": "from mlflow import set_tracking_uri\n"},
        {"a_py": "import mlflow\nmlflow.start_run()\n", "conf_env": "MLFLOW_TRACKING_URI=http://host\n"},
        {"a_py": "import mlflow\nmlflow.MlflowClient(tracking_uri='file:runs')\n"},
        {"a_py": "from requests_cache import CachedSession\nCachedSession('x', backend='filesystem')\n"},
        {"a_py": "import trackio\ntrackio.init('x', space_id='me/x')\n"},
        {"a_py": "import mlflow\nprint(mlflow.__version__)\n"},
    ],
)
def test_with_a_store_that_is_named_it_is_none(files, tmp_path):
    assert found_in(tmp_path, **files) == []


def test_the_store_may_be_named_in_a_notebook(tmp_path):
    notebook = '{"cells": [{"cell_type": "code", "source": "import mlflow\\nmlflow.set_tracking_uri(\'x\')"}]}'
    assert found_in(tmp_path, a_py="import mlflow\nmlflow.start_run()\n", b_ipynb=notebook) == []


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("ATTACH 'x.duckdb'", "duckdb"),
        ("attach database if not exists 'x.db' as y", "db"),
        ("ATTACH 'ducklake:meta.ducklake' AS lake", "ducklake"),
        ("ATTACH 'md:sales'", "md"),
        ("ATTACH 'dbname=x' AS y (READ_ONLY, TYPE postgres)", "postgres"),
        ("ATTACH ? AS y (TYPE sqlite)", "sqlite"),
        ("SELECT 1; ATTACH 'file' AS y", "duckdb"),
        ("INSTALL ducklake; LOAD ducklake", "ducklake"),
        ("INSTALL mssql FROM community", "mssql"),
        ("SELECT * FROM mysql_query('db', 'x')", "mysql"),
    ],
)
def test_sql_that_opens_a_database_is_found(sql, what, tmp_path):
    assert found_in(tmp_path, a_py=f"import duckdb\nduckdb.sql({sql!r})\n") == [("TWG106", what)]


@pytest.mark.parametrize(
    "sql",
    [
        "ATTACH ':memory:' AS y",
        "ATTACH '' AS y",
        "ATTACH 'tables' AS lake (TYPE delta)",
        "Please attach 'report.pdf' to the mail",
        "attach 'note: it is late' as you like it",
        "SELECT * FROM 'x.parquet'",
        "INSTALL httpfs; LOAD httpfs",
    ],
)
def test_sql_that_opens_none_is_left_alone(sql, tmp_path):
    assert found_in(tmp_path, a_py=f"import duckdb\nduckdb.sql({sql!r})\n") == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import duckdb\nduckdb.connect('md:x')", [("TWG106", "duckdb")]),
        ("import duckdb\nduckdb.connect(':memory:')", []),
        ("import duckdb\nduckdb.connect().load_extension('postgres')", [("TWG106", "postgres")]),
        ("import duckdb\nduckdb.connect().install_extension('httpfs')", []),
        ("import lancedb\nlancedb.connect('folder')", []),
        ("from setuptools import setup\nDB = ['redis']\nsetup(extras_require={'db': DB})", [("TWG301", "redis")]),
        (
            "from setuptools import setup\nkw = dict(install_requires=['apsw'])\nsetup(**kw)",
            [("TWG301", "apsw")],
        ),
        ("from setuptools import setup\nsetup(**{'tests_require': ['apsw']})", [("TWG301", "apsw")]),
        ("from setuptools import setup\nDB = ['redis']\nsetup(keywords=DB)", []),
    ],
)
def test_calls_that_open_or_require_a_database_are_found(source, found, tmp_path):
    assert found_in(tmp_path, a_py=source) == found
