"""Say what in a notebook cannot be compared, does not belong there, or would not survive a static viewer.

One rule, one function from a notebook to its complaints; the table at the end lists them all. Which constructs nbval
cannot compare was measured on nbval 0.11 (docs/decisions/005-notebooks-run-twice.md).

    python tools/check_notebooks.py            all of notebooks/; one complaint a line, exit 1 when there is one
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import nbformat

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
MAX_BYTES = 1_000_000
MAX_CELLS = 15
MAX_DEF_LINES = 5

Complaints = Iterator[str]

#: what a cell may not contain -> why
FORBIDDEN_SOURCE = (
    (re.compile(r";[ \t]*(#.*)?\Z"), "a trailing `;` silences nothing under nbval; assign the value to `_` instead"),
    (re.compile(r"\bwith\s+[\w.]*\bOutput\("), "`with Output()` is not emulated by nbval; use `append_stdout`"),
    (re.compile(r"\binteract(ive|ive_output|_manual)?\("), "`interact` cannot be compared; use a widget of toriwork"),
    (re.compile(r"@(\w+\.)?interact\b"), "`interact` cannot be compared; use a widget of toriwork"),
    (re.compile(r"\b(clear_output|update_display)\("), "nbval ignores updates of an output; print the final state"),
    (
        re.compile(r"^\s*!", re.MULTILINE),
        "a shell line fails silently; call it through `subprocess.run(..., check=True)`",
    ),
)

#: what a saved output may not contain -> why
FORBIDDEN_OUTPUT = (
    (re.compile(r"0x[0-9a-fA-F]{6,16}"), "an address differs in every run; give the object a repr"),
    (re.compile(r"/(home|Users|root|work)/\w"), "a path of somebody's machine; print it relative to the state root"),
)


def too_big(path: Path, notebook: nbformat.NotebookNode) -> Complaints:
    """Over a megabyte, or more cells than one idea needs."""
    size = path.stat().st_size
    if size > MAX_BYTES:
        yield f"{size / 1e6:.1f} MB, at most {MAX_BYTES / 1e6:.0f} MB: Lab and reviewers slow down"
    if len(notebook.cells) > MAX_CELLS:
        yield f"{len(notebook.cells)} cells, at most {MAX_CELLS}: one notebook, one idea"


def not_run_in_order(path: Path, notebook: nbformat.NotebookNode) -> Complaints:
    """Saved outputs that are not those of one run from top to bottom; nbval would skip unrun cells."""
    del path
    counts = [cell.get("execution_count") for cell in _code(notebook) if cell.source.strip()]
    if counts != list(range(1, len(counts) + 1)):
        yield f"execution counts are {counts}: run it with tools/run_notebooks.py"


def forbidden_source(path: Path, notebook: nbformat.NotebookNode) -> Complaints:
    """Constructs that nbval cannot compare or that fail silently."""
    del path
    for number, cell in _numbered_code(notebook):
        for pattern, reason in FORBIDDEN_SOURCE:
            if pattern.search(cell.source.strip()):
                yield f"cell {number}: {reason}"


def forbidden_output(path: Path, notebook: nbformat.NotebookNode) -> Complaints:
    """Outputs that differ on the next machine, and errors that somebody saved."""
    del path
    for number, cell in _numbered_code(notebook):
        text = "\n".join(_texts(cell))
        for pattern, reason in FORBIDDEN_OUTPUT:
            if found := pattern.search(text):
                yield f"cell {number}: {found[0]!r} in an output: {reason}"
        if any(output.output_type == "error" for output in cell.outputs) and not _may_raise(cell):
            yield f"cell {number}: an error was saved; tag the cell `raises-exception` if it is the point"


def long_functions(path: Path, notebook: nbformat.NotebookNode) -> Complaints:
    """Functions that belong into the package: a notebook is a reader, not a home."""
    del path
    for number, cell in _numbered_code(notebook):
        for node in ast.walk(_tree(cell.source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MAX_DEF_LINES:
                    bound = f"{lines} lines, at most {MAX_DEF_LINES}"
                    yield f"cell {number}: `def {node.name}` has {bound}: move it to toriwork"


def asserts_nothing(path: Path, notebook: nbformat.NotebookNode) -> Complaints:
    """A notebook without one assertion claims nothing that CI could refute."""
    del path
    trees = (_tree(cell.source) for cell in _code(notebook))
    if not any(isinstance(node, ast.Assert) for tree in trees for node in ast.walk(tree)):
        yield "no cell asserts what the notebook claims"


def widget_state(path: Path, notebook: nbformat.NotebookNode) -> Complaints:
    """Saved widget state: random ids in every diff, and dead once the kernel is gone."""
    del path
    if "widgets" in notebook.metadata:
        yield "widget state was saved: run it with tools/run_notebooks.py"


RULES: tuple[Callable[[Path, nbformat.NotebookNode], Complaints], ...] = (
    too_big,
    not_run_in_order,
    forbidden_source,
    forbidden_output,
    long_functions,
    asserts_nothing,
    widget_state,
)


def complaints(path: Path) -> list[str]:
    """The broken rules of one notebook file, in the order of the rules."""
    notebook = nbformat.read(path, as_version=4)
    return [f"{path.name}: {text}" for rule in RULES for text in rule(path, notebook)]


def main(arguments: Sequence[str] | None = None) -> int:
    """1 when there is a complaint, else 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all of notebooks/")
    paths = parser.parse_args(arguments).notebooks or sorted(NOTEBOOKS.glob("*.ipynb"))
    found = [text for path in paths for text in complaints(path)]
    for text in found:
        print(text, file=sys.stderr)
    print(f"{len(paths)} notebooks, {len(found)} complaints")
    return 1 if found else 0


def _code(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _numbered_code(notebook: nbformat.NotebookNode) -> Iterator[tuple[int, nbformat.NotebookNode]]:
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "code":
            yield number, cell


def _texts(cell: nbformat.NotebookNode) -> Iterator[str]:
    for output in cell.outputs:
        yield output.get("text", "")
        for kind, content in output.get("data", {}).items():
            if kind.startswith("text/") or kind == "image/svg+xml":
                # base64 may spell an address by chance
                yield re.sub(r"base64,[A-Za-z0-9+/=\s]*", "", content)


def _may_raise(cell: nbformat.NotebookNode) -> bool:
    return "raises-exception" in cell.metadata.get("tags", [])


def _tree(source: str) -> ast.AST:
    """The syntax tree of a cell; magics are dropped, a cell magic leaves an empty tree."""
    if source.lstrip().startswith("%%"):
        return ast.Module(body=[], type_ignores=[])
    plain = "\n".join("pass" if line.lstrip().startswith(("%", "!")) else line for line in source.splitlines())
    return ast.parse(plain)


if __name__ == "__main__":
    raise SystemExit(main())
