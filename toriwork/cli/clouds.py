"""A point cloud out of a file that a researcher has: CSV and other text, NumPy's files, Parquet."""

from __future__ import annotations

import csv
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from toriwork.cli.terminal import is_number, say
from toriwork.errors import BadInput

if TYPE_CHECKING:
    import pandas as pd

TEXT = (".csv", ".tsv", ".txt", ".dat", ".xyz")
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(e[+-]?\d+)?", re.IGNORECASE)


def read_cloud(path: Path | str, *, columns: str | None = None, drop_missing: bool = False) -> NDArray[np.float64]:
    """The points of a file as an (n_points, dim) array of finite float64.

    What was taken for no coordinate, or read in a way that may not be meant, is said on stderr.

    Parameters
    ----------
    columns : str, optional
        Names of columns, with commas between them; all columns when not given. Columns without a name are numbered
        from 0.
    drop_missing : bool
        Leave out points with a coordinate that is missing or infinite, instead of refusing them.

    Raises
    ------
    BadInput
        The file is of no kind known here, or what it holds is no table of finite numbers.
    """
    path = Path(path)
    if path.is_dir() or (path.exists() and not path.is_file()):
        raise BadInput(f"{path}: expected a regular file")
    readers: dict[str, Callable[[Path], pd.DataFrame]] = {".npy": _array, ".npz": _array, ".parquet": _parquet}
    readers |= dict.fromkeys(TEXT, _text)
    if path.suffix.lower() not in readers:
        raise BadInput(f"{path}: expected a file that ends in one of {', '.join(readers)}")
    with path.open("rb"):  # what the system refuses is told as such
        pass
    try:
        table = readers[path.suffix.lower()](path).rename(columns=str)
    except Exception as error:  # a damaged file makes its reader raise whatever there is
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise BadInput(f"{path}: cannot be read: {reason}") from error
    if len(set(table.columns)) < len(table.columns):
        raise BadInput(f"{path}: expected columns of different names, got {', '.join(table.columns)}")
    table = _named(path, table) if columns is None else table[_chosen(path, table, columns)]
    return _finite(path, table, drop_missing=drop_missing)


def _text(path: Path) -> pd.DataFrame:
    import pandas as pd

    options: dict[str, Any] = {"comment": "#", "encoding": "utf-8-sig", "skipinitialspace": True, "index_col": False}
    options |= _layout(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # it would leave out what is behind the last name
        try:
            table: pd.DataFrame = pd.read_csv(path, **options)
            return table
        except pd.errors.ParserWarning:
            with path.open(encoding="utf-8-sig", newline="") as lines:
                rows = _rows(lines, options["sep"])
                n_names = len(next(rows)[1])
                line, row = next((line, row) for line, row in rows if any(row[n_names:]))
    raise ValueError(f"expected {n_names} fields as in its first line, got {len(row)} in line {line}")


def _layout(path: Path) -> dict[str, Any]:
    """Keywords with which pandas reads a table of text: what is between fields and in numbers, and where names are."""
    with path.open(encoding="utf-8-sig", newline="") as lines:
        first = next((line for line in map(_bare, lines) if line.strip()), "")
        by_blanks = first.split()
        between = next((sign for sign in ";\t," if sign in first), r"\s+")
        if len(by_blanks) > 1 and "," in first and all(_is_decimal(field) for field in by_blanks):
            between = r"\s+"
        lines.seek(0)
        rows = _rows(lines, between)
        _, head = next(rows, (0, []))
        _, row = next(rows, (0, []))
    decimal = "," if between != "," and any(map(_DECIMAL_COMMA.fullmatch, head + row)) else "."
    named = _is_heading(path, head, row, between)
    if decimal == ",":
        say(f"{path}: decimal commas are read as points", error=True)
    return {"sep": between, "decimal": decimal, "header": 0 if named else None}


def _rows(lines: Iterator[str], between: str) -> Iterator[tuple[int, list[str]]]:
    """The number of the last line of each row, and its fields."""
    if len(between) > 1:
        yield from ((number, row) for number, line in enumerate(lines, 1) if (row := _bare(line).split()))
        return
    reader = csv.reader(map(_bare, lines), delimiter=between, skipinitialspace=True)
    for fields in reader:
        row = [field.strip() for field in fields]
        if any(row):
            yield reader.line_num, row


def _bare(line: str) -> str:
    """A line without its comment."""
    return line.partition("#")[0]


def _is_heading(path: Path, head: list[str], row: list[str], between: str) -> bool:
    """Tell if the first line holds names; pandas counts columns from 0 where they have none."""
    names = [name for name in head if name]
    numbers = [name for name in names if _is_decimal(name)]
    counted = numbers == [str(place) for place in range(len(numbers))]
    if not numbers or (counted and len(numbers) < len(head) and (not head[0] or len(numbers) > 1)):
        return True
    if len(numbers) < len(names):
        raise ValueError(
            f"expected a first line of names or of numbers, got both: {', '.join(names)[:80]}; put a "
            "line of names that are no numbers there"
        )
    by_program = len(between) == 1 or (len(head) == 1 and any(sign in field for field in row for sign in ".e"))
    if counted and by_program and row:
        say(
            f"{path}: its first line ({', '.join(head)[:80]}) is taken for names; write 0.0 if it is a point",
            error=True,
        )
        return True
    return False


def _is_decimal(field: str) -> bool:
    return is_number(field) or _DECIMAL_COMMA.fullmatch(field) is not None


def _array(path: Path) -> pd.DataFrame:
    import pandas as pd

    loaded: Any = np.load(path, allow_pickle=False)
    if not isinstance(loaded, np.ndarray):
        with loaded:
            if len(loaded.files) != 1:
                raise ValueError(f"expected one array, got {len(loaded.files)}: {', '.join(loaded.files)}")
            loaded = loaded[loaded.files[0]]
    if loaded.ndim != 2:
        raise ValueError(f"expected an array of shape (n_points, dim), got {loaded.shape}")
    return pd.DataFrame(loaded)


def _parquet(path: Path) -> pd.DataFrame:
    import pandas as pd

    return pd.read_parquet(path)


def _chosen(path: Path, table: pd.DataFrame, columns: str) -> list[str]:
    """The names that were asked for."""
    names = [name.strip() for name in columns.split(",")]
    if unknown := [name for name in names if name not in table.columns]:
        raise BadInput(f"{path}: expected columns among {', '.join(table.columns)}, got {', '.join(unknown)}")
    if len(set(names)) < len(names):
        raise BadInput(f"{path}: expected each column once, got {', '.join(names)}")
    return names


def _named(path: Path, table: pd.DataFrame) -> pd.DataFrame:
    """The table without columns that have no name: an empty one, and the row numbers that pandas and R write."""
    for name in [name for place, name in enumerate(table.columns) if name == f"Unnamed: {place}"]:
        column, rest = table[name], table.drop(columns=name)
        counts = (
            column.dtype.kind in "iu"
            and len(column)
            and np.array_equal(column, np.arange(len(column)) + min(max(column.iloc[0], 0), 1))
        )
        if counts and table.columns[0] == name and len(rest.columns):
            say(f"{path}: its first column has no name and counts the rows; it is left out", error=True)
        elif not column.isna().all():
            remedy = (
                f"--columns {','.join(one for one in rest.columns if not one.startswith('Unnamed: '))} leaves it out"
            )
            raise BadInput(f"{path}: expected a name for each column, got none for column {name[9:]}; {remedy}")
        table = rest
    return table


def _finite(path: Path, table: pd.DataFrame, *, drop_missing: bool) -> NDArray[np.float64]:
    import pandas as pd

    if table.empty:
        raise BadInput(f"{path}: expected at least one point, got none")
    for name in table.columns:
        if not pd.api.types.is_numeric_dtype(table[name]) or pd.api.types.is_complex_dtype(table[name]):
            numbers = [one for one in table.columns if pd.api.types.is_numeric_dtype(table[one])]
            remedy = f"; --columns {','.join(numbers)} leaves it out" if numbers else ""
            raise BadInput(f"{path}: expected numbers, got {table[name].dtype} in column {name}{remedy}")
    points = table.to_numpy(dtype=np.float64, na_value=np.nan)
    finite = np.isfinite(points).all(axis=1)
    if not drop_missing and not finite.all():
        row = int(np.flatnonzero(~finite)[0])
        name = table.columns[int(np.flatnonzero(~np.isfinite(points[row]))[0])]
        raise BadInput(
            f"{path}: expected finite numbers, got {points[row][table.columns.get_loc(name)]} in row {row}, column "
            f"{name} ({int((~finite).sum())} such rows); --drop-missing leaves them out"
        )
    if not finite.any():
        raise BadInput(f"{path}: expected at least one point, got none")
    kept: NDArray[np.float64] = points[finite]
    return kept
