"""Shell outside of Python: scripts, makefiles, Dockerfiles, pipelines of CI; the images that containers are made of."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

from toriwork.codebase.source import line_numbers
from toriwork.codebase.time_limit import check_time

_SHELLS = frozenset({".sh", ".bash", ".zsh", ".ksh"})
_SHEBANG = re.compile(rb"#!.*\b(?:sh|bash|zsh|ksh|dash)\b")
_MAKEFILE = re.compile(r"(?:GNUm|M|m)akefile\Z|.+\.mk\Z|[Jj]ustfile\Z")
_DOCKERFILE = re.compile(r"(?:Docker|Container)file(?:\..+)?\Z|.+\.[Dd]ockerfile\Z")
_YAML = re.compile(r".+\.ya?ml\Z", re.IGNORECASE)
_PIPELINE = re.compile(
    r"(?:.*/)?(?:\.github/(?:workflows|actions)/.+|\.circleci/.+|\.gitlab-ci|azure-pipelines|bitbucket-pipelines"
    r"|\.travis|appveyor|\.readthedocs)\.ya?ml\Z"
)
_LISTS = frozenset({"apt.txt", "Aptfile", "packages.txt"})  # what a host installs with apt
_HERE = re.compile(r"<<-?\s*(?P<quote>[\"']?)(?P<end>\w+)(?P=quote)")
_INSTRUCTION = re.compile(r"(?im)^[ \t]*(from|run|env|arg|cmd|entrypoint)\s+((?:[^\n\\]|\\.|\\\n)*)")
_STEP = re.compile(
    r"(?:-\s+)?(?:(?:run|script|before_script|after_script|install|command|bash|sh)\s*:\s*)?(?:[|>][-+]?\s*\Z)?"
)
_IMAGE = re.compile(r"\s*(?:-\s+)?(?:image|container)\s*:\s*[\"']?([\w./:@-]+)")
_ASSIGNED = re.compile(r"(?m)(?:^|\s)(?:export\s+|ENV\s+|ARG\s+)?\w+[= ][\"']?([a-z][\w+:]*:/[^\s\"']*)")


class Piece(NamedTuple):
    """A piece of such a file."""

    line: int  #: from 1
    kind: str  #: "shell", "python", "image" or "address"
    text: str


def wants(path: str, head: bytes) -> bool:
    """Tell if a file of this path and beginning holds any shell."""
    name = PurePosixPath(path).name
    known = name in _LISTS or name == "tox.ini"
    return known or _is_shell(name, head) or any(one.match(name) for one in (_MAKEFILE, _DOCKERFILE, _YAML))


def pieces_in(path: str, text: str) -> Iterator[Piece]:
    """Yield the shell in a file for which :func:`wants` is true, in the order of its lines."""
    name = PurePosixPath(path).name
    if _DOCKERFILE.match(name):
        yield from _of_dockerfile(text)
    elif _MAKEFILE.match(name):
        recipes = re.sub(r"(?m)^(?!\t).*|^\t[@+-]*", "", text)
        yield Piece(1, "shell", recipes)
    elif name == "tox.ini":
        yield from _of_tox(text)
    elif name in _LISTS:
        yield Piece(1, "shell", re.sub(r"(?m)^[ \t]*(?=[\w])", "apt install ", text))
    elif _YAML.match(name):
        yield from _of_yaml(path, text)
    else:
        yield from _of_script(text)


def _is_shell(name: str, head: bytes) -> bool:
    return PurePosixPath(name).suffix in _SHELLS or _SHEBANG.match(head) is not None


def _of_script(text: str) -> Iterator[Piece]:
    """A script with its here-documents taken out; those that Python reads are Python."""
    kept: list[str] = []
    lines = iter(enumerate(text.split("\n"), 1))
    for number, line in lines:
        kept.append(line)
        opened = _HERE.search(line)
        if opened is None or line.lstrip().startswith("#"):
            continue
        body: list[str] = []
        for _, inner in lines:
            kept.append("")
            if inner.strip() == opened["end"]:
                break
            body.append(inner)
        if re.search(r"\bpython[\d.]*\b", line[: opened.start()]):
            yield Piece(number + 1, "python", "\n".join(body))
    script = "\n".join(kept)
    yield Piece(1, "shell", script)
    line_of = line_numbers(script)
    for found in _ASSIGNED.finditer(script):
        yield Piece(line_of(found.start(1)), "address", found[1])


def _of_tox(text: str) -> Iterator[Piece]:
    inside = False
    for number, line in enumerate(text.split("\n"), 1):
        name, _, rest = line.partition("=")
        begins = name.strip() in ("commands", "commands_pre", "commands_post")
        inside = begins or (inside and not line[:1].strip())
        if inside:
            yield Piece(number, "shell", (rest if begins else line).strip().lstrip("-! "))


def _of_dockerfile(text: str) -> Iterator[Piece]:
    plain = re.sub(r"(?m)^[ \t]*#.*", "", text)
    line_of = line_numbers(plain)
    for found in _INSTRUCTION.finditer(plain):
        word, line = found[1].lower(), line_of(found.start())
        if word == "from":
            image = next((part for part in found[2].split() if not part.startswith("-")), "")
            yield Piece(line, "image", image)
        elif word in ("env", "arg"):
            for address in _ASSIGNED.finditer(" " + found[2]):
                yield Piece(line, "address", address[1])
        else:
            yield Piece(line, "shell", _as_line(found[2]))


def _as_line(text: str) -> str:
    """``["psql", "-c", "x"]`` as a line of shell."""
    try:
        words = json.loads(text)
    except ValueError:
        return text
    return " ".join(map(str, words)) if isinstance(words, list) else text


def _of_yaml(path: str, text: str) -> Iterator[Piece]:
    pipeline = _PIPELINE.match(path) is not None
    for number, line in enumerate(text.split("\n"), 1):
        check_time()
        if image := _IMAGE.match(line):
            yield Piece(number, "image", image[1])
        elif pipeline and (step := _step(line.strip())):
            yield Piece(number, "shell", step)


def _step(line: str) -> str:
    """The shell in a line of a pipeline; a list of single words is no shell."""
    begun = _STEP.match(line)
    rest = line[begun.end() if begun else 0 :].strip()
    if re.match(r"[\w.-]+\s*:(?:\s|\Z)", rest) or (line.startswith("- ") and " " not in rest):
        return ""
    return rest[1:-1] if len(rest) > 1 and rest[0] == rest[-1] and rest[0] in "\"'" else rest
