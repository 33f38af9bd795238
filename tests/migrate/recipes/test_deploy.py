from __future__ import annotations

import pytest

from tests.migrate.fixtures import build
from tests.migrate.recipes.code import STORE
from toriwork.migrate.recipes import World, core_modules, rewrite
from toriwork.migrate.recipes.world import HOMES

INIT = "python/core/__init__.py"
MOVED = (b"from python.core.torus_registry import SpectralDB\n",)


def test_a_code_base_with_a_core_gets_four_modules_in_it_once_moved_code_imports_one(tmp_path):
    build(tmp_path, {INIT: ""})
    world = World.look(tmp_path)
    assert core_modules(world, ()) == core_modules(world, (b"from python.core import mine\n",)) == {}
    found = core_modules(world, MOVED)
    names = "__init__ observer_synthesis topo_ops torus_cells torus_registry".split()
    assert sorted(found) == [f"python/core/{name}.py" for name in names]
    assert found[INIT].after.decode() == (
        "from .torus_registry import TorusRegistry, get_torus_registry, REG_PATH\n"
        "from .torus_cells import TorusCells, get_torus_cells, betti0_1\n"
        "from .observer_synthesis import ObserverSynthesis, get_observer_synthesis, emit_token\n"
    )


@pytest.mark.parametrize(
    "path", ["store.py", "lab/store.py", "src/lab/store.py"], ids=["scripts", "a flat layout", "a src layout"]
)
def test_moved_code_of_a_code_base_without_a_core_imports_from_toriwork_and_nothing_is_deployed(tmp_path, path):
    build(tmp_path, {"src/lab/__init__.py": "", "lab/__init__.py": "", path: STORE})
    world = World.look(tmp_path)
    found = rewrite(path, (tmp_path / path).read_bytes(), world)
    lines = [line for line in found.after.decode().splitlines() if "toriwork" in line and "import" in line]
    assert lines == [
        "from toriwork.compat import SignatureTable, stream_of",
        "from toriwork.registry import TorusRegistry",
    ]
    assert core_modules(world, [found.after]) == {}


@pytest.mark.parametrize("name", HOMES)
def test_what_moved_code_imports_is_the_same_thing_with_and_without_a_core(tmp_path, name):
    module, place, there = HOMES[name]
    build(tmp_path, {INIT: ""})
    deployed = core_modules(World.look(tmp_path), MOVED)[f"python/core/{module}.py"].after
    space: dict[str, object] = {}
    exec(deployed, space)
    exec(f"from {place} import {there} as found", space)
    assert space[name] is space["found"]


def test_a_deployed_code_base_gets_nothing_more(tmp_path):
    build(tmp_path, {INIT: ""})
    for path, found in core_modules(World.look(tmp_path), MOVED).items():
        build(tmp_path, {path: found.after.decode()})
    assert core_modules(World.look(tmp_path), MOVED) == {}


def test_the_package_keeps_what_it_has_and_lists_what_is_new(tmp_path):
    before = (
        '"""Core."""\n\nfrom .state import a  # mine\nfrom .torus_cells import TorusCells\n\n__all__ = [\'a\']  # all\n'
    )
    build(tmp_path, {INIT: before})
    found = core_modules(World.look(tmp_path), MOVED)[INIT].after.decode()
    assert found.startswith('"""Core."""\n\nfrom .state import a  # mine\nfrom .torus_cells import TorusCells\nfrom .')
    assert "from .torus_cells import get_torus_cells, betti0_1\n" in found
    assert "__all__ = ['a', 'TorusRegistry', 'get_torus_registry'," in found
    assert found.endswith("'emit_token']  # all\n")


def test_a_name_that_means_something_else_there_is_reported(tmp_path):
    build(tmp_path, {INIT: "TorusCells = 3\n"})
    found = core_modules(World.look(tmp_path), MOVED)[INIT]
    assert "import get_torus_cells, betti0_1" in found.after.decode()
    assert [(finding.recipe, "TorusCells" in finding.why) for finding in found.manual] == [("core_exports", True)]


def test_a_stub_of_topology_that_is_there_stays(tmp_path):
    build(tmp_path, {INIT: "", "python/core/topo_ops.py": "def betti0_1(vertices): ...\n"})
    assert "python/core/topo_ops.py" not in core_modules(World.look(tmp_path), MOVED)


def test_the_core_is_the_uppermost_one(tmp_path):
    build(tmp_path, {"src/python/core/__init__.py": "", "old/copy/python/core/a.py": ""})
    assert World.look(tmp_path).core_path == "src/python/core"


def test_no_deployed_module_names_a_driver(tmp_path):
    build(tmp_path, {INIT: ""})
    assert not any(b"sqlite" in found.after for found in core_modules(World.look(tmp_path), MOVED).values())
