"""What a plan says about one file: its form, and what would change in it, as a person and as a program reads it."""

from __future__ import annotations

import difflib
import io
import tokenize
from typing import Any

from toriwork.migrate.engine.proposal import Change


def described(change: Change) -> dict[str, Any]:
    """The facts of one change, with its unified diff."""
    source = change.before if change.before is not None else change.after or b""
    return {
        "path": change.path,
        "action": "write" if change.before is not None and change.after is not None
        else "make" if change.before is None else "remove",
        "why": list(change.why),
        "confidence": change.confidence,
        "encoding": encoding_of(change.path, source),
        "newline": newline_of(source),
        "size_before": len(change.before or b""),
        "size_after": len(change.after or b""),
        "diff": unified(change.path, change.before, change.after),
    }  # fmt: skip


def unified(path: str, before: bytes | None, after: bytes | None, label: str = "") -> str:
    """A unified diff that ``patch`` takes; bytes that are no text are named, not shown."""
    if any(b"\0" in (part or b"") for part in (before, after)):
        return f"{path}: {len(before or b'')} bytes before, {len(after or b'')} after, no text\n"
    old, new = (_lines(part or b"") for part in (before, after))
    names = [f"a/{path}" if before is not None else "/dev/null", f"b/{path}" if after is not None else "/dev/null"]
    lines = difflib.unified_diff(old, new, names[0], names[1], tofiledate=label)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _lines(data: bytes) -> list[str]:
    # split at \n alone: a diff that also splits at \r or \f shows lines that no editor has
    parts = data.decode("utf-8", "surrogateescape").split("\n")
    return [f"{part}\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def encoding_of(path: str, source: bytes) -> str:
    """The encoding that a module declares; that of every other text is taken to be UTF-8."""
    if not path.endswith((".py", ".pyw")):
        return "utf-8"
    try:
        return tokenize.detect_encoding(io.BytesIO(source).readline)[0]
    except (SyntaxError, UnicodeDecodeError):
        return "unknown"


def newline_of(source: bytes) -> str:
    """``lf``, ``crlf``, ``mixed`` or ``none``."""
    crlf, lf = source.count(b"\r\n"), source.count(b"\n")
    if not lf:
        return "none"
    return "crlf" if crlf == lf else "mixed" if crlf else "lf"
