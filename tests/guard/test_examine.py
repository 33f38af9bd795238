"""A run as a whole: any bytes, scope, exceptions, baseline."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toriwork.errors import BadInput
from toriwork.guard import examine
from toriwork.guard.baseline import first_baseline
from toriwork.guard.settings import read_settings

DAY = dt.date(2026, 11, 23)
pieces = st.sampled_from(
    [
        b"import sqlite3",
        b"exec(",
        b"'",
        b'"""',
        b"\n",
        b"%%time\n",
        b"!ls",
        b"{",
        b"[",
        b"\\",
        b"\0",
        b"f'{",
        b"x=x+x\n",
        b"def f(a=f):",
        b"```{python}\n",
        b"<<E\n",
        b"run: sqlite3 x",
        b"$(case x in x) (",
        b'"a": "sqlite://"',
    ]
)


def lay(folder: Path, **files: str) -> Path:
    """A folder with some files; ``__`` in a name is a slash, ``_`` before the suffix a dot."""
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@settings(max_examples=75)
@given(
    content=st.one_of(st.binary(max_size=200), st.lists(pieces, max_size=12).map(b"".join)),
    suffix=st.sampled_from([".py", ".ipynb", ".ipy", ".toml", ".txt", "", ".sh", ".qmd", ".yml", ".json", ".mk"]),
)
def test_no_bytes_make_it_fail(content, suffix, tmp_path):
    file = tmp_path / f"requirements{suffix}"
    file.write_bytes(content)
    examine([str(file)])


def test_deep_nesting_is_no_way_out(tmp_path):
    (tmp_path / "x.py").write_text("x = " + "(" * 5000 + ")" * 5000 + "\nimport sqlite3\n")
    (tmp_path / "y.py").write_text("import sqlite3\nx = " + "+".join(["'a'"] * 20000) + "\n")
    assert {finding.path[-4:] for finding in examine([str(tmp_path)]).findings} == {"x.py", "y.py"}


def test_an_open_quote_and_many_backslashes_end(tmp_path):
    (tmp_path / "x.py").write_text('import sqlite3\nx = """' + "\\d" * 5000 + "\n")
    assert [finding.what for finding in examine([str(tmp_path)]).findings] == ["sqlite3"]


def test_files_that_run_each_other_end(tmp_path):
    lay(tmp_path, a_ipy="%run b.ipy\n", b_ipy="%run a.ipy\n")
    assert not examine([str(tmp_path)]).found


@pytest.fixture
def work_tree(tmp_path):
    """A git work tree with an ignored and an untracked file."""
    subprocess.run(["git", "init", "-q", "."], cwd=tmp_path, check=True)
    lay(tmp_path, new_py="import sqlite3\n", local__own_py="import sqlite3\n")
    (tmp_path / ".gitignore").write_text("local/\n")
    return tmp_path


def test_git_says_what_belongs_to_the_project_and_the_rest_is_told(work_tree):
    report = examine([str(work_tree)])
    assert [Path(finding.path).name for finding in report.findings] == ["new.py"]
    assert [(Path(o.path).name, o.reason) for o in report.omitted] == [("local", "left out by .gitignore")]


def test_a_file_that_is_named_is_looked_at_whatever_git_says(work_tree):
    assert examine([str(work_tree / "local" / "own.py")]).found
    assert examine([str(work_tree / "local")]).found


def test_what_is_staged_counts_even_when_the_file_has_changed_since(work_tree):
    subprocess.run(["git", "add", "new.py"], cwd=work_tree, check=True)
    (work_tree / "new.py").write_text("x = 1\n")
    assert examine([str(work_tree)]).found


def test_a_virtual_environment_is_left_out_and_a_folder_of_that_name_is_not(tmp_path):
    lay(
        tmp_path,
        venv__x_py="import sqlite3\n",
        real__x_py="import sqlite3\n",
        real__pyvenv_cfg="home = /usr\n",
        real__bin__python="",
    )
    report = examine([str(tmp_path)])
    assert [Path(finding.path).parent.name for finding in report.findings] == ["venv"]
    assert [omission.reason for omission in report.omitted] == ["a virtual environment"]


def test_the_backup_of_a_migration_is_left_out_and_told(tmp_path):
    (tmp_path / "backup_pre_nodb").mkdir()
    (tmp_path / "backup_pre_nodb" / "old.py").write_text("import sqlite3\n")
    report = examine([str(tmp_path)])
    assert report.findings == ()
    assert [omission.reason for omission in report.omitted] == ["the backup of a migration"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_pipes_and_broken_links_are_told_and_no_findings(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("nowhere")
    for paths in ([str(tmp_path)], [str(tmp_path / "pipe"), str(tmp_path / "link")]):
        report = examine(paths)
        assert report.findings == ()
        assert {Path(omission.path).name for omission in report.omitted} == {"pipe", "link"}


ALLOW = "guard:\n  allow:\n    - {path: 'x.py', what: sqlite3, reason: to be replaced, until: 2027-01-31}\n"


@pytest.mark.parametrize(("day", "codes"), [("2027-01-31", []), ("2027-02-01", ["TWG101", "TWG401"])])
def test_an_exception_holds_up_to_its_day(tmp_path, day, codes):
    lay(tmp_path, x_py="import sqlite3\n", capsule_yml=ALLOW)
    report = examine([str(tmp_path)], settings=read_settings(tmp_path), today=dt.date.fromisoformat(day))
    assert sorted(finding.code for finding in report.findings) == codes
    assert [entry.reason for _, entry in report.allowed] == ([] if codes else ["to be replaced"])


def test_an_exception_for_what_is_gone_is_told(tmp_path):
    lay(tmp_path, x_py="x = 1\n", capsule_yml=ALLOW)
    assert len(examine([str(tmp_path)], settings=read_settings(tmp_path), today=DAY).idle) == 1


def test_a_nearer_capsule_changes_nothing(tmp_path):
    lay(tmp_path, sub__x_py="import sqlite3\n", sub__capsule_yml=ALLOW)
    assert examine([str(tmp_path)], settings=read_settings(tmp_path), today=DAY).found


@pytest.mark.parametrize(
    "text",
    [
        "guard: {allow: [{path: x, what: y, until: 2027-01-01}]}",
        "guard: {allow: [{path: x, what: y, reason: '', until: 2027-01-01}]}",
        "guard: {allow: [{path: x, what: y, reason: z, until: some day}]}",
        "guard: {alow: []}",
        "guard: [x",
        "guard: 3",
    ],
    ids=["no reason", "empty reason", "no day", "unknown key", "no YAML", "no mapping"],
)
def test_settings_that_nobody_understands_are_refused(tmp_path, text):
    (tmp_path / "capsule.yml").write_text(text)
    with pytest.raises(BadInput, match="capsule"):
        read_settings(tmp_path)


def test_a_project_bans_and_permits_modules_of_its_own(tmp_path):
    lay(tmp_path, x_py="import oldstore\nimport redis\n", capsule_yml="guard: {ban: [oldstore], permit: [redis]}\n")
    report = examine([str(tmp_path)], settings=read_settings(tmp_path))
    assert [finding.what for finding in report.findings] == ["oldstore"]


def test_the_numbers_of_a_baseline_only_fall(tmp_path):
    lay(tmp_path, x_py="import sqlite3\nimport redis\n")
    conf = read_settings(tmp_path)
    known = first_baseline(examine([str(tmp_path)], settings=conf).findings, conf.below)
    assert not examine([str(tmp_path)], settings=conf, baseline=known).found
    (tmp_path / "x.py").write_text("import sqlite3\nimport sqlite3\n")
    report = examine([str(tmp_path)], settings=conf, baseline=known)
    assert [finding.what for finding in report.findings] == ["sqlite3", "sqlite3"]
    lowered = known.lowered((*report.findings, *report.known), conf.below)
    assert lowered.counts == {"x.py": {"TWG101 sqlite3": 1}}


def test_a_path_that_is_not_there_is_refused():
    with pytest.raises(BadInput, match="no such"):
        examine(["no/such/place"])


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("x" + ".a()" * 900, id="a chain"),
        pytest.param("t = [t[0]]\nt[0]('sqlite3')", id="a table that holds itself"),
        pytest.param("n = n.lower()\n__import__(n)", id="a name made of itself"),
    ],
)
def test_what_leads_nowhere_is_no_failure(source, tmp_path):
    file = tmp_path / "module.py"
    file.write_text(f"import importlib\n{source}\n")
    assert examine([str(file)]).n_files == 1


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("from os import *\nsystem('sqli' + 'te3 x')", id="called"),
        pytest.param("from importlib import *\nimport_module('sqli' + 'te3')", id="imported"),
    ],
)
def test_a_name_may_come_from_any_module_that_gives_all_it_has(source, tmp_path):
    file = tmp_path / "module.py"
    file.write_text(source)
    assert [finding.line for finding in examine([str(file)]).findings] == [2]


def test_a_driver_that_the_environment_may_name_is_a_warning_whatever_the_default(tmp_path):
    file = tmp_path / "module.py"
    file.write_text("import importlib, os\nname = os.environ.get('STORE', 'json')\nimportlib.import_module(name)\n")
    report = examine([str(file)])
    assert ([f.code for f in report.findings], [f.code for f in report.warnings]) == ([], ["TWG901"])


def test_a_chain_of_names_that_doubles_each_time_is_not_followed_for_ever(tmp_path):
    lines = ["a0 = 'x'", *[f"a{k} = a{k - 1} if q else a{k - 1} + a{k - 1}" for k in range(1, 60)], "__import__(a59)"]
    (tmp_path / "x.py").write_text("\n".join(lines))
    assert not examine([str(tmp_path)]).found


def test_code_in_code_in_code_is_read(tmp_path):
    (tmp_path / "x.py").write_text("exec('exec(\\'imp\\' + \\'ort sqlite3\\')')\n")
    assert [finding.code for finding in examine([str(tmp_path)]).findings] == ["TWG103"]


def test_inside_a_package_a_plain_import_is_the_driver_and_not_the_neighbour_of_that_name(tmp_path):
    lay(tmp_path, pkg__redis_py="", flat__redis_py="", flat__main_py="import redis\n")
    (tmp_path / "pkg" / "__init__.py").write_text("")
    (tmp_path / "pkg" / "use.py").write_text("import redis\n")
    report = examine([str(tmp_path)])
    assert [finding.path.removeprefix(f"{tmp_path}/") for finding in report.findings] == ["pkg/use.py"]
