"""A diagram as plain columns and a header of JSON text, from arrays and facts alone: what ``Diagram`` stands on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from toriwork.errors import BadInput

if TYPE_CHECKING:
    import pandas as pd

#: key of the header in ``DataFrame.attrs``
HEADER = "toriwork"
_FORMAT, _KNOWN = 2, (1, 2)  # 1 has no seal
_SEAL = ("n_pairs", "content_id")
NAMES = ("dimension", "birth", "death", "censored")


def columns_of(pairs: NDArray[np.float64], censored: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
    """Four arrays of length n_pairs: dimension int64, birth and death float64, censored bool."""
    return dict(zip(NAMES, (pairs[:, 0].astype(np.int64), *pairs.T[1:].copy(), censored.copy()), strict=True))


def arrays_of(columns: Any) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """``(pairs, censored)`` of a mapping of columns or of a DataFrame."""
    try:
        pairs = np.column_stack([np.asarray(columns[name], dtype=np.float64) for name in NAMES[:3]])
        return pairs, np.asarray(columns["censored"], dtype=np.bool_)
    except KeyError as error:
        raise BadInput(f"columns: expected {', '.join(NAMES)}, missing is {error}") from error


def header_text(
    convention: Mapping[str, Any], provenance: Mapping[str, Any] | None, n_pairs: int, content_id: str
) -> str:
    """Conventions, provenance, number and id of the bars as JSON text; floats in hexadecimal, none is rounded."""
    facts: dict[str, Any] = {"format": _FORMAT, **_plain(convention), "n_pairs": n_pairs, "content_id": content_id}
    if provenance is not None:
        facts["provenance"] = _plain(provenance)
    return json.dumps(facts, separators=(",", ":"))


def header_facts(text: str) -> tuple[dict[str, Any], dict[str, Any] | None, tuple[int | None, str | None]]:
    """Conventions, provenance, and number and content id of the bars, that :func:`header_text` wrote."""
    try:
        facts = json.loads(text)
    except (TypeError, ValueError) as error:
        raise BadInput(f"header: expected JSON text, got {text!r:.80}") from error
    if not isinstance(facts, dict) or facts.pop("format", None) not in _KNOWN:
        raise BadInput(f"header: expected format {' or '.join(map(str, _KNOWN))}, got {text!r:.80}")
    provenance, (n_pairs, content_id) = facts.pop("provenance", None), (facts.pop(name, None) for name in _SEAL)
    return _unhex(facts), None if provenance is None else _unhex(provenance), (n_pairs, content_id)


def frame_of(columns: Mapping[str, NDArray[Any]], header: str) -> pd.DataFrame:
    """A pandas DataFrame of the columns, with the header in ``attrs``."""
    import pandas as pd

    frame = pd.DataFrame(columns)
    frame.attrs[HEADER] = header
    return frame


def _plain(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: float(value).hex() if name in _FLOATS else int(value) if isinstance(value, int | np.integer) else value
        for name, value in facts.items()
    }


def _unhex(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: float.fromhex(value) if name in _FLOATS else value for name, value in facts.items()}


_FLOATS = ("threshold", "min_persistence", "seconds", "error")
