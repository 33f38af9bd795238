"""Lines and cells with an IPython magic taken apart: Python, shell, files to follow, and addresses.

``read_cell`` takes the source of a cell apart: a ``Part`` for every piece that somebody else judges.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from toriwork.codebase.source import parsed

Kind = Literal["python", "shell", "file", "run", "load", "words", "sql"]

_CELL = re.compile(r"\s*%%(\S+)[ \t]*(.*)\Z", re.DOTALL)
_LINE = re.compile(r"(?P<indent>\s*+)(?P<target>[\w.,\[\]\"' ]+?=\s*)?(?P<mark>%|!!?|\?)(?P<rest>[^=\s].*)\Z")
_HELP = re.compile(r"\s*[\w.*]+\?{1,2}\s*\Z")
_OPTIONS = re.compile(r"(?:-{1,2}\w+(?:[= ](?:\d[\d.]*|\w+\b(?=\s+-)))?\s+)*")
_SHELLS = frozenset("bash sh zsh dash ksh system sx ! cmd powershell".split())
_DISPLAYED = frozenset("html markdown latex svg javascript js HTML SVG mermaid".split())
_SQL = frozenset({"sql", "sqlite", "sqlcmd"})
_OTHER_LANGUAGES = frozenset("R perl ruby cython_pyximport fortran julia octave matlab".split())
_FILES = frozenset({"writefile", "file"})
_NO_PYTHON = _SQL | _FILES | _SHELLS | _DISPLAYED | _OTHER_LANGUAGES
_PYTHON_PROGRAM = re.compile(r"(?:\S*/)?(?:python|pypy)[\d.]*\b")


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a cell: Python, a line of shell, a file that is written, a file or module that is run or loaded."""

    kind: Kind
    text: str
    line: int  #: in the cell, from 1
    name: str = ""  #: of a written file


def read_cell(source: str, line: int = 1) -> Iterator[Part]:
    """The parts of a cell whose first line has this number."""
    lines = source.split("\n")
    for at, text in enumerate(lines):
        matched = _CELL.match(text)
        if matched is None and text.strip():
            yield from _plain("\n".join(lines[at:]), line + at)
            return
        if matched is None:
            continue
        name, rest = matched.groups()
        yield Part("words", rest, line + at)
        if name == "script":
            yield Part("shell", rest, line + at)
            name = _base(rest.split(maxsplit=1)[0]) if rest.split() else "no program"
        elif statement := "" if name in _NO_PYTHON else _OPTIONS.sub("", rest, count=1).strip():
            yield from _maybe_python(statement, line + at)
        if name in _NO_PYTHON or (matched[1] == "script" and not _PYTHON_PROGRAM.match(name)):
            yield from _other_cell(name, rest, "\n".join(lines[at + 1 :]), line + at)
            return


def _other_cell(name: str, rest: str, body: str, line: int) -> Iterator[Part]:
    """Yield the parts of a cell whose magic, in this line, makes it something else than Python."""
    if name in _SQL:
        yield Part("sql", f"{rest}\n{body}", line)
    elif name in _FILES:
        words = [word for word in rest.split() if not word.startswith("-")]
        yield Part("file", body, line + 1, words[0].strip("\"'") if words else "")
    elif name in _SHELLS:
        for number, text in enumerate(body.split("\n"), line + 1):
            yield Part("shell", text, number)


def _plain(source: str, line: int) -> Iterator[Part]:
    """A cell without a cell magic: as it is when it is Python, else with its magic lines taken out."""
    if parsed(source) is not None:
        yield Part("python", source, line)
        return
    kept: list[str] = []
    for number, text in enumerate(source.split("\n"), line):
        matched = _LINE.match(text)
        if _HELP.match(text):
            kept.append("")
        elif matched is None:
            kept.append(text)
        else:
            kept.append(f"{matched['indent']}pass")
            yield from _line_magic(matched["mark"], matched["rest"].strip(), number)
    yield Part("python", "\n".join(kept), line)


def _line_magic(mark: str, rest: str, line: int) -> Iterator[Part]:
    if mark.startswith("!"):
        yield Part("shell", rest, line)
    elif mark == "%":
        yield from _magic_word(rest, line)


def _magic_word(text: str, line: int) -> Iterator[Part]:
    name, _, rest = text.lstrip("%").partition(" ")
    rest = rest.strip()
    yield Part("words", rest, line)
    if name in _SQL:
        yield Part("sql", rest, line)
    elif name in ("sx", "system", "script", "bash", "sh"):
        yield Part("shell", rest, line)
    elif name in ("pip", "conda", "mamba", "micromamba", "uv"):
        yield Part("shell", f"{name} {rest}", line)
    elif name in ("run", "load"):
        words = _OPTIONS.sub("", f"{rest} ", count=1).split() or [""]
        module = re.search(r"(?:^|\s)-m\s+(\S+)", rest)
        yield Part("load", module[1], line) if module else Part("run", words[0].strip("\"'"), line)
    elif name in ("load_ext", "reload_ext"):
        yield Part("load", rest, line)
    elif name not in ("matplotlib", "autoreload", "cd", "env", "set_env", "config", "who", "whos", "store"):
        yield from _maybe_python(_OPTIONS.sub("", rest, count=1), line)


def _maybe_python(statement: str, line: int) -> Iterator[Part]:
    """Yield the rest of a magic's line, if it is Python."""
    if parsed(statement) is not None:
        yield Part("python", statement, line)


def _base(program: str) -> str:
    return program.rsplit("/", 1)[-1]
