"""The command line as a whole: what it loads, how it fails, what every command has."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import toriwork
from toriwork.cli import COMMANDS, main

ROOT = Path(__file__).parents[2]


def test_every_command_has_a_name_a_summary_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert len({command.NAME for command in COMMANDS}) == len(COMMANDS)
    for command in COMMANDS:
        with pytest.raises(SystemExit, match="0"):
            main([command.NAME, "--help"])
        told = capsys.readouterr().out
        assert "--json" in told
        assert command.SUMMARY.split(";")[0].split()[0] in told


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out.strip() == f"toriwork {toriwork.__version__}"


def test_an_unknown_command_is_refused_with_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["brew"])
    assert "demo" in capsys.readouterr().err


def test_parsing_loads_nothing_heavy() -> None:
    heavy = "{'numpy', 'pandas', 'pyarrow', 'matplotlib', 'gudhi', 'ripser', 'ipywidgets'}"
    code = (
        "import sys\nfrom toriwork.cli import main\n"
        "try:\n    main(['demo', '--help'])\nexcept SystemExit:\n    pass\n"
        f"found = {heavy} & set(sys.modules)\nassert not found, found\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)


def test_errors_go_to_stderr_in_one_line_with_code_2(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["registry", "info", "--path", str(tmp_path / "none.parquet")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("toriwork: ")
    assert captured.err.count("\n") == 1


def test_errors_are_json_when_json_was_asked_for(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["registry", "info", "--json", "--path", str(tmp_path / "none.parquet")]) == 2
    assert json.loads(capsys.readouterr().out)["error"] == "not_found"


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom toriwork.cli import main\n"
        "class Gone:\n"
        "    NAME, SUMMARY = 'gone', 'x'\n"
        "    def add_arguments(self, parser): pass\n"
        "    def run(self, options):\n"
        "        for _ in range(100000): print('line')\n"
        "        return 0\n"
        "import toriwork.cli as cli\ncli.COMMANDS = (Gone(),)\nsys.exit(main(['gone']))\n"
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
    def interrupted(options: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("toriwork.cli.doctor.run", interrupted)
    assert main(["doctor"]) == 130
