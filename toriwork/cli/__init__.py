"""The command line: ``toriwork COMMAND ...``, also as ``python -m toriwork``.

A command is one module of this package with ``NAME``, ``SUMMARY``, ``add_arguments(parser)`` and ``run(options)``, and
one line in ``COMMANDS``. Only this package prints. Importing it loads nothing heavy.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import Protocol

import toriwork
from toriwork.cli import demo, doctor, guard, migrate, mover, registry, soak, tokens
from toriwork.cli.words import say
from toriwork.errors import MigrationError, StoreError, ToriworkError
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
    options = _parser().parse_args(arguments)
    command: Command = options.command
    try:
        return command.run(options)
    except ToriworkError as error:
        _report_error(error, as_json=options.json)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # the reader went away (`| head`): point stdout elsewhere, or the interpreter complains once more at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # no path of ours went through the store: a folder that may not be searched, a full disk
        named = "" if error.filename is None else f"{error.filename}: "
        _report_error(StoreError(f"{named}{error.strerror or error}"), as_json=options.json)
        return EXIT_FAILED


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
    if as_json:
        print(json.dumps({"error": error.kind, "message": str(error)}))
    else:
        say(f"toriwork: {error if isinstance(error, MigrationError) else one_line(str(error))}", error=True)
