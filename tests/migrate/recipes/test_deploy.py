from __future__ import annotations

from tests.migrate.fixtures import build
from toriwork.migrate.recipes import World, core_modules, rewrite

INIT = "python/core/__init__.py"


def test_an_empty_code_base_gets_four_modules_and_their_package(tmp_path):
    found = core_modules(World.look(tmp_path))
    names = "__init__ observer_synthesis topo_ops torus_cells torus_registry".split()
    assert sorted(found) == [f"python/core/{name}.py" for name in names]
    assert found[INIT].decode() == (
        "from .torus_registry import TorusRegistry, get_torus_registry, REG_PATH\n"
        "from .torus_cells import TorusCells, get_torus_cells, betti0_1\n"
        "from .observer_synthesis import ObserverSynthesis, get_observer_synthesis, emit_token\n"
    )


def test_a_deployed_code_base_gets_nothing_more(tmp_path):
    for path, text in core_modules(World.look(tmp_path)).items():
        build(tmp_path, {path: text.decode()})
    assert core_modules(World.look(tmp_path)) == {}


def test_the_package_keeps_what_it_has_and_lists_what_is_new(tmp_path):
    before = (
        '"""Core."""\n\nfrom .state import a  # mine\nfrom .torus_cells import TorusCells\n\n__all__ = [\'a\']  # all\n'
    )
    build(tmp_path, {INIT: before})
    found = rewrite(INIT, before.encode(), World.look(tmp_path)).after.decode()
    assert found.startswith('"""Core."""\n\nfrom .state import a  # mine\nfrom .torus_cells import TorusCells\nfrom .')
    assert "from .torus_cells import get_torus_cells, betti0_1\n" in found
    assert "__all__ = ['a', 'TorusRegistry', 'get_torus_registry'," in found
    assert found.endswith("'emit_token']  # all\n")


def test_a_name_that_means_something_else_there_is_reported(tmp_path):
    before = "TorusCells = 3\n"
    build(tmp_path, {INIT: before})
    found = rewrite(INIT, before.encode(), World.look(tmp_path))
    assert "import get_torus_cells, betti0_1" in found.after.decode()
    assert [(finding.recipe, "TorusCells" in finding.why) for finding in found.manual] == [("core_exports", True)]


def test_a_stub_of_topology_that_is_there_stays(tmp_path):
    build(tmp_path, {"python/core/topo_ops.py": "def betti0_1(vertices): ...\n"})
    assert "python/core/topo_ops.py" not in core_modules(World.look(tmp_path))


def test_the_core_stands_where_imports_start(tmp_path):
    build(tmp_path, {"src/watch/__init__.py": ""})
    assert World.look(tmp_path).core_path == "src/python/core"


def test_no_deployed_module_names_a_driver(tmp_path):
    assert not any(b"sqlite" in text for text in core_modules(World.look(tmp_path)).values())
