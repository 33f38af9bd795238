"""The command line as a whole: what it loads, how it fails, what every command has."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import toriwork
from toriwork.__main__ import run
from toriwork.cli import COMMANDS, main
from toriwork.cli.actions import Actions
from toriwork.registry import TorusRegistry

Capture = pytest.CaptureFixture[str]
ROOT = Path(__file__).parents[2]


def every_action(group: Actions = COMMANDS) -> Iterator[list[str]]:
    """The words of each action there is."""
    for name, command in group.every_command().items():
        yield from ([name, *rest] for rest in every_action(command)) if isinstance(command, Actions) else [[name]]


ACTIONS = list(every_action())


@pytest.mark.parametrize("words", ACTIONS, ids=" ".join)
def test_every_action_has_a_help_with_an_example_and_json(capsys: Capture, words: list[str]) -> None:
    assert main([*words, "--help"]) == 0
    told = capsys.readouterr().out
    assert "--json" in told
    example = told.partition("Example:\n")[2].strip()
    shown = [word for word in words if word != "go"]
    assert example.removeprefix('eval "$(').split()[1 : 1 + len(shown)] == shown
    assert main([*words[:-1], "-h"]) == 0
    assert words[-1] in capsys.readouterr().out


def test_the_exit_codes_are_told(capsys: Capture) -> None:
    assert main(["--help"]) == 0
    assert "0 fine, 1 found something, 2 could not do it" in " ".join(capsys.readouterr().out.split())


def test_the_version_is_told(capsys: Capture) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == f"toriwork {toriwork.__version__}"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("brew", ", got brew; `toriwork --help` tells more"),
        ("regisrty info", "got regisrty; did you mean registry?"),
        ("registry verfy", "got verfy; did you mean verify?"),
        ("tokens tial", "got tial; did you mean tail?"),
        ("migrate aply", "aply: no such folder; did you mean the action apply?"),
        ("registry head --jsn", "--json"),
        ("registry head -n many", "'many' is not a valid integer; `toriwork registry head --help` tells more"),
        ("completion csh", "csh"),
        ("export-sqlite a.db", "--to"),
    ],
)
def test_a_mistyped_word_is_one_line_that_names_what_was_meant(capsys: Capture, line: str, said: str) -> None:
    assert main(line.split()) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert said in err


@pytest.mark.parametrize("words", [[], ["registry"], ["tokens"], ["migrate"]], ids=" ".join)
def test_a_group_alone_shows_its_actions_and_ends_with_2(capsys: Capture, words: list[str]) -> None:
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Usage: " in err


@pytest.mark.parametrize(
    "line",
    ["registry info --json --path {}", "registry --json --path {} info", "registry --path {} info --json"],
)
def test_options_may_stand_before_the_action(capsys: Capture, tmp_path: Path, line: str) -> None:
    TorusRegistry(tmp_path / "x.parquet").close()
    assert main(line.format(tmp_path / "x.parquet").split()) == 0
    assert json.loads(capsys.readouterr().out)["total_shapes"] == 0


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_calls_toriwork(capsys: Capture, shell: str) -> None:
    assert main(["completion", shell]) == 0
    assert "_TORIWORK_COMPLETE" in capsys.readouterr().out


@pytest.mark.parametrize(("words", "found"), [("toriwork reg", "registry"), ("toriwork registry ve", "verify")])
def test_a_shell_completes_commands(capsys: Capture, monkeypatch: pytest.MonkeyPatch, words: str, found: str) -> None:
    monkeypatch.setenv("_TORIWORK_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    with pytest.raises(SystemExit, match="0"):
        main([])
    assert capsys.readouterr().out.split() == [f"plain,{found}"]


@pytest.mark.parametrize("given", [{}, {"COMP_WORDS": "toriwork"}, {"COMP_WORDS": "toriwork", "COMP_CWORD": "x"}])
def test_completion_without_the_words_of_a_shell_is_refused(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, given: dict[str, str]
) -> None:
    monkeypatch.setenv("_TORIWORK_COMPLETE", "bash_complete")
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert main([]) == 2
    assert "expected COMP_WORDS and COMP_CWORD beside it" in capsys.readouterr().err


def test_an_interrupt_while_modules_load_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupting:
        """A finder that is interrupted when it looks for the command line."""

        def find_spec(self, name: str, *_: object) -> None:
            if name == "toriwork.cli":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "toriwork.cli")
    monkeypatch.setattr(sys, "meta_path", [Interrupting(), *sys.meta_path])
    assert run() == 130


def test_parsing_loads_nothing_heavy() -> None:
    heavy = {
        *"numpy pandas pyarrow matplotlib gudhi ripser ipywidgets tqdm rich toriwork.guard toriwork.storage".split()
    }
    code = (
        "import sys\nfrom toriwork.cli import main\nmain(['demo', '--help'])\n"
        f"found = {heavy} & set(sys.modules)\nassert not found, found\n"
        "ours = {name.removeprefix('toriwork.cli.') for name in sys.modules if name.startswith('toriwork.cli.')}\n"
        "assert ours == {'actions', 'demo', 'terminal'}, ours\n"  # the modules of other commands wait
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)


def test_errors_go_to_stderr_in_one_line_with_code_2(capsys: Capture, tmp_path: Path) -> None:
    assert main(["registry", "info", "--path", str(tmp_path / "none.parquet")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("toriwork: ")
    assert captured.err.count("\n") == 1


def test_errors_are_json_when_json_was_asked_for(capsys: Capture, tmp_path: Path) -> None:
    assert main(["registry", "info", "--json", "--path", str(tmp_path / "none.parquet")]) == 2
    assert json.loads(capsys.readouterr().out)["error"] == "not_found"


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom toriwork.cli import COMMANDS, main\n"
        "@COMMANDS.action('gone', 'x')\n"
        "def gone(as_json):\n"
        "    for _ in range(100000): print('line')\n"
        "    return 0\n"
        "sys.exit(main(['gone']))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    told = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 0
    assert told == b""


def test_an_interrupt_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> list:
        raise KeyboardInterrupt

    monkeypatch.setattr("toriwork.cli.doctor.run_checks", interrupted)
    assert main(["doctor"]) == 130
