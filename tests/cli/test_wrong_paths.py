"""Every command on paths that are wrong: one sentence, exit code 2, never a traceback, and nothing is made or lost."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest

from tests.users import ALICE, as_root, as_user, shared_folder
from toriwork.cli import main
from toriwork.errors import BadInput, ToriworkError
from toriwork.registry import TorusRegistry

Capture = pytest.CaptureFixture[str]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no FIFOs and no /dev there")

ODD: dict[str, Callable[[Path], object]] = {
    "fifo": os.mkfifo,
    "file": lambda path: path.write_text("somebody's"),
    "empty": Path.touch,
    "junk": lambda path: path.write_bytes(bytes(range(256)) * 9),
    "dangling": lambda path: path.symlink_to("/proc/nothing/there"),
    "loop": lambda path: path.symlink_to(path.name),
    "folder": Path.mkdir,
    "missing": lambda path: None,
    "below a file": lambda path: path.parent.rmdir() or path.parent.touch(),
}
#: places that nobody can make anything at
FIXED = {"proc": "/proc/x", "full": "/dev/full", "long": "/tmp/" + "x" * 300, "nobody": "~no-such-user/x"}
ALL = (*ODD, *FIXED)
NO_FOLDER = ("fifo", "file", "empty", "junk", "loop", "below a file")
#: command line, with {} for the odd path -> the kinds that are wrong for it
LINES: dict[str, tuple[str, ...]] = {
    "registry info --path {}": ALL,
    "registry head --path {}": ALL,
    "registry verify --path {}": ALL,
    "registry publish --path {}": ALL,
    "registry add {} --path new.parquet": ALL,
    "registry add cloud.csv --path {}": tuple(kind for kind in ALL if kind != "missing"),
    "registry export {} --path rows.parquet": ALL,
    "registry export out.csv --path {}": ALL,
    "diagram {}": ALL,
    "diagram cloud.csv --plot {}": ALL,
    "notebook new {}": ALL,
    "notebook new cloud.csv --to {}": tuple(kind for kind in ALL if kind not in ("missing", "dangling")),
    "notebook sanitize {}": tuple(kind for kind in ALL if kind != "folder"),
    "tokens info --path {}": ALL,
    "tokens tail --path {}": ALL,
    "tokens verify --path {}": ALL,
    "tokens context --path {}": ALL,
    "tokens verify {}": ALL,
    "export-sqlite {} --to out": tuple(kind for kind in ALL if kind != "empty"),  # to SQLite that is a database
    "export-sqlite base.sqlite --to {}": (*NO_FOLDER, *FIXED),
    "import-sqlite {} --to new.sqlite": ALL,
    "guard {}": ("fifo", "dangling", "loop", "missing", "below a file", *FIXED),
    "guard tree --baseline {}": ALL,
    "guard tree --baseline {} --update-baseline": tuple(kind for kind in ALL if kind != "missing"),
    "migrate plan {}": (*NO_FOLDER, "dangling", "missing", *FIXED),
    "migrate {} --dry-run": (*NO_FOLDER, "dangling", "missing", *FIXED),
    "migrate apply {}": ALL,
    "migrate status {}": ALL,
    "migrate verify {}": ALL,
    "migrate rollback {}": ALL,
    "migrate prune {} --yes": ALL,
    "migrate explain {}": ALL,
    "migrate plan tree --state-root {}": (*NO_FOLDER, "dangling", "full", "nobody"),
    "soak --minutes 0.01 --path {}": (*NO_FOLDER, *FIXED),
    "demo --state-root {}": (*NO_FOLDER, *FIXED),
}
CASES = [pytest.param(line, kind, id=f"{line} ({kind})") for line, kinds in LINES.items() for kind in kinds]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The public file of a registry of one row."""
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    with TorusRegistry(path) as registry:
        registry.record_shape([[0.0, 1.0]], [1])
    return path


@pytest.fixture
def here(rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: a small tree of code, a database, a cloud and a registry."""
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "code.py").write_text("import sqlite3\n")
    (tmp_path / "base.sqlite").touch()  # no bytes are a database without tables
    (tmp_path / "cloud.csv").write_text("x,y\n0,0\n1,1\n")
    shutil.copy(rows, tmp_path / "rows.parquet")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if ".toriwork" not in path.parts}


@pytest.mark.parametrize(("line", "kind"), CASES)
def test_one_sentence_and_exit_code_2(capsys: Capture, here: Path, line: str, kind: str) -> None:
    (here / "in").mkdir()
    odd = here / "in" / "odd"
    if kind in ODD:
        ODD[kind](odd)
    before = everything(here)
    code = main([word.format(FIXED.get(kind, odd)) for word in line.split()])
    said = capsys.readouterr()
    assert (code, said.out) == (2, "")
    assert len(said.err.splitlines()) == 1
    assert said.err.startswith("toriwork: ")
    assert everything(here) == before


@pytest.mark.parametrize("command", ["registry info", "tokens info"])
@pytest.mark.parametrize("kind", ALL)
def test_a_state_root_that_is_none(
    capsys: Capture, here: Path, monkeypatch: pytest.MonkeyPatch, command: str, kind: str
) -> None:
    (here / "in").mkdir()
    odd = here / "in" / "odd"
    if kind in ODD:
        ODD[kind](odd)
    monkeypatch.setenv("TORI_STATE_ROOT", FIXED.get(kind, str(odd)))
    assert main(command.split()) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("kind", [*NO_FOLDER, "dangling", "proc", "full", "nobody"])
def test_the_doctor_names_a_state_root_that_is_none(
    capsys: Capture, here: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    (here / "in").mkdir()
    if kind in ODD:
        ODD[kind](here / "in" / "odd")
    monkeypatch.setenv("TORI_STATE_ROOT", FIXED.get(kind, str(here / "in" / "odd")))
    assert main(["doctor"]) == 1
    assert "problem  " in capsys.readouterr().out


OUTPUTS = ["--help", "registry --help", "guard tree", "doctor", "doctor --json", "guard --explain TWG101"]


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("line", [*OUTPUTS, "registry info --json"])
def test_an_output_that_is_full(here: Path, monkeypatch: pytest.MonkeyPatch, line: str, unbuffered: str) -> None:
    if unbuffered and "--help" in line:
        pytest.skip("argparse drops the error")
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    done = _process(line, "/dev/full")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "toriwork: expected an output that takes what is written, got: No space left on device"
    )
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize("line", [*OUTPUTS, "migrate plan tree"])
def test_a_reader_that_is_gone(here: Path, line: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = _process(line, f"/dev/fd/{writing}", pass_fds=(writing,), stdout=writing)
    os.close(writing)
    assert "Traceback" not in done.stderr
    assert "Broken pipe" not in done.stderr


def test_a_full_stderr_leaves_the_exit_code(here: Path) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "toriwork", "registry", "info", "--path", "none.parquet"]
        assert subprocess.run(command, stderr=full, check=False).returncode == 2


@pytest.mark.skipif(sys.platform == "win32", reason="numbers of descriptors are those of POSIX")
@pytest.mark.parametrize("closed", ["1", "012"])
@pytest.mark.parametrize("line", ["registry head --path rows.parquet", "doctor", "migrate plan tree"])
def test_streams_that_the_caller_closed(here: Path, line: str, closed: str) -> None:
    command = [sys.executable, "-m", "toriwork", *line.split()]
    code = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode
    streams = "".join(f" {number}>&-" for number in closed)
    again = ["sh", "-c", f'exec "$@"{streams}', "sh", *command]
    done = subprocess.run(again, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False)


def _process(line: str, output: str, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "toriwork", *line.split()]
    if "stdout" in options:
        return subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False, **options)  # type: ignore[call-overload, no-any-return]
    with Path(output).open("w") as stream:
        return subprocess.run(command, stdout=stream, stderr=subprocess.PIPE, text=True, check=False)


NOT_OURS: dict[str, Callable[[Path], object]] = {
    "data.csv": lambda path: path.write_text("a,b\n1,2\n"),
    "text.parquet": lambda path: path.write_text("a,b\n1,2\n"),
    "empty.parquet": Path.touch,
    "points.npy": lambda path: np.save(path, np.zeros(3)),
    "points.npz": lambda path: np.savez(path, a=np.zeros(3)),
    "base.parquet": lambda path: path.write_bytes(b"SQLite format 3\0" + bytes(4080)),
}


@pytest.mark.parametrize("options", [{}, {"read_only": True}, {"repair": True}], ids=["open", "read_only", "repair"])
@pytest.mark.parametrize("name", NOT_OURS)
def test_a_file_that_is_no_parquet_is_left_alone(tmp_path: Path, name: str, options: dict[str, bool]) -> None:
    path = tmp_path / name
    NOT_OURS[name](path)
    content = path.read_bytes()
    with pytest.raises(BadInput, match=f"{name}: expected a ") as caught:
        TorusRegistry(path, **options)
    assert "repair" not in str(caught.value)
    assert path.read_bytes() == content
    assert everything(tmp_path) == {name}


def test_a_damaged_table_of_ours_is_still_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    with TorusRegistry(path) as registry:
        registry.record_shape([[0.0, 1.0]])
    path.write_bytes(b"overwritten")
    with pytest.raises(ToriworkError, match="repair=True"):
        TorusRegistry(path)
    TorusRegistry(path, repair=True).close()


@pytest.mark.parametrize("line", ["registry info --path ~/x.parquet", "guard ~/tree", "migrate plan ~/tree"])
def test_the_folder_of_the_user(capsys: Capture, here: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    (here / "home" / "tree").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(here / "home"))
    TorusRegistry("~/x.parquet").close()
    assert (here / "home" / "x.parquet").exists()
    assert main(line.split()) == 0
    assert not (here / "~").exists()


@as_root
@pytest.mark.parametrize("git", [False, True], ids=["a folder", "a work tree"])
def test_a_folder_that_the_guard_may_not_list(git: bool) -> None:
    with shared_folder() as folder:
        (folder / "open.py").write_text("x = 1\n")
        (folder / "closed").mkdir()
        (folder / "closed" / "code.py").write_text("import sqlite3\n")
        os.chown(folder, ALICE, ALICE)
        os.chown(folder / "open.py", ALICE, ALICE)
        (folder / "closed").chmod(0o700)
        if git:
            as_user(ALICE, lambda: subprocess.run(["git", "init", "-q", str(folder)], check=True).returncode)

        def call() -> tuple[int, dict]:
            with redirect_stdout(io.StringIO()) as said:
                code = main(["guard", "--json", str(folder)])
            return code, json.loads(said.getvalue())

        code, told = as_user(ALICE, call)
        assert code == 2
        assert told["files"] == 1
        assert any("cannot be listed" in str(one) and "closed" in str(one) for one in told["omitted"])
        (folder / "open.py").write_text("import sqlite3\n")
        assert as_user(ALICE, call)[0] == 1
