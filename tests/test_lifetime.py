"""What is open is known, drops what is the parent's in a child, and is closed at exit, the upper rooms first."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from toriwork.errors import BadInput
from toriwork.lifetime import OpenObjects, open_stores
from toriwork.registry import TorusRegistry
from toriwork.synthesis import ObserverSynthesis


class Thing:
    """Something that is open."""

    def __init__(self) -> None:
        self.dropped = 0

    def drop(self) -> None:
        self.dropped += 1


def test_objects_are_known_until_they_are_discarded_or_collected() -> None:
    kept: OpenObjects[Thing] = OpenObjects()
    one, other = Thing(), Thing()
    kept.add(one)
    kept.add(other)
    assert set(kept) == {one, other}
    kept.discard(one)
    kept.discard(one)
    assert list(kept) == [other]
    del other
    gc.collect()
    assert list(kept) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_drops_what_is_the_parents_and_the_parent_does_not() -> None:
    kept = OpenObjects(Thing.drop)
    thing = Thing()
    kept.add(thing)
    child = os.fork()
    if child == 0:
        os._exit(thing.dropped)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    assert thing.dropped == 0


def test_open_stores_come_with_those_that_write_through_others_first(tmp_path: Path) -> None:
    path = tmp_path / "r.parquet"
    with TorusRegistry(path) as registry:
        found = [store for store in open_stores() if store.path == path]
        assert found == [registry, registry._table]
    assert [store for store in open_stores() if store.path == path] == []


@pytest.mark.parametrize(("content", "error"), [(b"no Parquet file", BadInput), (b"PAR1 and no end", OSError)])
def test_a_store_that_cannot_be_opened_is_not_open(tmp_path: Path, content: bytes, error: type[Exception]) -> None:
    path = tmp_path / "r.parquet"
    path.write_bytes(content)
    with pytest.raises(error, match=r"r\.parquet"):
        TorusRegistry(path)
    assert path.read_bytes() == content
    assert [store for store in open_stores() if store.path == path] == []


def test_a_token_log_is_a_store(tmp_path: Path) -> None:
    path = tmp_path / "tokens.parquet"
    synthesis = ObserverSynthesis(path=path)
    synthesis.emit_token({"type": "x", "value": 1})
    assert path in [store.path for store in open_stores()]
    synthesis.close()
    assert path not in [store.path for store in open_stores()]


EXIT = """
from toriwork.lifetime import OpenObjects, OpenStores

class Store:
    path, closed = "here", False
    def __init__(self, name): self.name = name
    def after_fork(self): pass
    def close(self):
        print(self.name, flush=True)
        if self.name == "bad": raise ValueError("no")

lower, upper, other = OpenStores(Store.close), OpenStores(Store.close), OpenObjects(at_exit=Store.close)
kept = [Store(name) for name in ("lower", "bad", "upper", "other")]
lower.add(kept[0]); upper.add(kept[1]); upper.add(kept[2]); other.add(kept[3])
"""


def test_at_exit_the_kinds_that_came_last_close_first_and_an_error_stops_nobody() -> None:
    done = subprocess.run([sys.executable, "-c", EXIT], capture_output=True, text=True, check=True)
    said = done.stdout.split()
    assert said[0] == "other"
    assert set(said[1:3]) == {"upper", "bad"}
    assert said[3] == "lower"
    assert "here could not be closed cleanly; rows stay in the journals: no" in done.stderr
