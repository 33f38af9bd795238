"""``toriwork notebook new FILE`` and ``sanitize``: a starter on the user's own file, and what nbval compares by."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from toriwork.cli.actions import COMMANDS, PATH, TABLES, Actions
from toriwork.cli.terminal import say, say_json
from toriwork.errors import BadInput

ACTIONS = Actions("notebook", help="A starter notebook on your own file, and what compares its outputs.")
COMMANDS.add_command(ACTIONS)
SANITIZE = Path(__file__).with_name("sanitize.cfg")

_IMPORTS = """from toriwork import TorusRegistry, estimate_betti
from toriwork.cli.clouds import read_cloud"""
_COMPUTE = """estimate = estimate_betti(points)
estimate"""
_RECORD = """with TorusRegistry("shapes.parquet") as registry:
    registry.record_shape(points, metadata={{"file": {name}}})
    newest = registry.query_recent(1)
newest.drop(columns="timestamp")"""


@ACTIONS.action("new", "toriwork notebook new cloud.csv --to first_look.ipynb")
@click.argument("file", type=PATH)
@click.option("--to", type=PATH, metavar="OUT", help="The new notebook; default: FILE with the ending .ipynb.")
@TABLES
def new(file: Path, to: Path | None, columns: str | None, drop_missing: bool, as_json: bool) -> int:
    """Write a notebook that reads FILE, shows its shape and records it."""
    from toriwork.cli.clouds import read_cloud

    out = to or file.with_suffix(".ipynb")
    points = read_cloud(file, columns=columns, drop_missing=drop_missing)
    options = f", {columns=}" * (columns is not None) + f", {drop_missing=}" * drop_missing
    read = f"points = read_cloud({os.path.relpath(file, out.parent)!r}{options})\npoints.shape"
    cells = [
        ("markdown", f"# {file.name}\n\n{len(points)} points, {points.shape[1]} coordinates each."),
        ("code", _IMPORTS),
        ("code", read),
        ("markdown", "How many pieces, how many loops? The estimate says what speaks for it."),
        ("code", _COMPUTE),
        ("code", "estimate.diagram.plot()"),
        ("code", 'estimate.diagram.plot("barcode")'),
        ("markdown", "Keep it: one row in a file that any Parquet reader opens."),
        ("code", _RECORD.format(name=json.dumps(file.name))),
    ]
    _write(out, json.dumps(_notebook(cells), indent=1) + "\n")
    say_json({"notebook": str(out)}) if as_json else say(f"{out}: open it in JupyterLab")
    return 0


@ACTIONS.action("sanitize", "toriwork notebook sanitize . && pytest --nbval --nbval-sanitize-with=sanitize.cfg")
@click.argument("folder", type=PATH, default=".")
def sanitize(folder: Path, as_json: bool) -> int:
    """Write sanitize.cfg, with which nbval compares notebooks that use toriwork.

    It takes out what may differ between two runs: addresses, temporary paths, timings, pictures. Numbers stay.
    """
    out = folder / SANITIZE.name
    _write(out, SANITIZE.read_text(encoding="utf-8"))
    line = f"pytest --nbval --nbval-sanitize-with={out} NOTEBOOK.ipynb"
    say_json({"file": str(out), "use": line}) if as_json else say(f"{out} written; {line}")
    return 0


def _notebook(cells: list[tuple[str, str]]) -> dict[str, object]:
    """The cells as a notebook of format 4.5, for whatever Python kernel is there."""
    made: list[dict[str, object]] = []
    for number, (kind, source) in enumerate(cells):
        cell = {"cell_type": kind, "id": f"cell-{number}", "metadata": {}, "source": source.splitlines(keepends=True)}
        made.append(cell | ({"execution_count": None, "outputs": []} if kind == "code" else {}))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": made, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def _write(out: Path, text: str) -> None:
    try:
        with out.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError as error:
        raise BadInput(f"{out}: expected a name that is free; it was left as it is") from error
