"""A few lines put into somebody's YAML or INI file: not one byte of theirs changes, and a parser proves the result.

No library writes the file anew: those that keep comments still fold, quote and indent in their own way. Lines are put
in as text, then the file is read again; unless it says exactly what it said, and ours beside it, it is left alone.
"""

from __future__ import annotations

import codecs
import configparser
import json
import math
from collections.abc import Mapping
from typing import Any

from toriwork.capsule import check_shape
from toriwork.errors import MigrationError


class Unmergeable(MigrationError):
    """A file of a form into which nothing can be put without guessing; it was left alone."""

    kind = "unmergeable"


def decoded(data: bytes) -> tuple[str, str]:
    """The text of a file without its byte order mark, and the line end that it uses.

    Raises
    ------
    Unmergeable
        It is not UTF-8.
    """
    try:
        text = data.removeprefix(codecs.BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Unmergeable(f"is not UTF-8: {error}") from error
    return text, "\r\n" if "\r\n" in text else "\n"


def encoded(text: str, before: bytes) -> bytes:
    """A text in the bytes of the file that it was."""
    return (codecs.BOM_UTF8 if before.startswith(codecs.BOM_UTF8) else b"") + text.encode("utf-8")


# ---- YAML ---------------------------------------------------------------------------------------------------------


def read_yaml(text: str) -> dict[str, Any]:
    """What a YAML file says; an empty one says nothing.

    Raises
    ------
    Unmergeable
        It is no single mapping.
    """
    import yaml

    try:
        check_shape(text, "it")  # or a file of brackets would end in a RecursionError
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        raise Unmergeable(f"is not readable as YAML: {' '.join(str(error).split())}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise Unmergeable(f"is a {type(content).__name__}, a mapping is wanted")
    return content


def add_key(text: str, key: str, lines: str, newline: str) -> str:
    """A mapping with one more key, whose lines go to its end, or to its beginning where the end is not safe.

    Raises
    ------
    Unmergeable
        Neither place leaves everything else as it is.
    """
    wanted = {**read_yaml(text), **read_yaml(lines)}
    if list(read_yaml(lines)) != [key]:
        raise ValueError(f"lines: they must say {key!r} and nothing else")
    theirs = lines.replace("\n", newline)
    for candidate in (_appended(text, theirs, newline), _put_first(text, theirs)):
        if candidate is not None and _says(candidate, wanted):
            return candidate
    raise Unmergeable(f"has a form into which {key} cannot be put without changing it")


def _appended(text: str, lines: str, newline: str) -> str:
    gap = "" if not text or text.endswith(("\n", "\r")) else newline
    return text + gap + lines


def _put_first(text: str, lines: str) -> str | None:
    import yaml

    root = yaml.compose(text, yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode) or root.flow_style:
        return None
    at = root.start_mark.index
    return text[:at] + lines + text[at:] if root.start_mark.column == 0 else None


def _says(text: str, wanted: Mapping[str, Any]) -> bool:
    try:
        return _same(read_yaml(text), wanted)
    except Unmergeable:
        return False


def _same(one: Any, other: Any) -> bool:
    """Whether two contents are the same, types and NaN included."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return len(one) == len(other) and all(key in other and _same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other) or (isinstance(one, float) and math.isnan(one) and math.isnan(other))


def add_item(text: str, key: str, lines: str, newline: str) -> str:
    """A mapping in which the list under a key has one more item, behind all others.

    Parameters
    ----------
    text : str
        The file; ``key`` is in it.
    key : str
    lines : str
        The item as YAML lines that begin with ``- `` in the first column.
    newline : str

    Raises
    ------
    Unmergeable
        The list has a form into which nothing can be put without changing it.
    """
    content, item = read_yaml(text), read_yaml(f"new:\n{lines}")["new"][0]
    wanted = {**content, key: [*(content[key] or []), item]}
    for candidate in _with_item(text, key, item, lines, newline):
        if _says(candidate, wanted):
            return candidate
    raise Unmergeable(f"has a list {key} of a form into which nothing can be put without changing it")


def _with_item(text: str, key: str, item: Any, lines: str, newline: str) -> list[str]:
    import yaml

    root = yaml.compose(text, yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)  # read_yaml saw to it
    name, node = next((one, other) for one, other in root.value if one.value == key)
    inline = json.dumps(item)
    if not isinstance(node, yaml.SequenceNode):  # nothing behind the colon
        at = _line_end(text, name.end_mark.index)
        return [text[:at] + newline + _indented(lines, 2, newline).rstrip("\r\n") + text[at:]]
    if node.flow_style:
        at = node.end_mark.index - 1
        return [text[:at] + (", " if node.value else "") + inline + text[at:]]
    at = _line_end(text, _last(node.value[-1]))
    block = _indented(lines, node.start_mark.column, newline)
    return [text[:at] + newline + block.rstrip("\r\n") + text[at:], text[:at].rstrip("\r\n") + newline + block]


def _last(node: Any) -> int:
    """Where the last word of a node ends; a collection's own end lies behind the comments that follow it."""
    import yaml

    if isinstance(node, yaml.ScalarNode) or node.flow_style or not node.value:
        return int(node.end_mark.index)
    last = node.value[-1]
    return _last(last[1] if isinstance(last, tuple) else last)


def _line_end(text: str, at: int) -> int:
    """The end of the line that holds the character in front of a place."""
    if text[:at].endswith("\n"):  # a block scalar takes its line end with it
        at -= 1
        return at - 1 if text[:at].endswith("\r") else at
    end = text.find("\n", at)
    end = len(text) if end < 0 else end
    return end - 1 if text[:end].endswith("\r") and end < len(text) else end


def _indented(lines: str, columns: int, newline: str) -> str:
    return "".join(" " * columns + line + newline for line in lines.splitlines())


# ---- INI ----------------------------------------------------------------------------------------------------------


class _Ini(configparser.RawConfigParser):
    """Names of options keep their case."""

    def optionxform(self, optionstr: str) -> str:
        return optionstr


def read_ini(text: str) -> dict[str, dict[str, str | None]]:
    """Section -> option -> value, as tox reads them: nothing is interpolated.

    Raises
    ------
    Unmergeable
        It is no INI file, or says something twice.
    """
    parser = _Ini(allow_no_value=True, default_section="\0")
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise Unmergeable(f"is not readable as INI: {' '.join(str(error).split())}") from error
    return {name: dict(parser.items(name)) for name in parser.sections()}


def add_section(text: str, name: str, lines: str, newline: str) -> str:
    """An INI file with one more section at its end.

    Raises
    ------
    Unmergeable
        The file could not be read before, or would say something else afterwards.
    """
    before = read_ini(text)
    gap = "" if not text else newline if text.endswith(("\n", "\r")) else newline * 2
    after = text + gap + lines.replace("\n", newline)
    if read_ini(after) != {**before, **read_ini(lines)} or name in before:
        raise Unmergeable(f"has a form to which [{name}] cannot be added without changing it")
    return after
