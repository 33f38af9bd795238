"""Text that may be printed and logged: what came from data cannot steer a terminal or pose as a line of ours."""

from __future__ import annotations

import re

#: control characters, line ends, marks that turn the direction of writing, and surrogates, which no output takes
_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def one_line(text: str) -> str:
    r"""The text, each sign that could steer a terminal or begin a line written out: ``\x1b``, ``\n``, ``\u202e``.

    For what came from data and is printed or logged: control characters, line ends, marks that turn the direction of
    writing, and surrogates, which no output takes.
    """
    return _STEERING.sub(_written_out, text) if _STEERING.search(text) else text


def several_lines(text: str) -> str:
    """The same, with the line feeds that are there: for a text of lines whose data went through :func:`one_line`."""
    return "\n".join(map(one_line, text.split("\n")))


def _written_out(found: re.Match[str]) -> str:
    return ascii(found[0])[1:-1]
