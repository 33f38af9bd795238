"""The tables that stand on the store, under one set of calls: what holds for one must hold for all."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.storage.rows import SPEC, add, names_of
from toriwork.cells.idea_store import IdeaStore
from toriwork.cells.ideas import PROTECTED, Idea
from toriwork.cells.memory import DiagramMemory
from toriwork.registry import TorusRegistry
from toriwork.storage import ParquetTable
from toriwork.synthesis import ObserverSynthesis
from toriwork.topology import persistence

CLOUD = np.random.default_rng(0).normal(size=(6, 2))


class Kind(ABC):
    """One kind of table; rows have names."""

    reopens = False  #: whether a closed handle opens its file again at the next call

    def __init__(self, folder: Path) -> None:
        self.path = folder / "x.parquet"

    @abstractmethod
    def open(self) -> Any: ...
    @abstractmethod
    def add(self, handle: Any, name: str) -> None: ...
    @abstractmethod
    def names(self, handle: Any) -> list[str]: ...
    @abstractmethod
    def named(self, rows: pd.DataFrame) -> list[str]:
        """The names of some rows, in order, as any reader of the public file finds them."""

    def table(self, handle: Any) -> ParquetTable:
        """The table behind a handle."""
        table: ParquetTable = handle._table
        return table

    def flush(self, handle: Any) -> None:
        handle.flush()

    def publish(self, handle: Any) -> None:
        handle.flush(publish=True)

    def close(self, handle: Any) -> None:
        handle.close()

    def sound(self) -> None:
        """Whatever can be verified."""
        handle = self.open()
        report = self.table(handle).verify()
        self.close(handle)
        assert report.ok, report


class Plain(Kind):
    def open(self) -> ParquetTable:
        return ParquetTable(self.path, SPEC)

    def table(self, handle: ParquetTable) -> ParquetTable:
        return handle

    def add(self, handle: ParquetTable, name: str) -> None:
        add(handle, name, size=200)

    def names(self, handle: ParquetTable) -> list[str]:
        return names_of(handle)

    def named(self, rows: pd.DataFrame) -> list[str]:
        return rows["row_id"].tolist()


class Registry(Kind):
    def open(self) -> TorusRegistry:
        return TorusRegistry(self.path, betti_threads=1)

    def add(self, handle: TorusRegistry, name: str) -> None:
        handle.record_shape(CLOUD, [1, 0], metadata={"name": name})

    def names(self, handle: TorusRegistry) -> list[str]:
        return self.named(handle.scan(["metadata"]).read_all().to_pandas())

    def named(self, rows: pd.DataFrame) -> list[str]:
        return [json.loads(text)["name"] for text in rows["metadata"]]


class Tokens(Kind):
    reopens = True

    def open(self) -> ObserverSynthesis:
        synthesis = ObserverSynthesis(path=self.path)
        assert synthesis.log is not None
        return synthesis

    def table(self, handle: ObserverSynthesis) -> ParquetTable:
        assert handle.log is not None
        return handle.log._table

    def add(self, handle: ObserverSynthesis, name: str) -> None:
        handle.emit_token({"name": name})

    def names(self, handle: ObserverSynthesis) -> list[str]:
        assert handle.log is not None
        return self.named(handle.log.rows().to_pandas())

    def named(self, rows: pd.DataFrame) -> list[str]:
        return [json.loads(text)["m"]["name"] for text in rows["body"]]

    def publish(self, handle: ObserverSynthesis) -> None:
        assert handle.log is not None
        handle.log.flush(publish=True)

    def sound(self) -> None:
        synthesis = ObserverSynthesis(path=self.path)
        report = synthesis.verify_log()
        synthesis.close()
        assert report.findings == ()


class Diagrams(Kind):
    reopens = True
    diagram = persistence(CLOUD, max_dimension=1)

    def open(self) -> DiagramMemory:
        return DiagramMemory(self.path)

    def table(self, handle: DiagramMemory) -> ParquetTable:
        table = handle._store._open(create=True)
        assert table is not None
        return table

    def add(self, handle: DiagramMemory, name: str) -> None:
        handle.put(self.diagram, CLOUD + float(name[1:]))

    def names(self, handle: DiagramMemory) -> list[str]:
        with self.table(handle).snapshot() as snapshot:
            batches = [*snapshot.base_batches(["key"]), *(b.select(["key"]) for b in snapshot.pending_batches())]
        return [self.known[key] for batch in batches for key in batch["key"].to_pylist()]

    def named(self, rows: pd.DataFrame) -> list[str]:
        return [self.known[key] for key in rows["key"]]

    @cached_property
    def known(self) -> dict[str, str]:
        """Names by key."""
        memory = DiagramMemory(None)
        return {memory.key(CLOUD + float(number), max_dimension=1): f"r{number}" for number in range(12)}


class Ideas(Kind):
    reopens = True

    def open(self) -> IdeaStore:
        return IdeaStore(self.path)

    def table(self, handle: IdeaStore) -> ParquetTable:
        table = handle._open(create=True)
        assert table is not None
        return table

    def add(self, handle: IdeaStore, name: str) -> None:
        handle.append([Idea(name, "shape_0", (1.0, 1.0, 0.0), "global", status=PROTECTED)])

    def names(self, handle: IdeaStore) -> list[str]:
        return sorted(row["idea_id"] for row in handle._changes())

    def named(self, rows: pd.DataFrame) -> list[str]:
        return rows["idea_id"].tolist()

    def publish(self, handle: IdeaStore) -> None:
        self.table(handle).flush(publish=True)


KINDS = [Plain, Registry, Tokens, Diagrams, Ideas]
