"""The grammar of the command line on click: groups of actions, ``--json`` for each, paths with ``~``.

The module of a command is loaded when it is called, listed or looked into: the start of one does not wait for all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from toriwork.errors import BadInput
from toriwork.progress import ENV_NAME

Function = Callable[..., int]


class UserPath(click.Path):
    """A path; ``~`` is the user's folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path; BadInput where it names a user that does not exist."""
        try:
            return Path(value).expanduser()
        except RuntimeError as error:
            raise BadInput(f"{value}: expected a path, got the name of a user that does not exist") from error


PATH = UserPath()


def _without_bars(context: click.Context, _option: click.Parameter, value: bool) -> None:
    if value and ENV_NAME not in os.environ:
        os.environ[ENV_NAME] = "1"
        context.call_on_close(lambda: os.environ.pop(ENV_NAME, None))


#: for what shows a bar in a terminal
PROGRESS = click.option(
    "--no-progress", is_flag=True, expose_value=False, callback=_without_bars, help="No bar while it takes long."
)


@click.pass_context
def _show_help(context: click.Context) -> int:
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
    return 2


def TABLES(function: Any) -> Any:  # noqa: N802 - a decorator like those above
    """Give an action the switches of tables of points."""
    columns = click.option("--columns", metavar="A,B,...", help="The columns that are coordinates; default: all.")
    drop = click.option("--drop-missing", is_flag=True, help="Leave out points with an empty or infinite coordinate.")
    return columns(drop(function))


class Actions(click.Group):
    """A group of actions; their options may stand before their names too, and a mistyped name is answered.

    Parameters
    ----------
    otherwise : str
        The action that is meant where none is named; "" for none.
    homes : mapping of str to tuple of str
        Actions -> the modules of this package that add them, where those are loaded late.
    """

    def __init__(
        self, name: str, *, otherwise: str = "", homes: Mapping[str, tuple[str, ...]] | None = None, **more: Any
    ) -> None:
        super().__init__(name, callback=_show_help, invoke_without_command=True, **more)
        self.otherwise = otherwise
        self.homes = homes or {}

    def action(self, name: str, example: str) -> Callable[[Function], Function]:
        """Make a function an action of this group, with ``--json`` (``as_json``) and an example in its help."""

        def made(function: Function) -> Function:
            command: click.Command = click.command(name, epilog=f"\b\nExample:\n  {example}")(function)
            command.params.append(click.Option(["--json", "as_json"], is_flag=True, help="Print JSON instead of text."))
            self.add_command(command)
            return function

        return made

    def list_commands(self, ctx: click.Context | None = None) -> list[str]:
        """The actions in the order in which they are used."""
        return list(dict.fromkeys([*self.homes, *self.commands]))

    def get_command(self, ctx: click.Context | None, cmd_name: str) -> click.Command | None:
        """The action of that name, its modules loaded; None where there is none."""
        for home in self.homes.get(cmd_name, ()):
            import_module(f"toriwork.cli.{home}")
        return self.commands.get(cmd_name)

    def every_command(self) -> dict[str, click.Command]:
        """Name -> action, all of them loaded."""
        return {name: one for name in self.list_commands() if (one := self.get_command(None, name)) is not None}

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the action first: what stands before it are its options."""
        at = self._first_word(args)
        word = args[at] if at < len(args) else ""
        if word in self.list_commands():
            args = [word, *args[:at], *args[at + 1 :]]
        elif self.otherwise and args and not {"-h", "--help"} & set(args[:at]):
            near = _near(word, self.commands)
            if near and not Path(word).exists():
                raise click.UsageError(f"{word}: no such folder; did you mean the action {' or '.join(near)}?", ctx)
            args = [self.otherwise, *args]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first word names; a UsageError that says what it may have meant."""
        word, known = args[0], self.list_commands()
        if word not in known and not word.startswith("-") and not ctx.resilient_parsing:
            near = _near(word, known)
            meant = f"; did you mean {' or '.join(near)}?" if near else ""
            raise click.UsageError(f"expected one of {', '.join(known)}, got {word}{meant}", ctx)
        return super().resolve_command(ctx, args)

    def _first_word(self, args: Sequence[str]) -> int:
        """The index of the first that is neither an option nor the value of one."""
        if not args or not args[0].startswith("-"):
            return 0
        commands = self.every_command().values()
        options = [one for command in commands for one in command.params if isinstance(one, click.Option)]
        take_values = {name for option in options if not option.is_flag for name in option.opts}
        at = 0
        while at < len(args) and args[at].startswith("-") and args[at] != "--":
            at += 2 if args[at] in take_values else 1
        return at


def _near(word: str, known: Iterable[str]) -> list[str]:
    from difflib import get_close_matches

    return get_close_matches(word, known)


COMMANDS = Actions(
    "toriwork",
    homes={
        "demo": ("demo",),
        "registry": ("registry", "backup"),
        "tokens": ("tokens",),
        "diagram": ("diagram",),
        "notebook": ("notebook",),
        "backup": ("backup",),
        "restore": ("backup",),
        "migrate": ("migrate",),
        "export-sqlite": ("mover",),
        "import-sqlite": ("mover",),
        "guard": ("guard",),
        "soak": ("soak",),
        "metrics": ("registry",),
        "doctor": ("doctor",),
    },
    help="Crash-safe memory for point clouds and their shape.",
    epilog="Exit codes: 0 fine, 1 found something, 2 could not do it, 6 done and something is left to a person, "
    "130 interrupted. Every command takes --json and --help.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
