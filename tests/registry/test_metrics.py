"""Figures for Prometheus: its own parser reads them, and a reader finds all of them or those of the last time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from toriwork.cells.memory import DiagramMemory
from toriwork.cli import main
from toriwork.errors import BadInput
from toriwork.registry import TorusRegistry
from toriwork.registry.metrics import _METRICS
from toriwork.synthesis import ObserverSynthesis


def parsed(path: Path) -> dict[str, float]:
    """Each sample by its name and labels; families are checked against the conventions."""
    found = {}
    for family in text_string_to_metric_families(path.read_text(encoding="utf-8")):
        assert family.documentation.endswith(".")
        assert family.type in ("counter", "gauge")
        for sample in family.samples:
            assert sample.name.endswith("_total") == (family.type == "counter")
            found[sample.name.removeprefix("toriwork_") + "".join(sample.labels.values())] = sample.value
    return found


@pytest.fixture
def registry(tmp_path: Path) -> TorusRegistry:
    with TorusRegistry(tmp_path / "r.parquet") as registry:
        registry.record_shapes([np.eye(2) * n for n in range(3)], [(1.0, 0.0)] * 3)
        registry.flush(publish=True)
        registry.record_shape(np.eye(3), (1.0, 0.0))
        yield registry


def test_every_figure_is_read_by_the_parser_of_prometheus(registry: TorusRegistry, tmp_path: Path) -> None:
    synthesis = ObserverSynthesis(path=tmp_path / "t.parquet")
    synthesis.emit_token({"type": "a", "source": "b"})
    with DiagramMemory(tmp_path / "d.parquet") as memory:
        for _ in range(3):
            memory.persistence(np.eye(2))
        registry.write_metrics(tmp_path / "m.prom", synthesis=synthesis, memory=memory)
    synthesis.close()
    found = parsed(tmp_path / "m.prom")
    assert {name for name in _METRICS if name != "diagrams_cache_hits_total"} <= found.keys()
    statistics = registry.get_statistics()
    assert found["registry_rows"] == 4
    assert found["registry_unpublished_rows"] == 1
    assert 0 < found["registry_unpublished_age_seconds"] <= statistics["pending_age_seconds"]
    assert found["registry_file_bytes"] == (tmp_path / "r.parquet").stat().st_size
    assert found["registry_generation"] == statistics["generation"] >= 1
    assert found["registry_publish_seconds"] == pytest.approx(statistics["publish_seconds"])
    assert found["registry_publish_seconds"] > 0
    assert (found["tokens_emissions_total"], found["tokens_emissions_per_second"]) == (1, 0.1)
    assert (found["diagrams_cache_hits_totalmemory"], found["diagrams_cache_hits_totaldisk"]) == (2, 0)
    assert found["diagrams_cache_misses_total"] == 1


def test_rows_that_wait_for_their_betti_numbers_are_counted(tmp_path: Path) -> None:
    with TorusRegistry(tmp_path / "r.parquet", betti_threads=1) as registry:
        registry._queue._call_threads = lambda: None
        registry.record_shapes([np.eye(3) * n for n in range(20)])
        assert registry._queue.n_waiting == 20
        del registry._queue._call_threads
        registry.flush()
        assert registry.get_statistics()["betti_waiting"] == 0


def test_what_cannot_be_written_leaves_the_last_file_and_no_other(registry: TorusRegistry, tmp_path: Path) -> None:
    registry.write_metrics(tmp_path / "m.prom")
    before = (tmp_path / "m.prom").read_text()

    class Broken:
        @property
        def metrics(self) -> dict[str, int]:
            return {"tokens_generated": 1, "tokens_in_context": 1}

        def get_measurement_rate(self) -> float:
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError):
        registry.write_metrics(tmp_path / "m.prom", synthesis=Broken())
    with pytest.raises(BadInput, match=r"ends in \.prom"):
        registry.write_metrics(tmp_path / "m.txt")
    assert (tmp_path / "m.prom").read_text() == before
    assert not list(tmp_path.glob(".m*"))


def test_the_command_writes_them(registry: TorusRegistry, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["metrics", str(tmp_path / "m.prom"), "--path", str(registry.path)]) == 0
    assert parsed(tmp_path / "m.prom")["registry_rows"] == 4
    assert "written" in capsys.readouterr().out
