"""Small JSON records that a step leaves for its way back, whole and on the disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from toriwork.errors import DamagedFile
from toriwork.sqlite.manifest import settle


def write_record(path: Path, content: dict[str, Any]) -> None:
    """Replace a record; it is on the disk when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    settle(temporary, path)


def read_record(path: Path) -> dict[str, Any] | None:
    """A record, None where there is none.

    Raises
    ------
    DamagedFile
        It cannot be read.
    """
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise DamagedFile(f"{path}: cannot be read: {error}. Nothing was changed") from error
    return content
