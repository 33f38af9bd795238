"""The whole way on one page: cloud -> diagram -> row -> token -> published file, over every sample there is.

Nothing here prints or draws: :func:`first_look` returns what was found; ``demo.py`` prints it, ``report.py`` shows it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import NDArray

from toriwork import samples, synthesis, topology
from toriwork.registry import TorusRegistry
from toriwork.samples import Sample
from toriwork.state import ENV_NAME, REGISTRY_FILE

if TYPE_CHECKING:
    from toriwork.topology import Diagram

#: six coordinates two years apart span ten years: the window in which a cycle of eleven years is roundest
WINDOW_POINTS, WINDOW_DELAY = 6, 2

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
    """What was found in one cloud."""

    cloud: Cloud
    diagram: Diagram
    betti: tuple[float, ...]  #: per dimension; NaN when undecided
    rule: str  #: how the Betti numbers were found, in words
    shape_id: str
    token: str

    @property
    def verdict(self) -> Verdict:
        """How what was found compares with what is known."""
        if any(map(math.isnan, self.betti)):
            return "undecided"
        if self.cloud.expected is None:
            return "nothing known"
        return "as expected" if self.betti == self.cloud.expected else "different"


@dataclass(frozen=True, slots=True, eq=False)
class FirstLook:
    """Everything that a first look found, and where it was written."""

    state_root: Path
    registry_path: Path
    findings: tuple[Finding, ...]
    n_rows_before: int  #: rows that the registry held already
    n_rows: dict[str, int]  #: reader -> rows that it sees in the published file
    n_bytes: int  #: size of the published file
    statistics: dict[str, Any]  #: of the registry

    @property
    def readers_agree(self) -> bool:
        """Whether every reader sees each row that was recorded."""
        return set(self.n_rows.values()) == {self.n_rows_before + len(self.findings)}


def first_look(state_root: Path) -> FirstLook:
    """What is found in the samples, recorded in the registry below ``state_root``, published and read again.

    Raises
    ------
    DamagedFile
        A sample is not the one in the index.
    StoreError
        The registry cannot be opened, or not be published.
    """
    path = state_root / REGISTRY_FILE
    with _state_root(state_root), TorusRegistry(path) as registry:
        n_rows_before = int(registry.get_statistics()["total_shapes"])
        findings = tuple(look_at(cloud, registry) for cloud in sample_clouds())
        registry.flush(publish=True)
        statistics = registry.get_statistics()
    return FirstLook(
        state_root=state_root,
        registry_path=path,
        findings=findings,
        n_rows_before=n_rows_before,
        n_rows=rows_seen(path),
        n_bytes=path.stat().st_size,
        statistics=statistics,
    )


def sample_clouds() -> Iterator[Cloud]:
    """Every sample as a cloud; the series of the sunspots by a delay embedding."""
    for entry in samples.sample_index():
        rows = samples.load_sample(entry.name)
        if "sunspots" in entry.columns:
            series = rows[:, entry.columns.index("sunspots")]
            rows = samples.delay_embedding(series, WINDOW_POINTS, WINDOW_DELAY, normalize=True)
        yield Cloud(entry.name, rows, _expected(entry), entry.scale, entry.description)


def look_at(cloud: Cloud, registry: TorusRegistry) -> Finding:
    """One cloud on its way: diagram, Betti numbers, row in the registry, observer token."""
    diagram, betti, rule = shape_of(cloud)
    decided = [None if math.isnan(number) else number for number in betti]
    shape_id = registry.record_shape(
        cloud.points,
        betti_numbers=None if _left_to_the_registry(cloud) else decided,
        metadata={"sample": cloud.name, "rule": rule},
    )
    token = synthesis.emit_token(
        {"type": "betti_numbers", "source": "toriwork_demo", "subject": shape_id, "betti": decided, "rule": rule}
    )
    return Finding(cloud, diagram, betti, rule, shape_id, token)


def shape_of(cloud: Cloud) -> tuple[Diagram, tuple[float, ...], str]:
    """The diagram of a cloud, its Betti numbers, and how they were found."""
    if cloud.scale is not None:
        diagram = topology.persistence(cloud.points, max_dimension=cloud.max_dimension)
        return diagram, tuple(map(float, diagram.betti(cloud.scale))), f"read at scale {cloud.scale:g}"
    estimate = topology.estimate_betti(cloud.points, max_dimension=cloud.max_dimension)
    return estimate.diagram, estimate.numbers, f"estimated, rule '{estimate.rule}'"


def rows_seen(path: Path) -> dict[str, int]:
    """How many rows other people's readers find in the published file; DuckDB only where it is installed."""
    import pandas as pd

    seen = {"pandas": len(pd.read_parquet(path))}
    if find_spec("duckdb") is not None:
        import duckdb

        with duckdb.connect() as connection:
            answer = connection.execute("SELECT count(*) FROM read_parquet(?)", [str(path)]).fetchone()
        seen["DuckDB"] = int(answer[0]) if answer else 0
    return seen


def _expected(entry: Sample) -> tuple[int, ...] | None:
    return None if isinstance(entry.homology, str) else entry.homology


def _left_to_the_registry(cloud: Cloud) -> bool:
    # the registry estimates H0 and H1 by itself; a void, or a reading at one scale, has to be told
    return cloud.scale is None and cloud.max_dimension == 1


@contextmanager
def _state_root(folder: Path) -> Iterator[None]:
    """Whatever looks for the state root inside finds ``folder``: tokens go where the registry is."""
    before = os.environ.get(ENV_NAME)
    os.environ[ENV_NAME] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[ENV_NAME]
        else:
            os.environ[ENV_NAME] = before
