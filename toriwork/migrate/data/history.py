"""Spectral history that legacy code kept: which tables hold it, and each row as a spectrum.

A table is recognised by its columns, whatever they are called in detail: one that holds lists of eigenvalues, and
beside it a time, a hash, Betti numbers, a band or gaps. What is read is the proven export, never the database.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toriwork.checks import BANDS
from toriwork.compat.signature_table import SignatureRow
from toriwork.errors import BadInput
from toriwork.migrate.data.cells import few_numbers, likely_dtype, numbers
from toriwork.sqlite.manifest import TableReport, read_manifest
from toriwork.sqlite.proof import decoder_of
from toriwork.sqlite.values import Text

#: what an eigenvalue column is called; names that count or describe one are others
_EIGEN = re.compile(r"eigen|spectr|^lambdas$|^evals$|^modes$|^eigs?$")
_ABOUT = re.compile(r"dtype|type|shape|count|^n_|^num|len|dim|size|hash|digest|max|min|mean|gap|entropy|id$|betti")
_ROLES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("timestamp", re.compile(r"time|^ts$|^t$|date|created|recorded|_at$|^when")),
    ("hash_id", re.compile(r"hash|digest|fingerprint|signature_id|^sig_?id$|^uid$|^uuid$")),
    ("betti", re.compile(r"^betti(_?(numbers?|vector|nums?|json|blob|values?|list|data))?s?$|^homology$")),
    ("betti0", re.compile(r"^(betti_?|b)_?0$")),
    ("betti1", re.compile(r"^(betti_?|b)_?1$")),
    ("betti2", re.compile(r"^(betti_?|b)_?2$")),
    ("band", re.compile(r"coheren|^band$")),
    ("gaps", re.compile(r"gaps?($|_?(json|blob|list|data))")),
    ("dtype", re.compile(r"dtype")),
    ("count", re.compile(r"(^|_)(count|n|num|len|length|dim|dims|size)(_|$)|^n_?(eigen|modes)")),
)
_WITNESSES = ("timestamp", "hash_id", "betti", "betti0", "band", "gaps")
_LOOKED_AT = 200  #: rows whose first eigenvalues decide whether a table is one


@dataclass(frozen=True, slots=True, eq=False)
class Spectrum:
    """One row of legacy history, as the registry will hold it."""

    source: str  #: ``<database>/<table>``
    source_row: int  #: the row id in SQLite; the place from 1 where there is none
    eigenvalues: NDArray[Any]  #: (n_modes,) float64 or complex128, finite
    timestamp: Any = None  #: as it was stored
    hash_id: str = ""
    betti: Sequence[float | None] | None = None
    band: str = "local"
    gaps: Sequence[float] = ()
    notes: Mapping[str, Any] = field(default_factory=dict)  #: what does not fit the registry's columns
    table: str = ""  #: of which it is a row, where its class does not read it


@dataclass(frozen=True, slots=True)
class Unread:
    """A row that is no spectrum; the export holds it all the same."""

    source: str
    source_row: int
    why: str


def of_export(folder: Path, name: str, columns: Mapping[str, str] | None = None) -> Iterator[Spectrum | Unread]:
    """The spectra in all tables of an export that hold such, in the order of their rows; ``name`` is the database's.

    ``columns`` are those of the table of a class that was moved, which are taken as they are.
    """
    for table in read_manifest(folder).tables:
        if columns and table.name.lower() == columns["table"]:
            yield from _exact(folder, table, f"{name}/{table.name}", columns)
            continue
        roles = _roles_of(folder, table)
        if roles is None:
            continue
        place = table.rowid or table.key
        source = f"{name}/{table.name}"
        for index, row in enumerate(_rows(folder, table), 1):
            number = row.get(place) if place else None
            found = _spectrum(source, number if isinstance(number, int) else index, row, roles)
            yield replace(found, table=table.name) if columns and isinstance(found, Spectrum) else found


def _exact(folder: Path, table: TableReport, source: str, columns: Mapping[str, str]) -> Iterator[Spectrum]:
    """The rows of the table of a moved class, as it answers from them."""
    for row in _rows(folder, table):
        cells: dict[str, Any] = {
            name.lower(): cell.decode() if isinstance(cell, Text) else cell for name, cell in row.items()
        }
        eigenvalues = np.frombuffer(cells[columns["eigenvalues"]], "<f8")
        texts = [cells[columns[role]] for role in ("betti", "band", "gaps")]
        kept = SignatureRow(cells[columns["hash"]], cells[columns["time"]], eigenvalues, *texts)
        number = cells[columns["id"]]
        yield Spectrum(source, number, eigenvalues, betti=kept.known_betti, band=kept.known_band, notes=kept.metadata())


def history_tables(folder: Path, columns: Mapping[str, str] | None = None) -> list[str]:
    """The tables of an export that hold spectral history."""
    own = (columns or {}).get("table")
    tables = read_manifest(folder).tables
    return [one.name for one in tables if one.name.lower() == own or _roles_of(folder, one) is not None]


def unread(names: Sequence[str], rows: Callable[[], Iterable[Sequence[Any]]]) -> dict[str, int]:
    """Reason -> rows of a table that are no spectra; nothing where it holds no spectra at all.

    Parameters
    ----------
    names : sequence of str
        Of its columns.
    rows : callable
        Gives its rows, from the first one each time.
    """
    roles = _recognise(names, [dict(zip(names, row, strict=True)) for row in islice(rows(), _LOOKED_AT)])
    if roles is None:
        return {}
    found = (_spectrum("", 0, dict(zip(names, row, strict=True)), roles) for row in rows())
    return dict(Counter(one.why for one in found if isinstance(one, Unread)))


# ---- which column is which ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Roles:
    """The columns of a table that say something about a spectrum."""

    columns: Mapping[str, str]  #: role -> column
    dtype: str = ""  #: of eigenvalues that stand as bytes which no other column describes


def _roles_of(folder: Path, table: TableReport) -> _Roles | None:
    rows = []
    for row in _rows(folder, table):
        rows.append(row)
        if len(rows) == _LOOKED_AT:
            break
    return _recognise(list(table.columns), rows) if rows else None


def _recognise(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> _Roles | None:
    plain = {name: _plain(name) for name in names}
    wanted = [name for name in names if _EIGEN.search(plain[name]) and not _ABOUT.search(plain[name])]
    eigen = next((name for name in wanted if any(_is_list(row.get(name)) for row in rows)), None)
    if eigen is None:
        return None
    columns, taken = {"eigenvalues": eigen}, {eigen}
    for role, pattern in _ROLES:
        name = next((name for name in names if name not in taken and pattern.search(plain[name])), None)
        if name is not None:
            columns[role] = name
            taken.add(name)
    if not any(role in columns for role in _WITNESSES):
        return None
    told = "dtype" in columns or "count" in columns
    return _Roles(columns, dtype="" if told else likely_dtype(row.get(eigen) for row in rows))


def _plain(name: str) -> str:
    """A name in lower case with underscores: ``eigenValues`` and ``Eigen Values`` are one."""
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()).strip("_")


def _is_list(cell: Any) -> bool:
    if not isinstance(cell, bytes | str | list | dict):
        return False
    try:
        return numbers(cell).size > 0
    except BadInput as error:
        return "pickle" in str(error)


# ---- rows ---------------------------------------------------------------------------------------------------------


def _rows(folder: Path, table: TableReport) -> Iterator[dict[str, Any]]:
    decoder, batches = decoder_of(folder, table)
    for batch in batches:
        for row in decoder.rows(batch):
            yield dict(zip(decoder.names, row, strict=True))


def _spectrum(source: str, number: int, row: Mapping[str, Any], roles: _Roles) -> Spectrum | Unread:
    cells = {role: row.get(name) for role, name in roles.columns.items()}
    try:
        dtype = _text(cells.get("dtype")) or roles.dtype
        values = numbers(cells["eigenvalues"], dtype, _whole(cells.get("count")))
    except (BadInput, ValueError) as error:
        why = "a pickle, which is never loaded" if "pickle" in str(error) else "no list of numbers"
        return Unread(source, number, why if cells["eigenvalues"] is not None else "no eigenvalues")
    if not np.isfinite(values).all() or not np.isfinite(np.abs(values)).all():
        return Unread(source, number, "an eigenvalue is not finite")
    band, notes = _band(cells.get("band"))
    betti, more = _betti(cells)
    gaps = [gap for gap in few_numbers(cells.get("gaps")) or () if math.isfinite(gap)]
    time, name = _plain_value(cells.get("timestamp")), _text(cells.get("hash_id"))
    beside = _beside(row, roles)
    return Spectrum(source, number, values, time, name, betti, band, gaps, {**notes, **more, **beside})


def _beside(row: Mapping[str, Any], roles: _Roles) -> dict[str, Any]:
    """Return what a row says in columns of no role, as far as JSON takes it: the fields of older signatures."""
    taken = set(roles.columns.values())
    found = {
        name: _plain_value(cell) for name, cell in row.items() if name not in taken and not _is_number_of_row(name)
    }
    found = {name: cell for name, cell in found.items() if cell is not None and type(row[name]) is not bytes}
    return {"fields": found} if found else {}


def _is_number_of_row(name: str) -> bool:
    return name.lower() in ("id", "rowid", "__rowid__", "oid", "_rowid_")


def _band(cell: Any) -> tuple[str, dict[str, Any]]:
    """The band, and the text that stood there where it is none of the three."""
    text = _text(cell)
    if text.strip().lower() in BANDS:
        return text.strip().lower(), {}
    return "local", {"coherence": text} if text else {}


def _betti(cells: Mapping[str, Any]) -> tuple[Sequence[float | None] | None, dict[str, Any]]:
    """Up to three Betti numbers, and the whole list where it is longer or holds what is none."""
    found: Sequence[float | None] | None = few_numbers(cells.get("betti"))
    if not found and any(f"betti{k}" in cells for k in range(3)):
        single = [few_numbers(cells.get(f"betti{k}")) for k in range(3)]
        found = [None if number is None else number[0] for number in single]
    if not found or all(number is None for number in found):
        return None, {}
    usable = [None if number is None or not 0 <= number < math.inf else number for number in found[:3]]
    if len(found) <= 3 and usable == list(found):
        return usable, {}
    return usable, {"betti_numbers": [n if n is None or math.isfinite(n) else str(n) for n in found]}


def _plain_value(cell: Any) -> Any:
    """A cell as JSON takes it: numbers stay numbers, texts texts, bytes become hex digits."""
    if isinstance(cell, float) and not math.isfinite(cell):
        return str(cell)
    if isinstance(cell, bytes):
        return _text(cell)
    return cell


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, Text):
        return cell.decode("utf-8", "backslashreplace")
    return cell.hex() if isinstance(cell, bytes) else str(cell)


def _whole(cell: Any) -> int | None:
    return cell if isinstance(cell, int) and not isinstance(cell, bool) else None
