"""Figures for Prometheus as a text file, which the textfile collector of node exporter reads."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from toriwork.errors import BadInput

#: figure -> kind and help; each is in base units, and what only rises ends in ``_total``
_METRICS = {
    "registry_rows": ("gauge", "Rows that count, published or not."),
    "registry_unpublished_rows": ("gauge", "Rows that are not in the public file yet."),
    "registry_unpublished_age_seconds": ("gauge", "Age of the oldest of them; 0 when there is none."),
    "registry_file_bytes": ("gauge", "Size of the public file."),
    "registry_generation": ("gauge", "Number of the newest publish."),
    "registry_publish_seconds": ("gauge", "Duration of the last publish of this process."),
    "registry_betti_waiting_rows": ("gauge", "Rows of this process that wait for their Betti numbers."),
    "tokens_emissions_total": ("counter", "Tokens that this process emitted."),
    "tokens_emissions_per_second": ("gauge", "The same over the last ten seconds."),
    "tokens_in_context": ("gauge", "Tokens that were chosen for the context."),
    "diagrams_cache_hits_total": ("counter", "Diagrams that were remembered, in memory or on disk."),
    "diagrams_cache_misses_total": ("counter", "Diagrams that were not."),
    "diagrams_cache_bytes": ("gauge", "Memory that remembered diagrams take."),
}
_OF_REGISTRY = {
    "registry_rows": "total_shapes",
    "registry_unpublished_rows": "pending_writes",
    "registry_unpublished_age_seconds": "pending_age_seconds",
    "registry_file_bytes": "file_bytes",
    "registry_generation": "generation",
    "registry_publish_seconds": "publish_seconds",
    "registry_betti_waiting_rows": "betti_waiting",
}


def figures_of(statistics: Mapping[str, Any], synthesis: Any, memory: Any) -> Iterator[tuple[str, str, float]]:
    """Name, labels and value of each figure that is known."""
    for name, key in _OF_REGISTRY.items():
        if key in statistics:
            yield name, "", statistics[key] or 0
    if synthesis is not None:
        yield "tokens_emissions_total", "", synthesis.metrics["tokens_generated"]
        yield "tokens_emissions_per_second", "", synthesis.get_measurement_rate()
        yield "tokens_in_context", "", synthesis.metrics["tokens_in_context"]
    if memory is not None:
        counts = memory.statistics()
        yield "diagrams_cache_hits_total", '{where="memory"}', counts["in_memory"]
        yield "diagrams_cache_hits_total", '{where="disk"}', counts["on_disk"]
        yield "diagrams_cache_misses_total", "", counts["missed"]
        yield "diagrams_cache_bytes", "", counts["n_bytes"]


def write_figures(path: str | os.PathLike[str], figures: Iterator[tuple[str, str, float]]) -> None:
    """Put the figures where a collector finds all of them, or those of the last time."""
    lines, before = [], ""
    for name, labels, value in figures:
        if name != before:
            kind, words = _METRICS[name]
            lines += [f"# HELP toriwork_{name} {words}", f"# TYPE toriwork_{name} {kind}"]
        lines.append(f"toriwork_{name}{labels} {value:.10g}")
        before = name
    target = Path(path).expanduser()
    if target.suffix != ".prom":
        raise BadInput(f"path: expected a file that ends in .prom, which a collector reads, got {target}")
    handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        Path(temporary).chmod(0o644)  # the collector is another user
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
