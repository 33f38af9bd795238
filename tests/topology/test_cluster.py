"""A Dask cluster as executor: the local diagrams bit for bit, though a worker is killed in the middle."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client, LocalCluster

from tests.topology.clouds import circle
from toriwork.cells.memory import DiagramMemory
from toriwork.registry import TorusRegistry
from toriwork.registry.partitions import Partition
from toriwork.topology import Diagram, persistence, persistence_many


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        yield client


def killed_in_the_middle(client: Client, n_clouds: int, folder: Path) -> None:
    clouds = [circle(20 + i % 40, 0.05, i) for i in range(n_clouds)]
    killed: list[int] = []
    found: dict[int, Diagram] = {}
    with DiagramMemory(folder / "d.parquet", max_diagrams=10) as memory:
        for result in persistence_many(clouds, client, memory=memory):
            assert result.index not in found
            assert result.error is None
            found[result.index] = result.diagram
            if len(found) == n_clouds // 3:
                killed.append(client.run(os.getpid).popitem()[1])
                os.kill(killed[0], signal.SIGKILL)
        assert len(killed) == 1
        assert len(memory) == n_clouds
    local = {result.index: result.diagram for result in persistence_many(clouds)}
    assert local == found
    assert all(local[i].pairs.tobytes() == found[i].pairs.tobytes() for i in local)
    with DiagramMemory(folder / "d.parquet") as memory:
        assert all(result.remembered for result in persistence_many(clouds, memory=memory))


def test_a_worker_that_dies_costs_its_tasks_and_no_diagram(client: Client, tmp_path: Path) -> None:
    killed_in_the_middle(client, 300, tmp_path)


@pytest.mark.long
def test_twenty_thousand_clouds_and_a_worker_that_dies(client: Client, tmp_path: Path) -> None:
    killed_in_the_middle(client, 20_000, tmp_path)


def loops_of(partition: Partition) -> dict[str, int]:
    return {row_id: len(persistence(points).in_dimension(1)) for row_id, points in partition.clouds()}


def test_workers_read_the_registry_themselves(client: Client, tmp_path: Path) -> None:
    clouds = [circle(30, 0.05, i) for i in range(40)]
    with TorusRegistry(tmp_path / "r.parquet", compute_betti=False) as registry:
        registry.record_shapes(clouds)
        registry.flush(publish=True)
        parts = client.gather(client.map(loops_of, registry.scan_partitions(15)))
        row_ids = registry.scan(["row_id"]).read_all()["row_id"].to_pylist()
    found = {row_id: loops for part in parts for row_id, loops in part.items()}
    assert len(parts) == 3
    assert [found[row_id] for row_id in row_ids] == [len(persistence(one).in_dimension(1)) for one in clouds]
