"""Command lines: which programs they start, what they install, what Python code they carry."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from toriwork.codebase.source import line_numbers
from toriwork.codebase.time_limit import check_time
from toriwork.guard.policy import Policy

#: words in front of the program that really runs
_WRAPPERS = frozenset("sudo env nohup time nice exec xargs command builtin then do else if while ! { timeout".split())
_SHELLS = frozenset("sh bash zsh dash ksh fish".split())
_CONTAINERS = frozenset("docker podman nerdctl buildah".split())
#: options of those that take a word
_TAKING = frozenset(
    "--name -e --env -p --publish -v --volume --network --net -w --workdir --hostname -h --label -l --link "
    "--entrypoint --env-file --mount -u --user --platform --restart -m --memory --cpus --ip --add-host".split()
)
_INSTALLERS = frozenset("pip pip3 uv conda mamba micromamba poetry pipenv apt apt-get dnf yum brew apk pipx".split())
_SYSTEM = frozenset("apt apt-get dnf yum brew apk".split())
_PYTHON = re.compile(r"(?:python|pypy)[\d.]*w?\Z")
_CUT = re.compile(r"\|\||&&|\$\(|[|;&\n`()]")
#: what is quoted; a comment; a sign behind a backslash, or the next open quote would be looked for once for each
_QUOTED = re.compile(r"""'[^']*'|"(?:\\.|[^"\\])*+"|(?:^|(?<=\s))\#[^\n]*|\\.""", re.MULTILINE | re.DOTALL)
_WORD = re.compile(r"""(?:\\.|[^\s"'\\]|"(?:\\.|[^"\\])*+"|'[^']*')+""", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Started:
    """One thing that a command starts, installs or runs."""

    kind: str  #: "program", "package", "module" or "code"
    what: str


def started_by_line(line: str, policy: Policy) -> Iterator[Started]:
    """Yield everything that a line of shell starts; quotes are respected, variables are not followed."""
    for _, started in started_by_script(line, policy):
        yield started


def started_by_script(text: str, policy: Policy) -> Iterator[tuple[int, Started]]:
    """The same of several lines, each with its number."""
    line_of = line_numbers(text)
    for at, command in _commands(text):
        check_time()
        for started in started_by(command, policy):
            yield line_of(at), started


def started_by(words: Sequence[str], policy: Policy) -> Iterator[Started]:
    """Yield everything that a program with its arguments starts."""
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
            if package := policy.driver(word) or (_of_system(word, policy) if program in _SYSTEM else ""):
                yield Started("package", package)
    elif program in _CONTAINERS:
        named = [word for before, word in pairwise(words) if before not in _TAKING and not word.startswith("-")]
        if image := next(filter(None, map(policy.image, named[1:])), ""):
            yield Started("image", image)


def _of_system(word: str, policy: Policy) -> str:
    """The database that ``postgresql-16``, ``libsqlite3-dev`` or ``redis-tools`` brings, or ""."""
    name = re.split(r"[-=:]", word.removeprefix("lib"))[0]
    return next((one for one in (name, name.rstrip("0123456789.")) if one in policy.images or one == "sqlite"), "")


def _by_python(words: Sequence[str], policy: Policy) -> Iterator[Started]:
    if code := _after(words, "-c"):
        yield Started("code", code)
    elif module := _after(words, "-m"):
        if module in ("pip", "uv", "pipx"):
            yield from started_by([module, *words[words.index(module) + 1 :]], policy)
        elif policy.banned(module):
            yield Started("module", policy.banned(module))


def _commands(line: str) -> Iterator[tuple[int, list[str]]]:
    """Where each command begins, and its words; comments, patterns of ``case`` and lists in brackets are none."""
    plain = _QUOTED.sub(lambda part: " " * len(part[0]) if part[0][0] == "#" or part[0] == "\\\n" else part[0], line)
    masked = _QUOTED.sub(lambda quoted: "\0" * len(quoted[0]), plain)
    start, depth, lists = 0, 0, 0
    waiting: list[tuple[int, list[str]]] = []  # of one line: patterns of ``case`` are told by the bracket behind them
    for cut in [*_CUT.finditer(masked), None]:
        end = cut.start() if cut else len(line)
        after, text = cut[0] if cut else "", plain[start:end]
        begun = start + len(text) - len(text.lstrip())
        if not lists and not (after == "(" and text.strip()):
            waiting.append((begun, [_unquoted(word) for word in _WORD.findall(text)]))
        if after == ")" and not depth:
            waiting.clear()
        elif after == ")":
            depth, lists = depth - 1, max(lists - 1, 0)
        elif after in ("(", "$("):
            depth += 1
            lists += bool(lists) or (after == "(" and text.endswith("="))
        if after != "|":
            yield from waiting
            waiting.clear()
        start = cut.end() if cut else end


def _unquoted(word: str) -> str:
    return re.sub(r"""^(["'])(.*)\1$""", r"\2", word, flags=re.DOTALL)


def _without_wrappers(words: Sequence[str]) -> Sequence[str]:
    for at, word in enumerate(words):
        program = _base(word)
        if program == "command" and words[at + 1 : at + 2] in (["-v"], ["-V"]):
            return words[at:]
        if not (program in _WRAPPERS or re.match(r"[A-Za-z_]\w*=", word) or (at and word[:1] in "-…")):
            return words[at:]
    return ()


def _after(words: Sequence[str], flag: str) -> str:
    return next((other for one, other in pairwise(words) if one == flag), "")


def _base(program: str) -> str:
    return re.split(r"[/\\]", program)[-1].removesuffix(".exe").lower()
