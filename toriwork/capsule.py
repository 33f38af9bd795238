"""Reading a ``capsule.yml`` with care: anybody may have put it into a folder above the working directory.

A file is taken only where nobody else can have written it, read up to 64 KiB, and never turned into Python objects: an
alias costs nothing as long as nobody spells out what it stands for.
"""

from __future__ import annotations

import os
import stat
import sys
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

from toriwork.errors import BadInput

if TYPE_CHECKING:
    import yaml

MAX_BYTES = 64 * 1024
MAX_DEPTH = 32  #: of lists and mappings in one another
MAX_PATH = 4096  #: characters
_TEXT, _NULL, _MERGE = (f"tag:yaml.org,2002:{name}" for name in ("str", "null", "merge"))


def untrusted(capsule: Path) -> str:
    """Why a capsule is not taken: somebody else may have written it; "" when nobody else can have.

    The file, a link to it and its folder have to belong to the user or to root, and must not be writable for everybody.
    """
    if sys.platform == "win32":  # pragma: no cover - no owners and modes there
        return ""
    for path in (capsule.parent, capsule):
        for found in (path.lstat(), path.stat()):
            if found.st_uid not in (0, os.geteuid()):
                return f"{path} belongs to another user (uid {found.st_uid})"
            if not stat.S_ISLNK(found.st_mode) and found.st_mode & stat.S_IWOTH:
                return f"{path} may be written by everybody"
    return ""


def read_text(capsule: Path) -> str:
    """The text of a capsule file.

    Raises
    ------
    BadInput
        No regular file, longer than 64 KiB, or no UTF-8.
    """
    try:
        descriptor = os.open(capsule, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except OSError as error:
        raise BadInput(f"{capsule}: cannot be read: {error.strerror}") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise BadInput(f"{capsule}: expected a regular file, got something else")
        data = os.read(descriptor, MAX_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(data) > MAX_BYTES:
        raise BadInput(f"{capsule}: expected at most {MAX_BYTES:,} bytes, got more")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{capsule}: not readable as YAML: {error}") from error


def check_shape(text: str, origin: str | os.PathLike[str], *, aliases: bool = True) -> None:
    """Return when a YAML text may be parsed: not nested deeper than 32, and with ``aliases=False`` no alias in it.

    Raises
    ------
    BadInput
        It is nested deeper, has an alias that it must not have, or is no YAML.
    """
    import yaml

    depth, limit = 0, f"at most {MAX_DEPTH} lists and mappings in one another"
    try:
        for event in yaml.parse(text, yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent) and not aliases:
                raise BadInput(f"{origin}: {_line(event)}: expected no aliases, got *{event.anchor}")
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise BadInput(f"{origin}: {_line(event)}: expected {limit}")
    except (yaml.YAMLError, ValueError) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(f"{origin}: not readable as YAML: {error}") from error


def top_text(capsule: Path, key: str) -> str | None:
    """The text behind a key of the mapping in a capsule file; None without such a key or with nothing behind it.

    Raises
    ------
    BadInput
        The file is no YAML mapping, has the key twice, or something else than a text stands there.
    """
    import yaml

    text = read_text(capsule)
    check_shape(text, capsule)
    try:
        root = yaml.compose(text, yaml.SafeLoader)
    except (yaml.YAMLError, ValueError) as error:
        raise BadInput(f"{capsule}: not readable as YAML: {error}") from error
    if root is None or root.tag == _NULL:
        return None
    if not isinstance(root, yaml.MappingNode):
        raise BadInput(f"{capsule}: expected a mapping, got {_kind(root)}")
    if any(name.tag == _MERGE for name, _ in root.value):
        raise BadInput(f"{capsule}: expected a mapping without merge keys, got <<; write the keys out")
    found = [value for name, value in root.value if name.tag == _TEXT and name.value == key]
    if len(found) > 1:
        raise BadInput(f"{capsule}: expected {key} once, got it {len(found)} times")
    if not found or found[0].tag == _NULL:
        return None
    if not isinstance(found[0], yaml.ScalarNode) or found[0].tag != _TEXT:
        given = found[0].value if isinstance(found[0], yaml.ScalarNode) else _kind(found[0])
        raise BadInput(f"{capsule}: {key}: expected the path of a folder, got {given[:80]}")
    return str(found[0].value)


def folder_named(named: str, origin: str | os.PathLike[str], what: str) -> Path:
    """The folder that a text names, ``~`` and environment variables replaced; it may be relative.

    Raises
    ------
    BadInput
        Empty, too long, with a control character, or it names a user or a variable that does not exist.
    """
    shown = repr(named if len(named) <= 80 else named[:77] + "...")
    if not named.strip():
        raise BadInput(f"{origin}: {what}: expected the path of a folder, got {shown}")
    if len(named) > MAX_PATH:
        raise BadInput(f"{origin}: {what} is {shown}: expected at most {MAX_PATH} characters, got {len(named)}")
    if odd := next((c for c in named if unicodedata.category(c) in ("Cc", "Cs")), None):
        raise BadInput(f"{origin}: {what} is {shown}: expected no control characters, got U+{ord(odd):04X}")
    try:
        expanded = Path(os.path.expandvars(named)).expanduser()
    except RuntimeError as error:
        raise BadInput(f"{origin}: {what} is {shown}, which names a user that does not exist") from error
    if "$" in str(expanded):
        raise BadInput(f"{origin}: {what} is {shown}, which names a variable that is not set")
    return expanded


def _kind(node: yaml.Node) -> str:
    import yaml

    if isinstance(node, yaml.CollectionNode):
        return "a list" if isinstance(node, yaml.SequenceNode) else "a dict"
    return "a scalar"


def _line(event: yaml.Event) -> str:
    return f"line {event.start_mark.line + 1}" if event.start_mark is not None else "somewhere"
