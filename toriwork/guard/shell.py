"""Command lines: which programs they start, what they install, what Python code they carry."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from toriwork.guard.policy import Policy, normalized

#: words in front of the program that really runs
_WRAPPERS = frozenset("sudo env nohup time nice exec xargs command builtin then do else if while ! { timeout".split())
_SHELLS = frozenset("sh bash zsh dash ksh fish".split())
_INSTALLERS = frozenset("pip pip3 uv conda mamba micromamba poetry pipenv apt apt-get dnf yum brew apk pipx".split())
_PYTHON = re.compile(r"(?:python|pypy)[\d.]*w?\Z")
_CUT = re.compile(r"\|\||&&|\$\(|[|;&\n`()]")
_WORD = re.compile(r"""(?:[^\s"']|"(?:\\.|[^"\\])*"|'[^']*')+""")


@dataclass(frozen=True, slots=True)
class Started:
    """What one command does that matters."""

    kind: str  #: "program", "package", "module" or "code"
    what: str


def started_by_line(line: str, policy: Policy) -> Iterator[Started]:
    """What a line of shell starts; quotes are respected, variables are not followed."""
    for command in _commands(line):
        yield from started_by(command, policy)


def started_by(words: Sequence[str], policy: Policy) -> Iterator[Started]:
    """What a program with its arguments starts."""
    words = _without_wrappers(words)
    if not words:
        return
    program, rest = _base(words[0]), words[1:]
    if program in policy.programs:
        yield Started("program", program)
    elif program in _SHELLS:
        if script := _after(rest, "-c"):
            yield from started_by_line(script, policy)
    elif _PYTHON.match(program):
        yield from _by_python(rest, policy)
    elif program in _INSTALLERS and {"install", "add", "create"} & set(rest):
        for word in rest:
            package = re.split(r"[\[<>=!~;@ ]", word, maxsplit=1)[0]
            if package and normalized(package) in policy.packages:
                yield Started("package", package)


def _by_python(words: Sequence[str], policy: Policy) -> Iterator[Started]:
    if code := _after(words, "-c"):
        yield Started("code", code)
    elif module := _after(words, "-m"):
        if module in ("pip", "uv", "pipx"):
            yield from started_by([module, *words[words.index(module) + 1 :]], policy)
        elif policy.banned(module):
            yield Started("module", policy.banned(module))


def _commands(line: str) -> Iterator[list[str]]:
    masked = re.sub(r"""'[^']*'|"(?:\\.|[^"\\])*\"""", lambda quoted: "\0" * len(quoted[0]), line)
    start = 0
    for cut in [*_CUT.finditer(masked), None]:
        end = cut.start() if cut else len(line)
        yield [_unquoted(word) for word in _WORD.findall(line[start:end])]
        start = cut.end() if cut else end


def _unquoted(word: str) -> str:
    return re.sub(r"""^(["'])(.*)\1$""", r"\2", word, flags=re.DOTALL)


def _without_wrappers(words: Sequence[str]) -> list[str]:
    kept = list(words)
    while kept and (
        _base(kept[0]) in _WRAPPERS
        or re.match(r"[A-Za-z_]\w*=", kept[0])
        or (len(kept) < len(words) and kept[0][:1] in "-…")
    ):
        kept.pop(0)
    return kept


def _after(words: Sequence[str], flag: str) -> str:
    return next((other for one, other in pairwise(words) if one == flag), "")


def _base(program: str) -> str:
    return re.split(r"[/\\]", program)[-1].removesuffix(".exe").lower()
