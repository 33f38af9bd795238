"""One finding, and the list of everything that a finding can be."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Level = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Code:
    """The meaning of one code."""

    title: str
    remedy: str
    level: Level = "error"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One place that uses a database, or (``level`` warning) that nobody can judge from outside."""

    path: str  #: as the user named it, with slashes
    line: int  #: from 1; 1 for a whole file
    column: int  #: from 1
    code: str  #: a key of ``CODES``
    message: str
    what: str = ""  #: the module, program, scheme or file kind that was found; allow-lists speak of it

    @property
    def level(self) -> Level:
        """``error`` or ``warning``."""
        return CODES[self.code].level

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.code} {self.message}"

    def as_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {**asdict(self), "level": self.level}


#: what to do about an import, however it is written
_KEEP = "Keep the rows in a toriwork registry or in Parquet; `toriwork export-sqlite` moves old ones."

CODES: dict[str, Code] = {
    "TWG101": Code("import of a database module", _KEEP),
    "TWG102": Code("a database module imported by its name at run time", _KEEP),
    "TWG103": Code("code in a string that uses a database", "Take the string away, or what it does with a database."),
    "TWG104": Code("a database module that another module passes on", "Take the name away where it is passed on."),
    "TWG105": Code("address of a database", "Name a Parquet file instead."),
    "TWG106": Code("SQL that opens another database", "DuckDB reads Parquet by itself: SELECT ... FROM 'x.parquet'."),
    "TWG107": Code("a database program started", "Read the data with toriwork, pandas or DuckDB from Parquet."),
    "TWG109": Code("rows read from or written to a database connection", "Use read_parquet and to_parquet."),
    "TWG110": Code(
        "a call that opens a database unless a store is named",
        "Name a folder or a server as its store, where the call is or in the settings.",
    ),
    "TWG111": Code(
        "an import of a database module for type checkers only",
        "No program runs it: take it away, or set `type_only` to true in the settings of the guard to allow all.",
    ),
    "TWG201": Code("a database, by its first bytes", "Export it (`toriwork export-sqlite`) and take it away."),
    "TWG202": Code("a database, by its name", "Take it away; if it is none, give it another name."),
    "TWG203": Code("a side file of a database", "It belongs to a database: export that first, then take both away."),
    "TWG301": Code("a database driver is required", "Take the requirement away."),
    "TWG401": Code("an exception whose day is over", "Solve what it excepts, or give it a new day and reason."),
    "TWG901": Code(
        "an import or code that is only known at run time",
        "Name the module, or watch it: `toriwork guard --runtime -- COMMAND`.",
        "warning",
    ),
    "TWG902": Code("a file with a syntax error", "It was read line by line; mend it to have it read whole.", "warning"),
    "TWG903": Code("a file that could not be read", "Make it readable, or say why it may stay unread."),
}
