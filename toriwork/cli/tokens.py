"""``toriwork tokens info | tail | verify [FILE] | context``: a look at the token log from the shell."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toriwork.cli.words import say
from toriwork.errors import NotFound, StoreError
from toriwork.printed import one_line
from toriwork.state import state_root

if TYPE_CHECKING:
    from toriwork.synthesis.log import TokenLog
    from toriwork.synthesis.report import LogReport

NAME = "tokens"
SUMMARY = (
    "what the token log holds, its newest emissions, whether anybody has changed it, and the context of the newest"
)
_LOG_FILE = "observer_tokens.parquet"
_COLUMNS = ("timestamp", "token_id", "source", "type", "subject", "given_timestamp", "generation")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The action, the file of ``verify``, ``--path``, ``--checkpoints`` and ``-n``."""
    parser.add_argument("action", choices=[name for name, _ in ACTIONS], help="what to do")
    parser.add_argument("file", nargs="?", type=Path, help="of `verify`: a bare copy of the public file")
    parser.add_argument("--path", type=Path, help="the log's file (default: the one below the state root)")
    parser.add_argument("--checkpoints", type=Path, help="of `verify FILE`: where its checkpoints are kept")
    parser.add_argument("-n", type=int, default=10, help="how many emissions `tail` and `context` take (default: 10)")


def run(options: argparse.Namespace) -> int:
    """0; 1 when ``verify`` found something."""
    path: Path = (options.path or state_root() / _LOG_FILE).expanduser().absolute()
    if options.file is None and not path.exists() and not path.with_suffix(".d").exists():
        raise NotFound(f"{path}: there is no token log; the first emit_token makes one")
    return dict(ACTIONS)[options.action](path, options)


def info(path: Path, options: argparse.Namespace) -> int:
    """Print how many emissions there are, of what types, and the head over all generations."""
    log = _open(path)
    note = log.note()
    types: dict[str, int] = {}
    for batch in log.batches(["type"]):
        for kind in batch["type"].to_pylist():
            types[kind or "untyped"] = types.get(kind or "untyped", 0) + 1
    log.close()
    facts: dict[str, Any] = {
        "path": str(path),
        "rows": sum(types.values()),
        "retired": note.n_retired,
        "unpublished": sum(types.values()) - (note.n_rows - note.n_retired),
        "generation": note.last.number if note.last is not None else 0,
        "head": note.last.head.hex() if note.last is not None else "",
        "types": dict(sorted(types.items())),
    }
    if options.json:
        print(json.dumps(facts))
    else:
        kinds = ", ".join(f"{name} {count}" for name, count in facts["types"].items()) or "no emissions"
        counts = f"{facts['rows']} rows, {facts['unpublished']} of them unpublished; {facts['retired']} retired"
        say(f"{one_line(str(path))}: {counts}")
        say(one_line(f"types: {kinds}"))
        say(f"generation {facts['generation']}, head {facts['head'] or '-'}")
    return 0


def tail(path: Path, options: argparse.Namespace) -> int:
    """Print the newest emissions, the newest last."""
    rows = _newest(path, options.n)
    if options.json:
        print(json.dumps([{**row, "timestamp": row["timestamp"].isoformat()} for row in rows]))
        return 0
    for row in rows:
        measured = json.loads(row["body"])["m"]
        who = "/".join(row[name] or "-" for name in ("source", "type", "subject"))
        time = row["timestamp"].isoformat(timespec="milliseconds")
        say(one_line(f"{time} {row['token_id'][:15]} {who} {json.dumps(measured)[:120]}"))
    return 0


def verify(path: Path, options: argparse.Namespace) -> int:
    """Check every row, chain and generation; 1 when something is not as it was published. Changes nothing."""
    from toriwork.synthesis.verify import verify_file

    if options.file is not None:
        report = verify_file(options.file, options.checkpoints)
    else:
        report = _verify_log(path)
    say(json.dumps(report.as_dict()) if options.json else report)
    return 0 if report.ok else 1


def context(path: Path, options: argparse.Namespace) -> int:
    """Print the prompt that the newest emissions make."""
    from toriwork.synthesis import ObserverSynthesis
    from toriwork.synthesis.identity import given

    observers = ObserverSynthesis(max(1, options.n))
    for row in _newest(path, options.n):
        observers.add_to_context(observers.emit_token(given(row["body"].encode(), row["given_timestamp"])))
    if options.json:
        print(json.dumps({**observers.synthesize_context(), "prompt": observers.create_reasoning_prompt()}))
    else:
        say(observers.create_reasoning_prompt())
    return 0


ACTIONS: tuple[tuple[str, Callable[[Path, argparse.Namespace], int]], ...] = (
    ("info", info),
    ("tail", tail),
    ("verify", verify),
    ("context", context),
)


def _open(path: Path) -> TokenLog:
    from toriwork.synthesis.log import TokenLog

    return TokenLog(path, read_only=True)


def _newest(path: Path, n_rows: int) -> list[dict[str, Any]]:
    log = _open(path)
    rows = log.rows().select([*_COLUMNS, "body"])
    log.close()
    found: list[dict[str, Any]] = rows.slice(max(0, rows.num_rows - max(0, n_rows))).to_pylist()
    return found


def _verify_log(path: Path) -> LogReport:
    """The report of the log; where the store refuses its files, that and what the public file alone proves."""
    from toriwork.synthesis.report import LogFinding
    from toriwork.synthesis.verify import verify_file

    try:
        log = _open(path)
    except StoreError as refused:
        report = verify_file(path)
        return replace(report, findings=(LogFinding(None, "file", str(refused)), *report.findings), proven=())
    try:
        return log.verify()
    finally:
        log.close()
