"""Print the oldest releases that pyproject.toml allows, one pin a line; with ``--try``, run the tests with them.

python tools/lower_bounds.py --try [PYTEST ARGUMENTS]

makes a new environment in a temporary folder, installs the pins, the tools in their newest release and this checkout,
whose command and flake8 plugin tests ask for, and runs the tests that judge the code (not those of tests/house): once a
week, and before a release. It needs an hour on two cores, a network and 2 GB.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"

#: the tools judge the code, they do not run it: their newest release is what counts
LATEST = {"ruff", "mypy", "import-linter", "pre-commit", "hatchling", "pandas-stubs", "types-PyYAML"}

DEFAULT = ("tests", "--ignore=tests/house", "-n", "2", "--dist", "loadfile")


def tried() -> list[str]:
    """Arguments of pip for a try: the pins, the tools, and this checkout with its command and its flake8 plugin."""
    return [*pins(), *sorted(LATEST), "--editable", str(PYPROJECT.parent)]


def pins() -> list[str]:
    """``name==version`` for every requirement and extra of the project but its style tools."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    texts = project["dependencies"] + [text for extra in project["optional-dependencies"].values() for text in extra]
    items = [Requirement(text) for text in texts]
    wanted = [item for item in items if item.name != project["name"] and item.name not in LATEST]
    return sorted({f"{item.name}{_extras(item)}=={_lowest(item)}" for item in wanted})


def _extras(item: Requirement) -> str:
    return f"[{','.join(sorted(item.extras))}]" if item.extras else ""


def _lowest(item: Requirement) -> str:
    (bound,) = [bound.version for bound in item.specifier if bound.operator == ">="]
    return bound


def try_pins(arguments: list[str]) -> int:
    """The exit code of pytest in a new environment with the oldest releases; of pip where they cannot be installed."""
    with tempfile.TemporaryDirectory(prefix="toriwork-oldest-") as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = str(Path(folder) / "bin" / "python")
        done = subprocess.run([python, "-m", "pip", "install", "--quiet", *tried()], check=False)
        if done.returncode:
            return done.returncode
        root = PYPROJECT.parent
        line = [python, "-m", "pytest", *(arguments or DEFAULT)]
        return subprocess.run(line, cwd=root, env=os.environ | {"PYTHONPATH": str(root)}, check=False).returncode


if __name__ == "__main__":
    if sys.argv[1:2] == ["--try"]:
        sys.exit(try_pins(sys.argv[2:]))
    print(*pins(), sep="\n")
