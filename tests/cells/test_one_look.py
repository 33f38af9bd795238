"""One cloud on its way down: checked once and hashed once, whoever it is handed to."""

from __future__ import annotations

import hashlib
import sys

import numpy as np
import pytest

from tests.cells.clouds import circle
from toriwork.cells import TorusCells
from toriwork.cells.memory import DiagramMemory
from toriwork.errors import BadInput
from toriwork.registry import TorusRegistry
from toriwork.topology import persistence_many
from toriwork.topology.clouds import Cloud, cloud_of

CLOUD = circle()


class Counted:
    """BLAKE2b that counts how often it sees the bytes of the cloud."""

    def __init__(self, made, seen):
        self._made, self._seen = made, seen

    def update(self, data):
        if bytes(data) == CLOUD.tobytes():
            self._seen.append(1)
        self._made.update(data)

    def copy(self):
        return Counted(self._made.copy(), self._seen)

    def digest(self):
        return self._made.digest()

    def hexdigest(self):
        return self._made.hexdigest()


@pytest.fixture
def looks(monkeypatch):
    """How often the cloud was looked at for NaN, and how often its bytes were hashed."""
    seen: dict[str, list[int]] = {"checks": [], "hashes": []}
    isfinite = np.isfinite

    def checked(values, *args, **kwargs):
        if np.shape(values) == CLOUD.shape:
            seen["checks"].append(1)
        return isfinite(values, *args, **kwargs)

    monkeypatch.setattr(np, "isfinite", checked)

    def hashed(data=b"", **options):
        return Counted(hashlib.blake2b(data, **options), seen["hashes"])

    for name, module in list(sys.modules.items()):
        if name.startswith("toriwork.") and getattr(module, "blake2b", None) is hashlib.blake2b:
            monkeypatch.setattr(module, "blake2b", hashed)
    monkeypatch.setattr("toriwork.registry.rows._LAYOUTS", {})  # seeds of before are not counted
    return lambda: (len(seen["checks"]), len(seen["hashes"]))


def test_an_update_checks_and_hashes_its_cloud_once(tmp_path, looks):
    with TorusRegistry(tmp_path / "registry.parquet") as registry, TorusCells(registry) as cells:
        assert cells.betti_update("ring", CLOUD, "global")[1] == 1.0
        assert looks() == (1, 1)
        cells.betti_update("ring", CLOUD, "global")  # known: the reference cloud is not looked at again
        assert looks() == (2, 2)


def test_a_memory_checks_and_hashes_a_cloud_once(tmp_path, looks):
    with DiagramMemory(tmp_path / "d.parquet") as memory:
        memory.persistence(CLOUD)
        assert looks() == (1, 1)
        assert [result.remembered for result in persistence_many([CLOUD], memory=memory)] == [True]
        assert looks() == (2, 2)
        assert [result.remembered for result in persistence_many([CLOUD], memory=memory, max_dimension=2)] == [False]
        assert looks() == (3, 3)


def test_a_registry_takes_a_cloud_as_it_takes_its_array(tmp_path, looks):
    with TorusRegistry(tmp_path / "registry.parquet") as registry:
        cloud = cloud_of(CLOUD)
        assert (
            registry.record_shape(cloud, (1, 1, 0))
            == registry.record_shape(cloud, (1, 1, 0))
            == ("shape_" + cloud.digest.hex())
        )
        assert looks() == (1, 1)
        assert registry.record_shape(CLOUD, (1, 1, 0)) == "shape_" + cloud.digest.hex()
        assert looks() == (2, 2)


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        pytest.param(np.zeros((3, 2)), "points", id="points"),
        pytest.param(np.zeros((0, 2), np.float32), "points", id="no points"),
        pytest.param([[1, 2], [3, 4]], "points", id="lists"),
        pytest.param(np.zeros(3), "spectrum", id="a series"),
        pytest.param(np.zeros((3, 2), complex), "spectrum", id="complex"),
        pytest.param(np.zeros((3, 2, 2)), "grid", id="an image"),
        pytest.param(np.zeros((3, 0)), "grid", id="points without coordinates"),
    ],
)
def test_a_cloud_says_what_it_is_and_cannot_be_changed(given, kind):
    cloud = cloud_of(given)
    assert cloud.kind == kind
    assert cloud_of(cloud) is cloud
    assert np.array_equal(np.asarray(cloud), given)
    with pytest.raises(ValueError, match="read-only"):
        cloud.array[...] = 1


def test_a_cloud_keeps_its_element_type_for_the_registry_and_has_float64_for_engines():
    cloud = cloud_of(np.arange(6, dtype=">f4").reshape(3, 2))
    assert cloud.array.dtype == np.dtype(">f4")
    assert cloud.values.dtype == np.float64
    assert cloud.as_float64.digest != cloud.digest
    assert cloud.as_float64.as_float64 is cloud.as_float64


@pytest.mark.parametrize("bad", [[["a"]], [[1.0], [1.0, 2.0]], [[np.nan, 0.0]], [np.inf], None])
def test_what_is_no_cloud_is_refused_at_the_door(bad):
    with pytest.raises(BadInput, match="vertices"):
        cloud_of(bad, name="vertices")


def test_clouds_are_made_in_one_place():
    assert Cloud.__module__ == cloud_of.__module__ == "toriwork.topology.clouds"
