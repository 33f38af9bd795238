"""``toriwork registry info | verify | publish | head``: a look at a registry from the shell."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toriwork.cli.words import say
from toriwork.errors import NotFound
from toriwork.printed import one_line
from toriwork.state import registry_path

if TYPE_CHECKING:
    from toriwork.registry import TorusRegistry

NAME = "registry"
SUMMARY = "what a registry holds, whether it is sound, its newest rows; publish what is pending"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The action, ``--path`` and ``-n``."""
    parser.add_argument("action", choices=[name for name, _ in ACTIONS], help="what to do")
    parser.add_argument("--path", type=Path, help="the registry's file (default: the one below the state root)")
    parser.add_argument("-n", type=int, default=10, help="how many rows `head` shows (default: 10)")


def run(options: argparse.Namespace) -> int:
    """0; 1 when ``verify`` found something."""
    path: Path = (options.path or registry_path()).expanduser().absolute()
    if not path.exists() and not path.with_suffix(".d").exists():
        raise NotFound(f"{path}: there is no registry; `toriwork demo` makes one to look at")
    return dict(ACTIONS)[options.action](path, options)


def info(path: Path, options: argparse.Namespace) -> int:
    """Print what the registry holds; opens it read-only."""
    with _open(path) as registry:
        statistics = registry.get_statistics()
        if options.json:
            _print_json({"path": str(path), **statistics})
        else:
            say(registry)
    return 0


def verify(path: Path, options: argparse.Namespace) -> int:
    """Read and check every byte; 1 when something is wrong. Changes nothing."""
    with _open(path) as registry:
        report = registry.verify()
    if options.json:
        _print_json({"path": str(path), "clean": report.ok, "report": str(report)})
    else:
        say(report)
    return 0 if report.ok else 1


def publish(path: Path, options: argparse.Namespace) -> int:
    """Bring every pending row into the public file."""
    from toriwork.registry import TorusRegistry

    with TorusRegistry(path) as registry:
        pending = registry.get_statistics()["pending_writes"]
        registry.flush(publish=True)
        n_rows = len(registry)
    if options.json:
        _print_json({"path": str(path), "published": pending, "n_rows": n_rows})
    else:
        say(f"{pending} pending rows published; {one_line(str(path))} holds {n_rows} rows.")
    return 0


def head(path: Path, options: argparse.Namespace) -> int:
    """Print the newest rows, the newest first."""
    with _open(path) as registry:
        rows = registry.query_recent(options.n).iloc[::-1]
    if options.json:
        _print_json(json.loads(rows.to_json(orient="records", date_format="iso")))
    else:
        say(rows.map(_cell).to_string(index=False) if len(rows) else "no rows")
    return 0


ACTIONS: tuple[tuple[str, Callable[[Path, argparse.Namespace], int]], ...] = (
    ("info", info),
    ("verify", verify),
    ("publish", publish),
    ("head", head),
)


def _open(path: Path) -> TorusRegistry:
    from toriwork.registry import TorusRegistry

    return TorusRegistry(path, read_only=True)


def _cell(value: Any) -> Any:
    return one_line(value) if isinstance(value, str) else value


def _print_json(value: Any) -> None:
    print(json.dumps(_json_able(value), allow_nan=False))


def _json_able(value: Any) -> Any:
    """NaN has no JSON form: it becomes null, as an unknown Betti number is."""
    if isinstance(value, dict):
        return {key: _json_able(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_json_able(inner) for inner in value]
    return None if isinstance(value, float) and math.isnan(value) else value
