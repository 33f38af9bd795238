"""``record_shape``, one cloud a call, against databases with one commit a row and against the legacy registry.

What survives ``kill -9`` is compared with what survives it, what survives a power cut with what survives that.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from benchmarks.legacy import LegacyRegistry
from benchmarks.paired_rounds import Opener, make_clouds, record_each, take_turns
from benchmarks.peers import OPENERS, Ours
from benchmarks.report import Line, Target, compare
from benchmarks.sizes import Size

UNIT = "rows/s"
LIVE = ("SQLite WAL/NORMAL", "SQLite WAL/OFF", "LMDB sync=False")
SYNCED = ("SQLite WAL/FULL", "LMDB sync=True", "DuckDB")
LATER = 20_000  #: rows of a registry that has grown


def run(folder: Path, size: Size) -> tuple[Line, ...]:
    """The lines of single records."""
    return *surviving_a_kill(folder, size), *surviving_a_power_cut(folder, size), *against_legacy(folder, size)


def _rates(
    folder: Path, rows: dict[str, int], n_rounds: int, openers: dict[str, Opener] = OPENERS
) -> dict[str, list[tuple[float, float]]]:
    """Rates of stores in turn: until recorded, and until closed."""
    clouds = make_clouds(max(rows.values()))
    return take_turns(
        {name: partial(record_each, openers[name], folder / "store", clouds[:n]) for name, n in rows.items()}, n_rounds
    )


def surviving_a_kill(folder: Path, size: Size) -> list[Line]:
    """The default durability against databases that do not wait for the disk, and Delta, which never does."""
    found = _rates(folder, dict.fromkeys(("toriwork", *LIVE), size.rows), size.rounds)
    recorded = {name: [rates[0] for rates in pairs] for name, pairs in found.items()}
    closed = {name: [rates[1] for rates in pairs] for name, pairs in found.items()}
    targets = {LIVE[0]: Target("at least", 2.0, stretch=2.5)}
    lines = [
        compare("record_shape", recorded["toriwork"], name, recorded[name], UNIT, targets.get(name)) for name in LIVE
    ]
    lines.append(compare("record_shape, then close", closed["toriwork"], LIVE[0], closed[LIVE[0]], UNIT))
    slow = _rates(folder, {"toriwork": size.synced_rows, "Delta": size.delta_rows}, min(size.rounds, 3))
    ours, delta = ([rates[0] for rates in slow[name]] for name in ("toriwork", "Delta"))
    return [*lines, compare("record_shape", ours, "Delta", delta, UNIT)]


def surviving_a_power_cut(folder: Path, size: Size) -> list[Line]:
    """``durability="power"`` against databases that sync each commit."""
    rows = dict.fromkeys(("toriwork power", *SYNCED), size.synced_rows)
    found = {name: [rates[0] for rates in pairs] for name, pairs in _rates(folder, rows, size.rounds).items()}
    return [compare("record_shape, power", found["toriwork power"], name, found[name], UNIT) for name in SYNCED]


def against_legacy(folder: Path, size: Size) -> list[Line]:
    """Ours and the legacy registry, empty and grown; what growing cost each of them. Legacy keeps no vertices."""
    n_rows = min(size.rows, 1000)
    later = LATER if size.rounds > 1 else size.base_rows
    at = f"at {later:,} rows"
    openers: dict[str, Opener] = {
        "toriwork": Ours,
        "legacy": LegacyRegistry,
        f"toriwork {at}": partial(Ours, n_rows=later),
        f"legacy {at}": partial(LegacyRegistry, n_rows=later),
    }
    rates = _rates(folder, dict.fromkeys(openers, n_rows), min(size.rounds, 5), openers)
    found = {name: [each[0] for each in pairs] for name, pairs in rates.items()}
    ours, legacy, ours_later, legacy_later = (found[name] for name in openers)
    slower = [[a / b for a, b in zip(*pair, strict=True)] for pair in ((ours, ours_later), (legacy, legacy_later))]
    return [
        compare("record_shape, empty", ours, "legacy", legacy, UNIT),
        compare(f"record_shape {at}", ours_later, "legacy", legacy_later, UNIT),
        compare(f"times slower {at}", slower[0], "legacy", slower[1], "x"),
    ]
