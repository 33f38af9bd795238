"""Runs what a page of the documentation shows, top to bottom, in a folder of its own.

Blocks of ``python`` share their names; a ``text`` block right behind one is what it prints.  In ``console`` blocks a
line that begins with ``$`` is a command and what follows is its output, ``...`` standing for anything; ``# exit code
N`` behind a command tells its exit code where that is not 0.  A line that begins with ``# `` is for root, not run.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from toriwork import cli

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: what runs for ever, or a day, and how it is run here
SHORTER = {"watch -n 5 ": "bash -c ", "tail -f ": "cat ", "--hours 24": "--minutes 0.01"}
TORIWORK = f'toriwork() {{ {shlex.quote(sys.executable)} -m toriwork "$@"; }}\n'
WHITESPACE = re.compile(r"\s+")


def run_page(page: Path) -> int:
    """Run a page in the current folder; the number of blocks that were run.

    Raises
    ------
    AssertionError
        A block failed or printed something else; the message has the block.
    """
    names: dict[str, object] = {"__name__": "__main__"}
    blocks = FENCE.findall(page.read_text(encoding="utf-8"))
    n_run = 0
    for number, (kind, text) in enumerate(blocks):
        if kind == "python":
            shown = io.StringIO()
            with contextlib.redirect_stdout(shown):
                exec(compile(text, f"{page.name}, block {number}", "exec"), names)
            follows = blocks[number + 1] if number + 1 < len(blocks) else ("", "")
            if follows[0] == "text":
                compare(follows[1], shown.getvalue(), text)
        elif kind == "console":
            for command, expected, code in commands(text):
                printed, found = run_command(command)
                assert found == code, f"{page.name}: {command}: exit code {found}\n{printed}"
                compare(expected, printed, command)
        n_run += kind in ("python", "console")
    return n_run


def commands(block: str) -> Iterator[tuple[str, str, int]]:
    """Yield ``(command, expected output, exit code)`` of a console block."""
    for part in re.split(r"^(?=[$#] )", block, flags=re.MULTILINE):
        command, _, expected = part.partition("\n")
        if command.startswith("$ "):
            told = re.search(r"# exit code (\d+)", command)
            yield command.removeprefix("$ "), expected, int(told[1]) if told else 0


def run_command(command: str) -> tuple[str, int]:
    """What a command prints, and its exit code; toriwork's own are run in this process."""
    for long, short in SHORTER.items():
        command = command.replace(long, short)
    if told := re.match(r'export (\w+)="?([^"\s]*)"?', command):
        os.environ[told[1]] = os.path.expandvars(told[2].replace("$PWD", str(Path.cwd())))
        return "", 0
    words = shlex.split(os.path.expandvars(command), comments=True)
    if words[0] == "toriwork" and "|" not in words:
        words, target = (words[:-2], words[-1]) if words[-2] == ">" else (words, None)
        shown, failed = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(failed):
            try:
                code = cli.main(words[1:])
            except SystemExit as left:
                code = int(left.code or 0)
        if target:
            Path(target).write_text(shown.getvalue(), encoding="utf-8")
        return ("" if target else shown.getvalue()) + (failed.getvalue() if code else ""), code
    done = subprocess.run(["bash", "-c", TORIWORK + command], capture_output=True, text=True, check=False)
    return done.stdout + (done.stderr if done.returncode else ""), done.returncode


def compare(expected: str, printed: str, what: str) -> None:
    """Compare printed with expected text: any whitespace is as good as another, ``...`` stands for anything."""
    one, other = (WHITESPACE.sub(" ", text).strip() for text in (expected, printed))
    flags = doctest.ELLIPSIS
    same = not one or doctest.OutputChecker().check_output(one.strip() + "\n", other + "\n", flags)
    assert same, f"{what}\nshould print\n{expected}\nprinted\n{printed}"
