"""A bar shows long work to whoever looks: in a terminal, in a notebook, and nobody else."""

from __future__ import annotations

import io
from contextlib import redirect_stderr

import nbformat
import pytest
from nbclient import NotebookClient

from toriwork.progress import DELAY, ENV_NAME, progress_bar, shows_bars


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def no_wish(monkeypatch):
    """An environment that has nothing against bars."""
    monkeypatch.delenv(ENV_NAME, raising=False)


def shown(stream=None, **options) -> str:
    """What three steps of work write to a terminal, or to another standard error."""
    written = Terminal() if stream is None else stream
    with redirect_stderr(written), progress_bar("export", 3, unit=" tables", **options) as done:
        for _ in range(3):
            done(1)
    return written.getvalue()


@pytest.mark.usefixtures("no_wish")
class TestATerminal:
    def test_shows_from_the_start_what_long_work_is_and_how_far(self):
        text = shown(seconds=2 * DELAY)
        assert "export" in text
        assert "0/3 [" in text
        assert text.endswith("\r")  # the bar is gone when the work is over

    def test_shows_later_what_turns_out_long(self, monkeypatch):
        moments = iter([0.0, DELAY / 3, DELAY / 2, DELAY + 1.0, DELAY + 2.0])
        monkeypatch.setattr("toriwork.progress.time.monotonic", lambda: next(moments))
        assert "1/3 [" in shown()

    @pytest.mark.parametrize("options", [{}, {"seconds": DELAY}, {"seconds": 60.0, "progress": False}], ids=str)
    def test_shows_nothing_of_short_work_and_nothing_unwanted(self, options):
        assert shown(**options) == ""

    def test_is_clean_again_after_an_error_of_the_work(self):
        written = Terminal()
        work = progress_bar("export", 3, seconds=60.0)
        with redirect_stderr(written), pytest.raises(ZeroDivisionError), work as done:
            done(1 // 0)
        assert written.getvalue().endswith("\r")


def test_the_environment_turns_all_bars_off(monkeypatch):
    with redirect_stderr(Terminal()):
        monkeypatch.setenv(ENV_NAME, "0")
        assert shows_bars()
        monkeypatch.setenv(ENV_NAME, "1")
        assert not shows_bars()
    assert shown(seconds=60.0) == ""


@pytest.mark.usefixtures("no_wish")
def test_a_file_and_no_standard_error_at_all_see_nothing():
    assert shown(io.StringIO(), seconds=60.0) == ""
    with redirect_stderr(None):
        assert not shows_bars()


@pytest.mark.usefixtures("no_wish")
def test_units_in_all_may_be_told_later():
    written = Terminal()
    with redirect_stderr(written), progress_bar("publish", seconds=60.0) as done:
        done(2)
        done(0, 8)
    assert "2/8 [" in written.getvalue() or "0/8 [" in written.getvalue()


IN_A_NOTEBOOK = """
from ipywidgets.widgets.widget import _instances
from toriwork.progress import progress_bar
with progress_bar("export", 3, seconds=60.0) as done:
    done(3)
    kinds = [type(one).__name__ for one in _instances.values()]
assert "FloatProgress" in kinds, kinds
assert not [one for one in _instances.values() if type(one).__name__ in ("FloatProgress", "HBox", "HTML")]
"""


@pytest.mark.process
@pytest.mark.usefixtures("no_wish")
@pytest.mark.parametrize("end", ["", "\nwith progress_bar('x', 3, seconds=60.0) as done:\n    done(1 // 0)"])
def test_a_notebook_shows_a_widget_and_keeps_nothing_of_it(end):
    """A saved view of a bar that is gone would be an error line, and a difference for nbval."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(IN_A_NOTEBOOK + end)])
    NotebookClient(notebook, timeout=60, kernel_name="python3", allow_errors=bool(end)).execute()
    outputs = notebook.cells[0].outputs
    assert [one.data for one in outputs if one.output_type == "display_data"] == [{}] * (2 if end else 1)
    assert [one.ename for one in outputs if one.output_type == "error"] == (["ZeroDivisionError"] if end else [])
