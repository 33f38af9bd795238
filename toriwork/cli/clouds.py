"""A point cloud out of a file that a researcher has: CSV and other text, NumPy's files, Parquet."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from toriwork.cli.terminal import is_number
from toriwork.errors import BadInput

if TYPE_CHECKING:
    import pandas as pd

TEXT = (".csv", ".tsv", ".txt", ".dat", ".xyz")


def read_cloud(path: Path, *, columns: str | None = None, drop_missing: bool = False) -> NDArray[np.float64]:
    """The points of a file as an (n_points, dim) array of finite float64.

    Parameters
    ----------
    columns : str, optional
        Names of columns, with commas between them; all columns when not given. Of files with columns alone.
    drop_missing : bool
        Leave out points with a coordinate that is missing or infinite, instead of refusing them.

    Raises
    ------
    BadInput
        The file is of no kind known here, or what it holds is no table of finite numbers.
    """
    if path.is_dir() or (path.exists() and not path.is_file()):
        raise BadInput(f"{path}: expected a regular file")
    readers: dict[str, Callable[[Path], pd.DataFrame]] = {".npy": _array, ".npz": _array, ".parquet": _parquet}
    readers |= dict.fromkeys(TEXT, _text)
    if path.suffix.lower() not in readers:
        raise BadInput(f"{path}: expected a file that ends in one of {', '.join(readers)}")
    try:
        table = readers[path.suffix.lower()](path)
    except (ValueError, zipfile.BadZipFile, EOFError) as error:  # pandas, pyarrow and csv raise kinds of ValueError
        raise BadInput(f"{path}: cannot be read: {' '.join(str(error).split())[:200]}") from error
    if columns is not None:
        names = [name.strip() for name in columns.split(",")]
        if unknown := [name for name in names if name not in map(str, table.columns)]:
            have = ", ".join(map(str, table.columns))
            raise BadInput(f"{path}: expected columns among {have}, got {', '.join(unknown)}")
        table = table[names]
    return _finite(path, table, drop_missing=drop_missing)


def reading_code(path: Path, name: str, *, columns: str | None, drop_missing: bool) -> str:
    """Lines of Python that read a file, under another name, as :func:`read_cloud` does; they bind ``points``."""
    kind = path.suffix.lower()
    if kind in (".npy", ".npz"):
        key = "" if kind == ".npy" else f"[{np.load(path).files[0]!r}]"
        return f"points = np.load({name!r}){key}"
    options = "" if kind == ".parquet" else "".join(f", {key}={value!r}" for key, value in text_options(path).items())
    chosen = "" if columns is None else f"[{[column.strip() for column in columns.split(',')]!r}]"
    kept = ".dropna()" if drop_missing else ""
    read = "read_parquet" if kind == ".parquet" else "read_csv"
    return f"frame = pd.{read}({name!r}{options}){chosen}{kept}\npoints = frame.to_numpy(float)"


def text_options(path: Path) -> dict[str, Any]:
    """Keywords with which pandas reads a table of text: what is between its fields, and whether it has names."""
    with path.open(encoding="utf-8-sig", newline="") as lines:
        first = next((line for line in lines if line.strip() and not line.startswith("#")), "").strip()
    between = next((sign for sign in ";\t," if sign in first), r"\s+")
    fields = next(csv.reader([first], delimiter=between)) if len(between) == 1 else first.split()
    options = {"sep": between, "header": None if all(map(is_number, fields)) else 0, "comment": "#"}
    return options | {"encoding": "utf-8-sig", "skipinitialspace": True}


def _text(path: Path) -> pd.DataFrame:
    import pandas as pd

    table: pd.DataFrame = pd.read_csv(path, **text_options(path))
    return table.rename(columns=str)


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
    return pd.DataFrame(loaded).rename(columns=str)


def _parquet(path: Path) -> pd.DataFrame:
    import pandas as pd

    return pd.read_parquet(path)


def _finite(path: Path, table: pd.DataFrame, *, drop_missing: bool) -> NDArray[np.float64]:
    import pandas as pd

    for name in table.columns:
        if not pd.api.types.is_numeric_dtype(table[name]) or pd.api.types.is_complex_dtype(table[name]):
            numbers = [str(one) for one in table.columns if pd.api.types.is_numeric_dtype(table[one])]
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
