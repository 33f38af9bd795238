"""The command line: ``toriwork COMMAND ...``, also as ``python -m toriwork``.

A command is a module of this package with functions on click, named in :mod:`toriwork.cli.actions`. Only this package
prints, and its modules load what is heavy when they run. Exit codes: 0 fine, 1 found something, 2 could not do it, 6
done and something is left to a person, 130 interrupted.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence

import click

import toriwork
from toriwork.cli.actions import COMMANDS
from toriwork.cli.terminal import say, say_json
from toriwork.errors import BadInput, MigrationError, StoreError, ToriworkError
from toriwork.printed import one_line

__all__ = ["COMMANDS", "main"]

EXIT_FAILED = 2
EXIT_INTERRUPTED = 130
COMPLETION = "_TORIWORK_COMPLETE"

click.version_option(toriwork.__version__, prog_name="toriwork", message="%(prog)s %(version)s")(COMMANDS)


@COMMANDS.action("completion", 'eval "$(toriwork completion bash)"     # in ~/.bashrc')
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str, as_json: bool) -> int:
    """Print the script that completes commands in a shell."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None, "one of the choices"
    script = kind(COMMANDS, {}, "toriwork", COMPLETION).source()
    say_json({"shell": shell, "script": script}) if as_json else click.echo(script)
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code of a command line (None: that of the process): 0 well, 1 a finding, 2 an error, 130 interrupted."""
    _open_streams()
    words = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in words[: words.index("--") if "--" in words else None]
    if COMPLETION in os.environ:
        try:
            COMMANDS.main(words, prog_name="toriwork", complete_var=COMPLETION)
        except (KeyError, ValueError) as error:  # what the script of the shell sets
            return _failed(
                BadInput(f"{COMPLETION}: expected COMP_WORDS and COMP_CWORD beside it: {error}"), as_json=as_json
            )
    code = 0  # where the reader of stdout goes away before the end
    try:
        try:
            with COMMANDS.make_context("toriwork", words) as context:
                code = COMMANDS.invoke(context)
        except click.exceptions.Exit as done:  # --help, --version
            code = done.exit_code
        finally:
            _flush()
    except click.UsageError as error:
        more = f"; `{error.ctx.command_path} --help` tells more" if error.ctx is not None else ""
        return _failed(BadInput(error.format_message().rstrip(".") + more), as_json=as_json)
    except ToriworkError as error:
        return _failed(error, as_json=as_json)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _drop_output()
    except OSError as error:  # no path of ours went through the store: a folder that may not be searched, a full disk
        return _failed(_told(error), as_json=as_json)
    return code


def _open_streams() -> None:
    """Replace the standard streams that the caller closed: what is said there is for nobody."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w" if number else "r", encoding="utf-8"))  # noqa: SIM115, PTH123 - to the end


def _failed(error: ToriworkError, *, as_json: bool) -> int:
    try:
        if as_json:
            say_json({"error": error.kind, "message": str(error)})
        _flush()
    except OSError as full:
        _drop_output()
        error, as_json = _told(full), False
    if not as_json:
        with contextlib.suppress(OSError):  # stderr takes nothing either: the exit code tells
            text = str(error) if isinstance(error, MigrationError) else one_line(str(error))
            say(f"toriwork: {text}", error=True, colour="red")
    return EXIT_FAILED


def _told(error: OSError) -> StoreError:
    """The same in a sentence; without a name it is of something open, which is what is written to."""
    named = "expected an output that takes what is written, got" if error.filename is None else error.filename
    return StoreError(f"{named}: {error.strerror or error}")


def _flush() -> None:
    sys.stdout.flush()


def _drop_output() -> None:
    """Point stdout elsewhere: the interpreter writes what is left at exit, and would complain once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
