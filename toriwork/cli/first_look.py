"""The whole way on one page: cloud -> diagram -> row -> token -> published file, over every sample there is.

Nothing here prints or draws: :func:`first_look` returns what was found, ``demo.py`` shows it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import NDArray

from toriwork.progress import progress_bar
from toriwork.registry import TorusRegistry
from toriwork.samples import delay_embedding, load_sample, sample_index
from toriwork.state import REGISTRY_FILE
from toriwork.synthesis import ObserverSynthesis
from toriwork.topology import estimate_betti, persistence

if TYPE_CHECKING:
    from toriwork.topology import Diagram

#: six coordinates two years apart span ten years: the window in which a cycle of eleven years is roundest
WINDOW_POINTS, WINDOW_DELAY = 6, 2
TOKENS_FILE = "observer_tokens.parquet"
FEATURES = (("component", "components"), ("loop", "loops"), ("void", "voids"))

Verdict = Literal["as expected", "different", "undecided", "nothing known"]


@dataclass(frozen=True, slots=True, eq=False)
class Cloud:
    """A sample as a point cloud, with what is known of its shape."""

    name: str
    points: NDArray[Any]  #: (n_points, dim), finite
    expected: tuple[int, ...] | None  #: Betti numbers; None: nobody knows them
    scale: float | None  #: where the Betti numbers are to be read; None: they are to be estimated
    description: str

    @property
    def max_dimension(self) -> int:
        """The highest homology dimension worth computing: loops in the plane, voids too in space."""
        return 1 if self.expected is None else len(self.expected) - 1


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """The diagram and the Betti numbers of one cloud, and where they were recorded."""

    cloud: Cloud
    diagram: Diagram
    betti: tuple[float, ...]  #: per dimension; NaN when undecided
    rule: str  #: how the Betti numbers were found, in words
    shape_id: str
    token: str

    @property
    def verdict(self) -> Verdict:
        """The comparison of what was found with what is known."""
        if any(map(math.isnan, self.betti)):
            return "undecided"
        if self.cloud.expected is None:
            return "nothing known"
        return "as expected" if self.betti == self.cloud.expected else "different"

    def line(self) -> str:
        """One cloud in one line: its name, number of points, what was expected and what was found."""
        found = betti_words(self.betti)
        head = f"{self.cloud.name}: {len(self.cloud.points)} points, "
        if self.cloud.expected is None:
            return f"{head}nothing known beforehand; found {found}"
        if self.verdict == "as expected":
            return f"{head}expected and found {found}"
        return f"{head}expected {betti_words(self.cloud.expected)}; found {found}"


@dataclass(frozen=True, slots=True, eq=False)
class FirstLook:
    """The findings of a first look, and where they were written."""

    state_root: Path
    registry_path: Path
    findings: tuple[Finding, ...]
    n_rows_before: int  #: rows that the registry held already
    n_rows: dict[str, int]  #: reader -> rows that it sees in the published file
    n_bytes: int  #: size of the published file

    @property
    def readers_agree(self) -> bool:
        """True when every reader sees each row that was recorded."""
        return set(self.n_rows.values()) == {self.n_rows_before + len(self.findings)}

    def summary(self) -> str:
        """Two sentences: how many clouds of known shape were found to have it, and the rows that other readers see."""
        known = [finding for finding in self.findings if finding.cloud.expected is not None]
        right = sum(finding.verdict == "as expected" for finding in known)
        seen = ", ".join(f"{reader} reads {n_rows} rows" for reader, n_rows in self.n_rows.items())
        missing = "" if "DuckDB" in self.n_rows else " (DuckDB is not installed: pip install 'toriwork[demo]')"
        return (
            f"{right} of {len(known)} clouds whose shape is known were found to have it.\n"
            f"{seen}{missing}; {len(self.findings)} were recorded now, {self.n_rows_before} were there before."
        )


def first_look(state_root: Path) -> FirstLook:
    """Look at every sample, record it below ``state_root``, publish, and read the file again as others do."""
    path = state_root / REGISTRY_FILE
    with TorusRegistry(path) as registry, closing(ObserverSynthesis(path=state_root / TOKENS_FILE)) as observers:
        n_rows_before = int(registry.get_statistics()["total_shapes"])
        findings = tuple(_looked_at_all(registry, observers))
        registry.flush(publish=True)
    return FirstLook(
        state_root=state_root,
        registry_path=path,
        findings=findings,
        n_rows_before=n_rows_before,
        n_rows=rows_seen(path),
        n_bytes=path.stat().st_size,
    )


def sample_clouds() -> Iterator[Cloud]:
    """Every sample as a cloud; the series of the sunspots by a delay embedding."""
    for entry in sample_index():
        rows = load_sample(entry.name)
        if "sunspots" in entry.columns:
            series = rows[:, entry.columns.index("sunspots")]
            rows = delay_embedding(series, WINDOW_POINTS, WINDOW_DELAY, normalize=True)
        expected = None if isinstance(entry.homology, str) else entry.homology
        yield Cloud(entry.name, rows, expected, entry.scale, entry.description)


def _looked_at_all(registry: TorusRegistry, observers: ObserverSynthesis) -> Iterator[Finding]:
    with progress_bar("demo", len(sample_index()), unit=" clouds") as done:
        for cloud in sample_clouds():
            yield look_at(cloud, registry, observers)
            done(1)


def look_at(cloud: Cloud, registry: TorusRegistry, observers: ObserverSynthesis) -> Finding:
    """One cloud on its way: diagram, Betti numbers, row in the registry, observer token."""
    diagram, betti, rule = shape_of(cloud)
    decided = [None if math.isnan(number) else number for number in betti]
    # the registry estimates H0 and H1 by itself; a void, or a reading at one scale, has to be handed over
    by_itself = cloud.scale is None and cloud.max_dimension == 1
    shape_id = registry.record_shape(
        cloud.points,
        betti_numbers=None if by_itself else decided,
        metadata={"sample": cloud.name, "rule": rule},
    )
    token = observers.emit_token(
        {"type": "betti_numbers", "source": "toriwork_demo", "subject": shape_id, "betti": decided, "rule": rule}
    )
    return Finding(cloud, diagram, betti, rule, shape_id, token)


def shape_of(cloud: Cloud) -> tuple[Diagram, tuple[float, ...], str]:
    """The diagram of a cloud, its Betti numbers, and the rule that found them."""
    if cloud.scale is not None:
        diagram = persistence(cloud.points, max_dimension=cloud.max_dimension)
        return diagram, tuple(map(float, diagram.betti(cloud.scale))), f"read at scale {cloud.scale:g}"
    estimate = estimate_betti(cloud.points, max_dimension=cloud.max_dimension)
    return estimate.diagram, estimate.numbers, f"estimated, rule '{estimate.rule}'"


def rows_seen(path: Path) -> dict[str, int]:
    """The rows that other readers find in the published file; DuckDB only where it is installed."""
    import pandas as pd

    seen = {"pandas": len(pd.read_parquet(path))}
    if find_spec("duckdb") is not None:
        import duckdb

        with duckdb.connect() as connection:
            answer = connection.execute("SELECT count(*) FROM read_parquet(?)", [str(path)]).fetchone()
        seen["DuckDB"] = int(answer[0]) if answer else 0
    return seen


def betti_words(numbers: Sequence[float]) -> str:
    """Betti numbers in words: ``1 component, no loops``; an undecided one is ``loops undecided``."""
    return ", ".join(_counted(number, k) for k, number in enumerate(numbers))


def _counted(number: float, k: int) -> str:
    one, more = FEATURES[k] if k < len(FEATURES) else (f"class of dimension {k}", f"classes of dimension {k}")
    if math.isnan(number):
        return f"{more} undecided"
    return f"{int(number) or 'no'} {one if number == 1 else more}"
