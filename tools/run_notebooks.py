"""Execute notebooks with nbclient: write their outputs, or only check that every cell succeeds.

nbval alone passes a cell whose failure is not announced as an error output (a magic that does not exist, for one);
nbclient goes by the kernel's reply and stops there. Both run in CI.

    python tools/run_notebooks.py notebooks/00_first_look.ipynb     executes and writes the outputs to commit
    python tools/run_notebooks.py --check                           executes all of notebooks/, writes nothing
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
CELL_SECONDS = 120

#: metadata that depends on who ran the notebook where, not on what it says
_VOLATILE_METADATA = ("widgets", "language_info", "toc", "vscode", "colab")


def execute(path: Path, state: Path) -> nbformat.NotebookNode:
    """The notebook with fresh outputs; its kernel works in the notebook's folder and keeps state below ``state``.

    Raises
    ------
    CellExecutionError
        The first cell that fails, also when it fails without an error output.
    """
    notebook = nbformat.read(path, as_version=4)
    known = {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0", "MPLBACKEND": "agg", "TQDM_DISABLE": "1"}
    with _environment(TORI_STATE_ROOT=str(state), **known):
        client = NotebookClient(
            notebook,
            timeout=CELL_SECONDS,
            kernel_name="python3",
            store_widget_state=False,
            record_timing=False,
            resources={"metadata": {"path": str(path.parent)}},
        )
        client.execute()
    return tidy(notebook)


def tidy(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The same notebook without what changes from run to run or from person to person."""
    for name in _VOLATILE_METADATA:
        notebook.metadata.pop(name, None)
    notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number:02d}"  # random ids are diff noise
        cell.metadata = nbformat.from_dict({"tags": cell.metadata.tags} if cell.metadata.get("tags") else {})
    return notebook


def main(arguments: Sequence[str] | None = None) -> int:
    """The number of notebooks that failed, 0 when all is well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all of notebooks/")
    parser.add_argument("--check", action="store_true", help="execute only, write nothing")
    options = parser.parse_args(arguments)
    paths = options.notebooks or sorted(NOTEBOOKS.glob("*.ipynb"))
    with tempfile.TemporaryDirectory(prefix="toriwork-notebooks-") as folder:
        return sum(not _run(path, Path(folder) / f"state-{path.stem}", write=not options.check) for path in paths)


def _run(path: Path, state: Path, *, write: bool) -> bool:
    try:
        notebook = execute(path, state)
    except CellExecutionError as error:
        print(f"{path.name}: failed\n{error}", file=sys.stderr)
        return False
    if write:
        nbformat.write(notebook, path)
    print(f"{path.name}: {sum(cell.cell_type == 'code' for cell in notebook.cells)} code cells ran")
    return True


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(values)  # the kernel inherits it
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


if __name__ == "__main__":
    raise SystemExit(main())
