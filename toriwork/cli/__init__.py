"""The command line: ``toriwork COMMAND ...``, also as ``python -m toriwork``.

A command is one module of this package with ``NAME``, ``SUMMARY``, ``add_arguments(parser)`` and ``run(options)``, and
one line in ``COMMANDS``. Only this package prints. Importing it loads nothing heavy.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import toriwork
from toriwork.cli import demo, doctor, guard, migrate, mover, registry, soak, tokens
from toriwork.cli.words import say
from toriwork.errors import BadInput, MigrationError, StoreError, ToriworkError
from toriwork.printed import one_line

__all__ = ["COMMANDS", "main"]

EXIT_FAILED = 2
EXIT_INTERRUPTED = 130


class Command(Protocol):
    """The interface of a module that is a command."""

    NAME: str
    SUMMARY: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's own arguments; ``--json`` is there already."""

    def run(self, options: argparse.Namespace) -> int:
        """Do what was asked, print what came out, return the exit code: 0 well, 1 a finding."""


COMMANDS: tuple[Command, ...] = (
    demo,
    registry,
    tokens,
    migrate,
    mover.Export(),
    mover.Import(),
    guard,
    soak,
    doctor,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code of a command line (None: that of the process): 0 well, 1 a finding, 2 an error, 130 interrupted."""
    options = argparse.Namespace(json=False)
    code = 0  # where the reader of stdout goes away before the end
    try:
        try:
            _parser().parse_args(arguments, options)
            _expand(options)
            code = options.command.run(options)
        finally:
            _flush()
    except ToriworkError as error:
        _report_error(error, as_json=options.json)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _drop_output()
    except OSError as error:  # no path of ours went through the store: a folder that may not be searched, a full disk
        _report_error(_told(error), as_json=options.json)
        return EXIT_FAILED
    return code


def _expand(options: argparse.Namespace) -> None:
    """Put the user's folder for ``~`` in every path."""
    for name, value in vars(options).items():
        if isinstance(value, Path):
            try:
                setattr(options, name, value.expanduser())
            except RuntimeError as error:
                raise BadInput(f"{value}: expected a path, got the name of a user that does not exist") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="toriwork", description="Crash-safe memory for point clouds and their shape.")
    parser.add_argument("--version", action="version", version=f"toriwork {toriwork.__version__}")
    commands = parser.add_subparsers(required=True)
    for command in COMMANDS:
        own = commands.add_parser(command.NAME, help=command.SUMMARY, description=command.SUMMARY)
        own.add_argument("--json", action="store_true", help="print one JSON document instead of text")
        own.set_defaults(command=command)
        command.add_arguments(own)
    return parser


def _report_error(error: ToriworkError, *, as_json: bool) -> None:
    try:
        if as_json:
            print(json.dumps({"error": error.kind, "message": str(error)}))
        _flush()
    except OSError as full:
        _drop_output()
        error, as_json = _told(full), False
    if not as_json:
        with contextlib.suppress(OSError):  # stderr takes nothing either: the exit code tells
            say(f"toriwork: {error if isinstance(error, MigrationError) else one_line(str(error))}", error=True)


def _told(error: OSError) -> StoreError:
    """The same in a sentence; without a name it is of something open, which is what is written to."""
    named = "expected an output that takes what is written, got" if error.filename is None else error.filename
    return StoreError(f"{named}: {error.strerror or error}")


def _flush() -> None:
    if sys.stdout is not None:  # None where the caller closed it
        sys.stdout.flush()


def _drop_output() -> None:
    """Point stdout elsewhere: the interpreter writes what is left at exit, and would complain once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
