"""What the tests of the house share: notebooks made on the spot, a small project to run pytest in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def exists(module: str) -> bool:
    """Whether a module can be imported; a folder without ``__init__.py`` is none."""
    spec = find_spec(module)
    return spec is not None and spec.origin is not None


def notebook(*sources: str, outputs: dict[int, str] | None = None, stream: str = "stdout") -> nbformat.NotebookNode:
    """A notebook of code cells that look executed in order; ``outputs`` gives what a cell's saved stream says."""
    cells = [new_markdown_cell("# A probe")]
    for number, source in enumerate(sources):
        text = (outputs or {}).get(number)
        saved = [] if text is None else [new_output("stream", name=stream, text=text)]
        cells.append(new_code_cell(source, execution_count=number + 1, outputs=saved))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel})


def write(path: Path, *sources: str, outputs: dict[int, str] | None = None, stream: str = "stdout") -> Path:
    """The path of a saved probe."""
    nbformat.write(notebook(*sources, outputs=outputs, stream=stream), path)
    return path


def small_project(folder: Path) -> Path:
    """A folder with this project's test settings and an empty ``notebooks/``, where plain pytest can be run."""
    (folder / "notebooks").mkdir(parents=True)
    (folder / "toriwork" / "cli").mkdir(parents=True)
    for name in ("pyproject.toml", "conftest.py", "toriwork/cli/sanitize.cfg"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def nbval(project: Path, *more: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What `pytest --nbval notebooks` says, as a user types it."""
    line = [sys.executable, "-m", "pytest", "--nbval", "notebooks", *more, "-p", "no:cacheprovider"]
    return subprocess.run(line, cwd=project, env=os.environ | environment, capture_output=True, text=True, check=False)
