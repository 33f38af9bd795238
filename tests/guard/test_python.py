"""Words spare the parser, and nothing that the parser would have found."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toriwork.codebase.source import nodes_of, parsed, words_of
from toriwork.guard.parsed_module import parsed_module
from toriwork.guard.policy import Policy
from toriwork.guard.python import hits_in, is_suspect

POLICY = Policy()
NAMES = (
    "sqlite3 sqlite redis dbm shelve mysql postgres psycopg2 alembic lmdb ducklake google.cloud.firestore PyQt5.QtSql "
    "huey.SqliteHuey mlflow builtins importlib sys os numpy store cache".split()
)
STATEMENTS = (
    "import {0}",
    "import {0} as b",
    "import {0}, \\\n    {1}",
    "from {0} import {1}",
    "from {0} import (\n    {1} as b,\n)",
    "from {0} import *",
    "from own.{0}.parts import load",
    "from . import {0}",
    "m = importlib.import_module('{0}')",
    "import importlib as i\nm = i.import_module('{0}')",
    "from importlib import import_module as get\nget('{0}')",
    "m = __import__('{0}')",
    "import builtins as b\nb.exec('import {0}')",
    "import builtins as b\ngetattr(b, 'ev' + 'al')('{0}')",
    "exec('import {0}')",
    "run = eval\nrun('__import__(\"{0}\")')",
    "code = compile('import {0}', '', 'exec')",
    "import os\nos.system('{0} x')",
    "from os import getpid, \\\n    system\nsystem('{0} dump')",
    "from os import (\n    system,\n)\nsystem('python -m {0}')",
    "import subprocess as p\np.run(['{0}', 'x'])",
    "import timeit\ntimeit.timeit('1', 'import {0}')",
    "url = '{0}://host/x'",
    "url = '{0}' + '://' + host",
    "url = f'{{kind}}:///{0}'",
    "url = '{0}:' + path",
    "url = 'jdbc:{0}:' + path",
    "ENGINE = 'django.db.backends.{0}'",
    "c.sql('attach \\'x.{0}\\' as o')",
    'c.sql(f"ATTACH IF NOT EXISTS {{path}} AS o (TYPE {0})")',
    "c.sql('Attach ' + path)",
    "c.sql('install {0}; load {0};')",
    "c.sql('LOAD {0}')",
    "c.sql('select * from {0}_scan(?)')",
    "c.sql('SELECT * FROM {0}_query(1)')",
    "frame.to_sql('x', con=c)",
    "pd.read_sql('x', c)",
    "from own import pd\npd.read_sql_query('x', c)",
    "setup(tests_require=['{0}'])",
    "import mlflow as m\nm.start_run()",
    "from mlflow import log_metric\nlog_metric('x', 1)",
    "# {0} and {1}",
    '"""About {0}."""',
    "{0} = {1} = 1",
    "x.{0} = y.{1}",
    "def attach(database): return system",
    "re.compile('{0}')",
)
AROUND = ("{0}", "if True:\n{1}", "def f():\n{1}", "class A:\n{1}", "try:\n{1}\nfinally: pass")
PIECES = st.builds(
    lambda text, names, around: around.format(text.format(*names), _indented(text.format(*names))),
    st.sampled_from(STATEMENTS),
    st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)),
    st.sampled_from(AROUND),
)


def _indented(text):
    return "\n".join("    " + line for line in text.split("\n"))


def _missed(source):
    """What the parser finds in a source that its words call harmless."""
    tree = parsed(source)
    if tree is None or is_suspect(source, words_of(source), POLICY):
        return []
    return list(hits_in(parsed_module(nodes_of([tree]), POLICY), source))


@given(st.lists(PIECES, max_size=4).map("\n".join))
def test_a_source_that_is_not_suspect_holds_no_finding(source):
    assert _missed(source) == []


@pytest.mark.parametrize("text", STATEMENTS)
def test_no_statement_alone_is_missed_with_any_name(text):
    for name in NAMES:
        source = text.format(name, "other")
        assert _missed(source) == [], source


@pytest.mark.parametrize(
    "source",
    [
        "from own.sqlite import load\nimport own.sqlite.parts",
        "from .sqlite import load",
        "x = 'the builtins of a shell'",
        "re.compile('x')\nevaluate(1)\ndecompile(2)",
        "# we attach the database here\nx = 'install sqlite3x'",
        "operating.ecosystem(1)",
        "from pyarrow import dataset\nimport pyarrow.dataset as ds\nfrom own.dataset import load",
        "from importlib.metadata import version\nimport importlib.resources",
        "figure.backends = ['agg']",
        "kind = 'duckdb'  # nobody imports it",
        "name = 'export-sqlite'  # sqlite in prose, toriwork.sqlite too",
        "import builtins\nbuiltins.print(1)",
    ],
)
def test_what_only_looks_alike_is_not_parsed(source):
    assert not is_suspect(source, words_of(source), POLICY)


@pytest.mark.parametrize(
    "source",
    [
        "from own.sqlite import load\nurl = 'sqlite:' + path",
        "x = '''\n'''\nkind = 'sqlite'",
        "c.execute('attach \"x\" as y')",
        "c.sql('Install mysql')",
        "f(  exec)",
        "exec (x)",
        "from dataset import connect",
        "import os, dataset as d",
        "from  dataset.util \\\n import x",
        "x = 1; import dataset",
        "import ｄataset",
        "import duckdb\nduckdb.connect('x.db')",
        "import importlib\ngetattr(importlib, 'import_' + 'module')('sqli' + 'te3')",
        "ENGINE = base + '.backends.' + kind  # django",
        "import builtins\nbuiltins.exec('import sqli' + 'te3')",
        "url = 'jdbc:sqlite:x'",
    ],
)
def test_what_may_be_a_finding_is_parsed(source):
    assert is_suspect(source, words_of(source), POLICY)
