"""Facts about a registry, as text and as HTML: the same in both, and the same in each run that records the same.

Neither times nor durations nor sizes of files are among them: outputs of notebooks are compared.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from toriwork.printed import one_line
from toriwork.registry.rows import SCHEMA_VERSION

LAST_COLUMNS = ("shape_id", "betti0", "betti1", "betti2", "coherence_band")
_MOST_VALUES = 10
_BAR = 24  # characters of the longest bar of the histogram in text


@dataclass(frozen=True, slots=True)
class RegistryFacts:
    """A registry at one moment."""

    path: str
    n_rows: int
    n_pending: int
    bands: dict[str, int]
    betti: dict[str, dict[str, int]] = field(default_factory=dict)  #: "b0" -> value as text -> rows
    statuses: dict[str, int] = field(default_factory=dict)
    last: tuple[tuple[str, ...], ...] = ()  #: the newest rows, columns as in ``LAST_COLUMNS`` and ``columns``
    columns: dict[str, str] = field(default_factory=dict)  #: that users declared, name -> type

    def lines(self) -> list[tuple[str, str]]:
        """Name and value of each fact, in the order in which both forms show them."""
        typed = ", ".join(f"{name} {kind}" for name, kind in self.columns.items())
        return [
            ("rows", f"{self.n_rows:,}"),
            ("not yet in the public file", f"{self.n_pending:,}"),
            ("bands", ", ".join(f"{name} {count:,}" for name, count in self.bands.items()) or "none"),
            ("Betti numbers", ", ".join(f"{name} {count:,}" for name, count in self.statuses.items()) or "none"),
            *([("columns", typed)] if typed else []),
            ("file", one_line(self.path)),
        ]

    @property
    def header(self) -> tuple[str, ...]:
        """The columns of the newest rows."""
        return (*LAST_COLUMNS, *self.columns)

    def text(self) -> str:
        """The facts as plain text."""
        width = max(len(name) for name, _ in self.lines())
        parts = ["TorusRegistry (schema v1)"]
        parts += [f"  {name:<{width}}  {value}" for name, value in self.lines()]
        for name, counts in self.betti.items():
            top = max(counts.values(), default=1)
            parts.append(f"  {name}:")
            parts += [f"    {value:>4} {'#' * max(1, _BAR * n // top)} {n:,}" for value, n in counts.items()]
        if self.last:
            parts.append("  newest rows: " + ", ".join(self.header))
            parts += ["    " + "  ".join(row) for row in self.last]
        return "\n".join(parts)

    def html(self) -> str:
        """The facts as HTML that needs no style sheet and inherits the notebook's colours."""
        facts = "".join(
            f"<tr><th scope='row' style='text-align:left'>{html.escape(name)}</th>"
            f"<td style='text-align:left'>{html.escape(value)}</td></tr>"
            for name, value in self.lines()
        )
        histograms = "".join(_histogram(name, counts) for name, counts in self.betti.items())
        return (
            "<div class='toriwork-registry'><strong>TorusRegistry</strong> (schema v1)"
            f"<table aria-label='facts about the registry'>{facts}</table>{histograms}"
            f"{_rows(self.header, self.last)}</div>"
        )


def _histogram(name: str, counts: dict[str, int]) -> str:
    top = max(counts.values(), default=1)
    rows = "".join(
        f"<tr><th scope='row'>{html.escape(value)}</th><td style='text-align:left'>"
        f"<span style='display:inline-block;height:0.7em;background:currentColor;opacity:0.5;"
        f"width:{max(1, round(120 * n / top))}px'></span> {n:,}</td></tr>"
        for value, n in counts.items()
    )
    return f"<details open><summary>{name}: rows per value</summary><table>{rows}</table></details>"


def _rows(header: Sequence[str], last: Sequence[Sequence[str]]) -> str:
    if not last:
        return ""
    head = "".join(f"<th scope='col'>{name}</th>" for name in header)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in last)
    return f"<details><summary>newest rows</summary><table><tr>{head}</tr>{body}</table></details>"


def gather(
    path: str, rows: pa.Table, last: pa.Table, statistics: Mapping[str, Any], columns: Mapping[str, str]
) -> RegistryFacts:
    """The facts from narrow columns of all rows, the newest rows, the registry's statistics and declared columns."""
    known = [k for k in range(3) if rows[f"betti{k}"].null_count < rows.num_rows]
    return RegistryFacts(
        path=path,
        n_rows=rows.num_rows,
        n_pending=statistics["pending_writes"],
        bands=counts(rows["coherence_band"]),
        statuses=counts(rows["betti_status"]),
        betti={f"b{k}": histogram(rows[f"betti{k}"]) for k in known},
        last=tuple(tuple(_cell(row.get(name)) for name in (*LAST_COLUMNS, *columns)) for row in last.to_pylist()),
        columns=dict(columns),
    )


STATISTICS_COLUMNS = ("coherence_band", "betti0", "betti1", "betti2")


def statistics(rows: pa.Table, pending: int, age: float | None, n_bytes: int, generation: int) -> dict[str, Any]:
    """The statistics of a registry, from ``STATISTICS_COLUMNS`` of all rows."""
    means = (pc.mean(rows[f"betti{k}"]).as_py() for k in range(3))
    return {
        "total_shapes": rows.num_rows,
        "pending_writes": pending,
        "pending_age_seconds": age,
        "coherence_distribution": counts(rows["coherence_band"]),
        "avg_betti": {f"b{k}": float("nan") if mean is None else mean for k, mean in enumerate(means)},
        "file_bytes": n_bytes,
        "generation": generation,
        "schema_version": SCHEMA_VERSION,
    }


def counts(column: pa.ChunkedArray) -> dict[str, int]:
    """Value as text -> number of rows, most frequent first; nulls are left out."""
    found = pc.value_counts(column.drop_null()).to_pylist()
    ordered = sorted(found, key=lambda item: (-item["counts"], str(item["values"])))
    return {_cell(item["values"]): item["counts"] for item in ordered}


def histogram(column: pa.ChunkedArray) -> dict[str, int]:
    """Value as text -> number of rows, smallest value first; what goes beyond ten values is counted as ``more``."""
    found = sorted(pc.value_counts(column.drop_null()).to_pylist(), key=lambda item: float(item["values"]))
    shown = {_cell(item["values"]): int(item["counts"]) for item in found[:_MOST_VALUES]}
    rest = sum(item["counts"] for item in found[_MOST_VALUES:])
    return {**shown, "more": rest} if rest else shown


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:g}" if isinstance(value, float) else one_line(str(value))
