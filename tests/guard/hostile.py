"""Files that are made to be expensive: each kind of text, grown to any size, under names that are read in all ways."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

#: name of a kind -> the text of ``n`` pieces
KINDS: dict[str, Callable[[int], str]] = {
    "open triple quote and backslashes": lambda n: 'x = """' + "\\d" * n,
    "open quote and escaped quotes": lambda n: "x = '" + "\\'" * n,
    "open double quote and escaped quotes": lambda n: 'echo "' + '\\"' * n,
    "triple quotes that open again and again": lambda n: "a'''b\"\"\"" * n,
    "blanks": lambda n: "x = 1" + " " * n + "y",
    "blanks behind a key": lambda n: "url: a" + " " * n + "b" + " " * n + "c",
    "blanks in front": lambda n: " " * n + "x" + " " * n,
    "blanks in brackets": lambda n: "[" + " " * n + "x" + " " * n + "]]",
    "tabs and blanks": lambda n: "\t \t" * n + "=\t" * n,
    "empty lines": lambda n: "\n" * n + "deps = x\n" + "\n \n" * n + "x",
    "open brackets": lambda n: "(" * n + "[" * n + "{" * n,
    "closed brackets": lambda n: "x = " + "(" * n + ")" * n + "\nx = " + "[{" * n + "}]" * n,
    "brackets in shell": lambda n: "a=(b $(" * n + ")" * n,
    "format fields": lambda n: "x = '{" + ":" * n + "'.format(1); __import__('{" + "a:" * n + "'.format(1))",
    "percent fields": lambda n: "__import__('sqlite://%" + "0" * n + "' % x)",
    "a long line": lambda n: "x = " + "a + " * n + "1",
    "a long line of words": lambda n: "import system sys modules exec eval compile " * n,
    "imports in one line": lambda n: "import " * n + "system",
    "sys in one line": lambda n: "modules\n" + "sys " * n,
    "a chain of attributes": lambda n: "x" + ".a" * min(n, 900) + "\n" + "\n".join(["y.b.c.d()"] * n),
    "a chain of calls": lambda n: "import os\n" + "\n".join(["x" + ".system()" * 300] * (n // 300 + 1)),
    "a sum of texts": lambda n: "\n".join(["exec('sqlite://' + " + " + ".join(["'a'"] * 300) + ")"] * (n // 300 + 1)),
    "formats of formats": lambda n: "x = 'sqlite://'" + ".format(1)" * min(n, 900),
    "blocks in blocks": lambda n: "".join(" " * (k % 80) + "if x:\n" for k in range(n)) + "import a",
    "one text run again and again": lambda n: "a = '" + "x=1;" * n + "'\n" + "exec(a)\n" * n,
    "a text of many fields": lambda n: "x = f'" + "{a}" * n + "'",
    "marks upon one letter": lambda n: "a" + "\u0316\u0301" * n + " = 1",
    "a name of another script": lambda n: "ﬁ中é" * n + " = 1",
    "a slow encoding": lambda n: "# coding: punycode\n" + "a-b" * n,
    "colons": lambda n: "url = " + "a:" * n + " x",
    "colons in a text": lambda n: '"a": "' + "a:" * n + '" x',
    "dots of a key": lambda n: "a." * n + "b = 1\n",
    "tables in tables": lambda n: "x = " + "{a=" * n + "}" * n,
    "extras": lambda n: "a[" * n + "\n" + "".join(f"p{k}[redis]\n" for k in range(n)),
    "lists that nobody closes": lambda n: "additional_dependencies: [\n" * n + "dependencies: [\n" * n,
    "scripts that nobody ends": lambda n: "# /// script\n# x\n" * n,
    "attach": lambda n: "x = '''" + "attach (" * n + "''' \nATTACH " + "'a" * n,
    "fences that nobody closes": lambda n: "".join(f"{'`' * (3 + k % 50)}{{python}}\n" for k in range(n)),
    "marks of fences": lambda n: "`" * n + "\n" + "```{python}\n" * n,
    "cell magics": lambda n: "%%time\n" * n + "x",
    "cells run by a program": lambda n: "%%script python\n" * n + "x",
    "options of a magic": lambda n: "%timeit " + "-n 1 " * n + "\n%run " + "-" * n,
    "questions": lambda n: " " * n + "a" * n + "? x\n" + "?" * n,
    "wrappers": lambda n: "sudo " * n + "x\n" + "A=b " * n,
    "here documents": lambda n: "cat <<'E" * n + "\n" + "python <<E\n" * n,
    "hashes": lambda n: "#!" * n + "#coding" * n,
    "assignments in shell": lambda n: "A=redis://h\n" * n + "export " * n,
    "instructions": lambda n: "RUN a \\\n" * n + "ENV A=redis://h\n" * n,
    "sections": lambda n: "[" * n + "a" + "]" * n + "\n[x\n" * n,
    "steps": lambda n: "- run: |\n" * n + "  - - - " * n,
    "marks of a merge": lambda n: "<<<<<<<\n=======\n>>>>>>>\n" * n,
    "zeros": lambda n: "\0" * n + "import a",
}
NAMES = ("x.py", "x.ipynb", "cell.ipynb", "x.md", "x.sh", "setup.cfg", "pyproject.toml", "environment.yml")


def hostile_files(size: int, *kinds: str) -> Iterator[tuple[str, str, str]]:
    """Kind, name and content of files of about so many characters; each uses a database, so that all of it is read."""
    for kind in kinds or KINDS:
        make = KINDS[kind]
        n = size * 64 // max(len(make(128)) - len(make(64)), 64)
        text = "import sqlite3\n" + make(n)
        for name in NAMES:
            if name == "cell.ipynb":
                cell = {"cell_type": "code", "source": text.splitlines(keepends=True)}
                yield kind, name, json.dumps({"cells": [cell, {"cell_type": "code", "source": text}]})
            elif name in ("environment.yml", "setup.cfg"):
                yield kind, name, f"{text}\n{make(3)}\n"
            else:
                yield kind, name, text
