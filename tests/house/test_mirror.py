"""Tests mirror the package: each module has a test module of its name, or stands below beside the one that tests it."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULES = [path.relative_to(ROOT / "toriwork") for path in sorted((ROOT / "toriwork").rglob("*.py"))]
#: test module -> the modules of other names that it tests; a star stands for every module of a room that has none
TESTED_IN = {
    "cells/test_cells.py": "cells/shape cells/shared",
    "cells/test_ideas.py": "cells/events cells/idea_store",
    "cells/test_memory.py": "cells/cache cells/bar_arrays",
    "cells/test_memory_rows.py": "cells/diagrams cells/diagrams_shelf cells/diagram_store",
    "cells/test_nearest.py": "cells/neighbours cells/search",
    "cells/test_protection.py": "cells/protector cells/protected_ideas",
    "cli/test_main.py": "cli/actions",
    "guard/test_command.py": "cli/guard guard/flake8_plugin guard/baseline",
    "guard/test_corpus.py": "codebase/* guard/*",
    "house/test_errors.py": "errors",
    "migrate/data/test_steps.py": "migrate/data/*",
    "migrate/engine/test_apply.py": "migrate/engine/*",
    "migrate/recipes/test_backends.py": "migrate/recipes/*",
    "monitors/test_braid_aggregator.py": "monitors/timescales",
    "monitors/test_chaos_controller.py": "monitors/lattice",
    "monitors/test_curvature_guard.py": "monitors/curvature",
    "monitors/test_monitors.py": "monitors/legacy monitors/adopted monitors/base compat/*",
    "monitors/test_origin_sentry.py": "monitors/novelty",
    "plots/test_diagram.py": "plots/bars",
    "plots/test_figure.py": "plots/style",
    "plots/test_tokens.py": "plots/token_graph",
    "registry/test_registry.py": "registry/*",
    "soak/test_ledger.py": "soak/worker",
    "sqlite/test_round_trip.py": "sqlite/*",
    "storage/test_table.py": "storage/*",
    "synthesis/test_chains.py": "synthesis/chain synthesis/runs synthesis/rows synthesis/log_rows synthesis/standing",
    "synthesis/test_export.py": "synthesis/export/*",
    "synthesis/test_observed.py": "synthesis/digest synthesis/limited",
    "synthesis/test_observer.py": "synthesis/shared synthesis/keeper synthesis/token_context synthesis/occurrences",
    "synthesis/test_selection.py": "synthesis/budget synthesis/context synthesis/context_budget synthesis/memory",
    "synthesis/test_prompt.py": "synthesis/explained",
    "synthesis/test_verify.py": "synthesis/report",
    "topology/test_engines_agree.py": "topology/compute topology/engines topology/request",
    "topology/test_filtrations.py": "topology/by_gudhi topology/gudhi_filtrations topology/metric",
    "topology/test_formats.py": "topology/columns",
    "topology/test_input.py": "topology/clouds topology/render",
    "topology/test_by_parts.py": "topology/single_linkage",
    "topology/test_sparse_rips.py": "topology/delaunay",
    "topology/test_late_bars.py": "topology/domination",
    "topology/test_representatives.py": "topology/cycles",
    "topology/test_significance.py": "topology/calibrated topology/evidence topology/rules",
    "topology/test_voids.py": "topology/edge_collapse topology/surfaces",
    "topology/test_truncation.py": "topology/by_distance topology/rips_family",
    "widgets/test_browser_state.py": "plots/browser",
    "widgets/test_diagram_explorer.py": "widgets/front widgets/live plots/explorer",
    "widgets/test_monitor_panel.py": "widgets/following",
    "widgets/test_registry_browser.py": "widgets/asked",
    "widgets/test_panel_state.py": "plots/monitors",
}
PATTERNS = {pattern: name for name, patterns in TESTED_IN.items() for pattern in patterns.split()}


def untested(modules: Iterable[Path], tests: Iterable[str]) -> list[str]:
    """The modules that have no test module of their name and stand under none above."""
    known = set(tests)
    found = []
    for module in modules:
        name = module.with_suffix("").as_posix()
        mirrored = (module.parent / f"test_{module.name}").as_posix() in known
        if module.stem not in ("__init__", "__main__") and not mirrored:
            found += [name] * (not any(fnmatch(name, pattern) for pattern in PATTERNS))
    return found


def test_each_module_has_a_test_module_of_its_name_or_is_named_above() -> None:
    tests = {path.relative_to(ROOT / "tests").as_posix() for path in (ROOT / "tests").rglob("test_*.py")}
    lacking = untested(MODULES, tests)
    made = [Path("tests", name).with_name(f"test_{Path(name).name}.py").as_posix() for name in lacking]
    assert lacking == [], f"write {', '.join(made)}, or name the module in TESTED_IN behind the tests that try it"
    assert set(TESTED_IN) - tests == set(), "TESTED_IN names test modules that are gone"


def test_a_module_without_a_test_module_is_found() -> None:
    assert untested([Path("plots/unheard_of.py"), Path("plots/bars.py")], []) == ["plots/unheard_of"]
