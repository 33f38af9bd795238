"""Each notebook keeps the rules and runs from top to bottom, under two executors that miss different failures."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_markdown_cell

from tests.house.probe import NOTEBOOKS, nbval, notebook, small_project, write
from tools import check_notebooks, run_notebooks

CLEAN = ("import math", "print(math.pi)", "assert math.pi > 3")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
class TestEachNotebook:
    def test_keeps_the_rules(self, path):
        assert check_notebooks.complaints(path) == []

    def test_shows_nothing_of_tools_that_the_extra_lab_does_not_bring(self, path):
        outputs = [output for cell in nbformat.read(path, as_version=4).cells for output in cell.get("outputs", ())]
        assert [output for output in outputs if re.search(r"\b(ruff|flake8|mypy)\b", str(output))] == []

    def test_runs_under_the_second_executor(self, path, state_root):
        run_notebooks.execute(path, state_root)


FAILING_MAGICS = {
    "line": ("%no_such_magic", "UsageError: Line magic function `%no_such_magic` not found.\n"),
    "cell": ("%%no_such_magic", "UsageError: Cell magic `%%no_such_magic` not found.\n"),
}


def write_failing_magic(path: Path, kind: str) -> Path:
    """A notebook saved after somebody ran it in Lab and overlooked the line on stderr."""
    magic, told = FAILING_MAGICS[kind]
    return write(path, f"{magic}\nraise ValueError('never reached')", outputs={0: told}, stream="stderr")


@pytest.fixture(scope="module")
def verdict(tmp_path_factory):
    """What nbval says about four notebooks."""
    project = small_project(tmp_path_factory.mktemp("project"))
    for kind in FAILING_MAGICS:
        write_failing_magic(project / "notebooks" / f"failing_{kind}_magic.ipynb", kind)
    write(project / "notebooks" / "stale.ipynb", "print(2 + 2)", outputs={0: "5\n"})
    write(
        project / "notebooks" / "address.ipynb", "print(object())", outputs={0: "<object object at 0x7f00deadbeef>\n"}
    )
    return nbval(project).stdout


class TestTheTwoExecutors:
    """nbval looks at outputs only; nbclient asks the kernel whether the cell succeeded."""

    @pytest.mark.parametrize("kind", FAILING_MAGICS)
    def test_a_magic_that_fails_on_stderr_passes_nbval(self, verdict, kind):
        """If this one day fails, nbval has learnt it, and decision 005 can be revised."""
        assert f"FAILED notebooks/failing_{kind}_magic.ipynb" not in verdict

    def test_a_stale_output_fails_nbval(self, verdict):
        assert "FAILED notebooks/stale.ipynb::Cell 0" in verdict

    def test_a_sanitised_difference_passes_nbval(self, verdict):
        assert "FAILED notebooks/address.ipynb" not in verdict
        assert "1 failed, 3 passed" in verdict

    @pytest.mark.parametrize("kind", FAILING_MAGICS)
    def test_the_second_executor_catches_the_magic(self, tmp_path, kind):
        with pytest.raises(CellExecutionError):
            run_notebooks.execute(write_failing_magic(tmp_path / "probe.ipynb", kind), tmp_path / "state")


class TestAUsersOwn:
    """A folder that has nothing of this project: neither settings nor a sanitising file."""

    SOURCES = (
        """\
import numpy as np
from toriwork import TorusRegistry, estimate_betti, notebook, persistence

session = notebook.setup()
P = session.rng().normal(size=(40, 2))
reg = TorusRegistry(session.registry_path)
reg.record_shape(P)""",
        "persistence(P)",
        "persistence(P).provenance",
        "estimate_betti(P)",
        "reg",
        "reg.flush()\nreg.df.drop(columns=['timestamp'])",
        "persistence(P).plot(rule='default')",
    )

    def test_passes_nbval_twice_in_a_row(self, tmp_path):
        made = run_notebooks.execute(write(tmp_path / "mine.ipynb", *self.SOURCES), tmp_path / "state")
        for name in ("mine", "mine_again"):
            nbformat.write(made, tmp_path / f"{name}.ipynb")
        assert all(cell.outputs for cell in made.cells[2:])
        line = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-p", "no:cacheprovider", "."]
        told = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert f"{2 * len(self.SOURCES)} passed" in told.stdout, told.stdout[-3000:]


class TestTheRunner:
    def test_writes_the_same_bytes_whoever_runs_it(self, tmp_path):
        """Two notebooks that differ in random cell ids and in what their editors left in the metadata."""
        ada, ben = (write(tmp_path / f"{name}.ipynb", *CLEAN, "{'b': 1, 'a': 2}") for name in ("ada", "ben"))
        edited = nbformat.read(ben, as_version=4)
        edited.metadata["vscode"] = {"interpreter": "ben's"}
        edited.cells[1].metadata["scrolled"] = True
        nbformat.write(edited, ben)
        assert ada.read_bytes() != ben.read_bytes()
        assert run_notebooks.main([str(ada), str(ben)]) == 0
        assert ada.read_bytes() == ben.read_bytes()
        assert b"3.14159" in ada.read_bytes()
        assert check_notebooks.complaints(ada) == []

    def test_only_looks_when_asked_to_check(self, tmp_path, capsys):
        path = write(tmp_path / "probe.ipynb", "raise ValueError('on purpose')")
        before = path.read_bytes()
        assert run_notebooks.main(["--check", str(path)]) == 1
        assert path.read_bytes() == before
        assert "on purpose" in capsys.readouterr().err


class TestTheRules:
    """What each rule leaves alone, and what it complains about."""

    @pytest.mark.parametrize(
        "source",
        [
            pytest.param("x = ';'", id="a semicolon inside a text"),
            pytest.param("a = 1; b = 2", id="a semicolon between statements"),
            pytest.param("def f(x):\n    y = x\n    z = y\n    return z\n", id="a short function"),
            pytest.param("%matplotlib inline\nx = 1", id="a line magic"),
            pytest.param("%%timeit\nsum(range(3))", id="a cell magic"),
            pytest.param("assert 1 != 2", id="an exclamation mark inside an expression"),
            pytest.param("interaction = 1", id="a name that only begins like interact"),
        ],
    )
    def test_leave_alone(self, tmp_path, source):
        assert check_notebooks.complaints(write(tmp_path / "probe.ipynb", *CLEAN, source)) == []

    @pytest.mark.parametrize(
        ("source", "words"),
        [
            pytest.param("ax.plot(x);", "trailing `;`", id="a semicolon at the end"),
            pytest.param("ax.plot(x);  # quiet", "trailing `;`", id="a semicolon in front of a comment"),
            pytest.param("with widgets.Output():\n    f()", "with Output()", id="an Output widget as context"),
            pytest.param("interact(f, x=3)", "interact", id="interact called"),
            pytest.param("@widgets.interact\ndef f(x): ...", "interact", id="interact as decorator"),
            pytest.param("clear_output(wait=True)", "updates of an output", id="clear_output"),
            pytest.param("!ls", "fails silently", id="a shell line"),
            pytest.param("def f():\n" + "    x = 1\n" * 5, "`def f` has 6 lines", id="a long function"),
        ],
    )
    def test_complain_about_a_source(self, tmp_path, source, words):
        (complaint,) = check_notebooks.complaints(write(tmp_path / "probe.ipynb", *CLEAN, source))
        assert words in complaint
        assert complaint.startswith("probe.ipynb: cell 4: ")

    @pytest.mark.parametrize(
        ("output", "words"),
        [
            pytest.param("<Axes at 0x7f33aa10c0d0>", "differs in every run", id="an address"),
            pytest.param("/home/ada/run/x.parquet", "somebody's machine", id="a path of a home"),
        ],
    )
    def test_complain_about_an_output(self, tmp_path, output, words):
        (complaint,) = check_notebooks.complaints(write(tmp_path / "probe.ipynb", *CLEAN, outputs={1: output}))
        assert words in complaint

    def test_complain_about_cells_that_were_not_run(self, tmp_path):
        probe = notebook(*CLEAN)
        probe.cells[2].execution_count = None
        assert "execution counts are [1, None, 3]" in self.saved(tmp_path, probe)

    def test_complain_about_cells_that_were_run_out_of_order(self, tmp_path):
        probe = notebook(*CLEAN)
        probe.cells[1].execution_count, probe.cells[2].execution_count = 2, 1
        assert "execution counts are [2, 1, 3]" in self.saved(tmp_path, probe)

    def test_complain_about_a_sixteenth_cell(self, tmp_path):
        probe = notebook(*CLEAN)
        probe.cells += [new_markdown_cell("words") for _ in range(12)]
        assert "16 cells, at most 15" in self.saved(tmp_path, probe)

    def test_complain_about_a_megabyte(self, tmp_path):
        assert "1.1 MB" in self.saved(tmp_path, notebook(*CLEAN, outputs={1: "x" * 1_100_000}))

    def test_complain_about_saved_widget_state(self, tmp_path):
        probe = notebook(*CLEAN)
        probe.metadata["widgets"] = {}
        assert "widget state" in self.saved(tmp_path, probe)

    def test_complain_about_a_notebook_that_asserts_nothing(self, tmp_path):
        assert "no cell asserts" in self.saved(tmp_path, notebook("x = 1"))

    def test_complain_about_a_saved_error_unless_it_is_the_point(self, tmp_path):
        probe = notebook(*CLEAN, "1 / 0")
        error = nbformat.v4.new_output("error", ename="ZeroDivisionError", evalue="division by zero", traceback=[])
        probe.cells[-1].outputs = [error]
        assert "an error was saved" in self.saved(tmp_path, probe)
        probe.cells[-1].metadata["tags"] = ["raises-exception"]
        nbformat.write(probe, tmp_path / "probe.ipynb")
        assert check_notebooks.complaints(tmp_path / "probe.ipynb") == []

    def test_say_everything_and_exit_with_1(self, tmp_path, capsys):
        assert check_notebooks.main([str(write(tmp_path / "bad.ipynb", "!ls", "f();"))]) == 1
        told = capsys.readouterr()
        assert len(told.err.splitlines()) == 3
        assert "1 notebooks, 3 complaints" in told.out

    def saved(self, folder, probe) -> str:
        """The only complaint about a probe."""
        nbformat.write(probe, folder / "probe.ipynb")
        (complaint,) = check_notebooks.complaints(folder / "probe.ipynb")
        return complaint
