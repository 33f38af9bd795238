"""Print the oldest releases that pyproject.toml allows, one pin a line, to try them in an empty environment.

python3 -m venv oldest && python tools/lower_bounds.py > oldest/pins.txt
oldest/bin/python -m pip install -r oldest/pins.txt && oldest/bin/python -m pytest tests --ignore=tests/house
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from packaging.requirements import Requirement

PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"

#: the tools judge the code, they do not run it: their newest release is what counts
LATEST = {"ruff", "mypy", "import-linter", "pre-commit", "hatchling", "pandas-stubs", "types-PyYAML"}


def pins() -> list[str]:
    """``name==version`` for every requirement and extra of the project but its style tools."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    texts = project["dependencies"] + [text for extra in project["optional-dependencies"].values() for text in extra]
    items = [Requirement(text) for text in texts]
    wanted = [item for item in items if item.name != project["name"] and item.name not in LATEST]
    return sorted({f"{item.name}=={_lowest(item)}" for item in wanted})


def _lowest(item: Requirement) -> str:
    (bound,) = [bound.version for bound in item.specifier if bound.operator == ">="]
    return bound


if __name__ == "__main__":
    print(*pins(), sep="\n")
