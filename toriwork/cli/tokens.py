"""``toriwork tokens info | tail | verify [FILE] | context``: a look at the token log from the shell."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toriwork.cli.actions import COMMANDS, PATH, Actions
from toriwork.cli.terminal import say, say_json, say_table
from toriwork.errors import NotFound, StoreError
from toriwork.printed import one_line
from toriwork.state import state_root

if TYPE_CHECKING:
    from toriwork.synthesis.log import TokenLog
    from toriwork.synthesis.report import LogReport

_LOG_FILE = "observer_tokens.parquet"
_COLUMNS = ("timestamp", "token_id", "source", "type", "subject", "given_timestamp", "generation")

ACTIONS = Actions("tokens", help="Look into the token log; see whether anybody has changed it.")
COMMANDS.add_command(ACTIONS)
_LOG = click.option("--path", type=PATH, metavar="FILE", help="The log's file; default: the one of the state root.")
_NEWEST = click.option("-n", "n_rows", type=int, default=10, help="How many emissions; default 10.")


@ACTIONS.action("info", "toriwork tokens info --json")
@_LOG
def info(path: Path | None, as_json: bool) -> int:
    """Print how many emissions there are, of what types, and the head over all generations."""
    log = _open(path)
    note = log.note()
    types: dict[str, int] = {}
    for batch in log.batches(["type"]):
        for kind in batch["type"].to_pylist():
            types[kind or "untyped"] = types.get(kind or "untyped", 0) + 1
    log.close()
    facts: dict[str, Any] = {
        "path": str(log.path),
        "rows": sum(types.values()),
        "retired": note.n_retired,
        "unpublished": sum(types.values()) - (note.n_rows - note.n_retired),
        "generation": note.last.number if note.last is not None else 0,
        "head": note.last.head.hex() if note.last is not None else "",
        "types": dict(sorted(types.items())),
    }
    if as_json:
        say_json(facts)
    else:
        kinds = ", ".join(f"{name} {count}" for name, count in facts["types"].items()) or "no emissions"
        counts = f"{facts['rows']} rows, {facts['unpublished']} of them unpublished; {facts['retired']} retired"
        say(one_line(f"{log.path}: {counts}"))
        say(one_line(f"types: {kinds}"))
        say(f"generation {facts['generation']}, head {facts['head'] or '-'}")
    return 0


@ACTIONS.action("tail", "toriwork tokens tail -n 3")
@_LOG
@_NEWEST
def tail(path: Path | None, n_rows: int, as_json: bool) -> int:
    """Print the newest emissions, the newest first."""
    rows = _newest(path, n_rows)
    if as_json:
        say_json([{**row, "timestamp": row["timestamp"].isoformat()} for row in rows])
        return 0
    say_table(
        ("timestamp", "token", "source", "type", "subject", "measured"),
        [
            (
                row["timestamp"].isoformat(timespec="milliseconds"),
                row["token_id"][:15],
                *(row[name] or "-" for name in ("source", "type", "subject")),
                json.dumps(json.loads(row["body"])["m"]),
            )
            for row in rows
        ],
        empty="no emissions",
    )
    return 0


@ACTIONS.action("verify", "toriwork tokens verify copy.parquet --checkpoints observer_tokens.checkpoints")
@click.argument("file", type=PATH, required=False)
@_LOG
@click.option("--checkpoints", type=PATH, metavar="FILE", help="Where the checkpoints of FILE are kept.")
def verify(file: Path | None, path: Path | None, checkpoints: Path | None, as_json: bool) -> int:
    """Check every row, chain and generation, of the log or of a bare copy; changes nothing.

    Exit code 1: something is not as it was published.
    """
    from toriwork.synthesis.verify import verify_file

    report = verify_file(file, checkpoints) if file is not None else _verify_log(path)
    say_json(report.as_dict()) if as_json else say(report)
    return 0 if report.ok else 1


@ACTIONS.action("context", "toriwork tokens context -n 20")
@_LOG
@_NEWEST
def context(path: Path | None, n_rows: int, as_json: bool) -> int:
    """Print the prompt that the newest emissions make."""
    from toriwork.synthesis import ObserverSynthesis
    from toriwork.synthesis.identity import given

    observers = ObserverSynthesis(max(1, n_rows))
    for row in reversed(_newest(path, n_rows)):
        observers.add_to_context(observers.emit_token(given(row["body"].encode(), row["given_timestamp"])))
    if as_json:
        say_json({**observers.synthesize_context(), "prompt": observers.create_reasoning_prompt()})
    else:
        say(observers.create_reasoning_prompt())
    return 0


def _file(given: Path | None) -> Path:
    """The log that is meant; NotFound where there is none."""
    path = (given or state_root() / _LOG_FILE).absolute()
    if not path.exists() and not path.with_suffix(".d").exists():
        raise NotFound(f"{path}: there is no token log; the first emit_token makes one")
    return path


def _open(path: Path | None) -> TokenLog:
    from toriwork.synthesis.log import TokenLog

    return TokenLog(_file(path), read_only=True)


def _newest(path: Path | None, n_rows: int) -> list[dict[str, Any]]:
    log = _open(path)
    rows = log.rows().select([*_COLUMNS, "body"])
    log.close()
    found: list[dict[str, Any]] = rows.slice(max(0, rows.num_rows - max(0, n_rows))).to_pylist()
    return found[::-1]


def _verify_log(given: Path | None) -> LogReport:
    """The report of the log; where the store refuses its files, that and what the public file alone proves."""
    from toriwork.synthesis.report import LogFinding
    from toriwork.synthesis.verify import verify_file

    path = _file(given)
    try:
        log = _open(path)
    except StoreError as refused:
        report = verify_file(path)
        return replace(report, findings=(LogFinding(None, "file", str(refused)), *report.findings), proven=())
    try:
        return log.verify()
    finally:
        log.close()
