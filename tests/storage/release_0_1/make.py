"""Made ``state.tar.gz`` and ``expected.json`` with the code of commit b8cf5ad, and is kept to tell how.

Later code must open what that code left behind; this script need not run on later code. It was run as
``python make.py FOLDER`` with that commit on the path. Each step is a process of its own that ends without closing
anything, so that what it did not publish stays in dead journals. No background thread publishes or seals: the steps
say when.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import subprocess
import sys
import tarfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

COMMIT = "b8cf5ad"


def still() -> None:
    """Nothing happens in the background; journals and segments are small."""
    from toriwork.registry import registry
    from toriwork.storage import journal, upkeep
    from toriwork.storage.worker import Worker

    Worker.wake = lambda self, now=True: None
    journal.ROLL_BYTES = 4000
    upkeep._SEAL_BYTES = 3500
    registry.SPEC = replace(registry.SPEC, group_bytes=8000)


def cloud(seed: int, n: int = 12, dtype: str = "<f8") -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 2)).astype(dtype)


def circle(n: int = 24, turn: float = 0.0) -> np.ndarray:
    angle = np.arange(n) * 2 * np.pi / n + turn
    return np.column_stack([np.cos(angle), np.sin(angle)])


def told(state: Path, key: str, value: object) -> None:
    """Keep what a step has to say for ``expected.json``."""
    with (state.parent / "told.jsonl").open("a") as file:
        file.write(json.dumps([key, value]) + "\n")


def recorder(registry, state: Path):
    """A ``record_shape`` that tells what it recorded."""

    def record(vertices, betti=None, band="local", metadata=None):
        shape_id = registry.record_shape(vertices, betti, band, metadata)
        told(state, "row", {"shape_id": shape_id, "betti": betti, "band": band, "metadata": metadata})
        return shape_id

    return record


# ---- the registry ------------------------------------------------------------------------------------------------


def legacy(state: Path) -> None:
    """A file of the software before: nine columns, times as text, ids of 12 digits."""
    rows = [
        {
            "shape_id": f"shape_{n:012x}",
            "timestamp": f"2024-03-0{n + 1}T10:00:00.{n}00000+00:00",
            "betti0": 1.0,
            "betti1": float(n),
            "betti2": None if n % 2 else 0.0,
            "vertices_hash": f"{n:012x}",
            "coherence_band": ("local", "global", "critical")[n % 3],
            "metadata": json.dumps({"legacy": n}),
            "_schema": "v1",
        }
        for n in range(4)
    ]
    pd.DataFrame(rows).to_parquet(state / "torus_registry.parquet")
    for row in rows:
        betti = [row["betti0"], row["betti1"], row["betti2"]]
        kept = {"legacy": True, "betti": betti, "band": row["coherence_band"], "metadata": json.loads(row["metadata"])}
        told(state, "row", {"shape_id": row["shape_id"], **kept})


def published(state: Path) -> None:
    """Two publishes into several row groups; of a live handle the first rows only."""
    from toriwork import TorusRegistry

    registry, beside = (TorusRegistry(state / "torus_registry.parquet", betti_threads=0) for _ in range(2))
    record, other = recorder(registry, state), recorder(beside, state)
    dtypes = ("<f8", "<f4", "<i8", "<c16", "<f2")
    for n in range(20):
        record(cloud(n, 12 + n, dtypes[n % 5]), (1, n % 3, 0), ("local", "global", "critical")[n % 3], {"published": n})
    for n in range(4):
        record(np.array([0.5, 0.25, n / 8]), None, "critical", {"spectrum": n})
    record(np.array([1 + 2j, -0.5j]), None, "local", {"spectrum": "complex"})
    for n in range(5):
        other(cloud(100 + n), (1, 1, None), "local", {"half": n})
    registry.flush(publish=True)
    for n in range(20, 30):
        record(cloud(n, 40), (1, 0, 0), "global", {"published": n, "umlaut": "Größe"})
    registry.flush(publish=True)
    for n in range(5, 9):  # in the same journal, of which the public file has the beginning
        other(cloud(100 + n), (1, 1, None), "local", {"half": n})
    os._exit(0)


def sealed(state: Path) -> None:
    """A segment, and the sealed journal that it was made of."""
    from toriwork import TorusRegistry

    registry = TorusRegistry(state / "torus_registry.parquet", betti_threads=0)
    record = recorder(registry, state)
    for n in range(20):
        record(cloud(200 + n), (1, 2, 0), "global", {"sealed": n})
    registry._table._upkeep._seal_closed(registry._table._writer)
    os._exit(0)


def dead(state: Path, number: str) -> None:
    """A journal of a dead writer, rows and a batch complete."""
    from toriwork import TorusRegistry

    registry = TorusRegistry(state / "torus_registry.parquet", betti_threads=0)
    record = recorder(registry, state)
    for n in range(4):
        record(cloud(300 + 10 * int(number) + n), (1, 0, 0), "critical", {"dead": [int(number), n]})
    clouds = [cloud(400 + 10 * int(number) + n) for n in range(3)]
    for shape_id in registry.record_shapes(clouds, [(2, 0, 0)] * 3, "local", {"batch": int(number)}):
        row = {"shape_id": shape_id, "betti": [2, 0, 0], "band": "local", "metadata": {"batch": int(number)}}
        told(state, "row", row)
    os._exit(0)


def waiting(state: Path) -> None:
    """Rows that lack values; some have them in another journal, closed and not sealed."""
    from toriwork import TorusRegistry

    registry = TorusRegistry(state / "torus_registry.parquet", betti_threads=0)
    record = recorder(registry, state)
    for n in range(5):
        record(circle(6 + n), None, "local", {"open": n})
    with places_of(registry) as places:
        for n in range(5):
            record(circle(16 + n), None, "local", {"elsewhere": n})
    complete(registry, places)
    os._exit(0)


def late(state: Path) -> None:
    """Completions in a journal that is sealed, for an older one that still has an open row."""
    from toriwork import TorusRegistry

    registry = TorusRegistry(state / "torus_registry.parquet", betti_threads=0)
    record = recorder(registry, state)
    with places_of(registry) as places:
        for n in range(5):
            record(circle(30 + n), None, "global", {"late": n})
    complete(registry, places[:2] + places[3:])
    for n in range(12):
        record(cloud(500 + n), (1, 0, 0), "local", {"behind": n})
    writer = registry._table._writer
    writer.freeze()
    registry._table._upkeep._seal_closed(writer)
    os._exit(0)


@contextlib.contextmanager
def places_of(registry):
    """The places of the frames that are appended meanwhile."""
    table, places = registry._table, []
    append = table.append
    table.append = lambda *given: places.append(append(*given)) or places[-1]
    yield places
    table.append = append


def complete(registry, places) -> None:
    """Values for the row of some frames, written into the next journal; such values as no computation gives."""
    from toriwork.registry.rows import COMPUTED, pack_values
    from toriwork.storage.frames import Address

    registry._table._writer.freeze()
    for place in places:
        values = pack_values((7.0, 3.0, float("nan")), COMPUTED, '{"rule":"by hand"}')
        registry._table.complete(Address(place.journal, place.frame, 0), values)


def torn(state: Path) -> None:
    """A journal whose last frame was cut short: that row was never promised."""
    from toriwork import TorusRegistry

    registry = TorusRegistry(state / "torus_registry.parquet", betti_threads=0)
    record = recorder(registry, state)
    for n in range(3):
        record(cloud(600 + n), (1, 0, 0), "local", {"torn": n})
    journal = registry._table._writer._current
    registry.record_shape(cloud(699), (1, 0, 0), "local", {"torn": "never promised"})
    os.truncate(journal.path, journal.size - 40)
    os._exit(0)


# ---- tokens ------------------------------------------------------------------------------------------------------


def emitted(state: Path, name: str, first: str, n: str, keep_rows: str, wanted: str) -> None:
    """Emissions of one process, some journals sealed; ``wanted``: what follows, a letter each.

    p: publish, s: seal, t: tear the last journal, b: the clock goes back an hour, f: a fork emits as well.
    """
    from toriwork import ObserverSynthesis

    observers = ObserverSynthesis(path=state / f"{name}.parquet", keep_rows=int(keep_rows) or None)
    real = time.time_ns
    for part, letter in enumerate(wanted):
        for at in range(int(n)):
            number = int(first) + part * int(n) + at
            observers.emit_token(
                {"type": "made", "source": name, "n": number, "timestamp": at if at % 7 == 0 else None}
            )
        table = observers.log._table
        if letter == "p":
            observers.log.flush(publish=True)
        elif letter == "s":
            table._upkeep._seal_closed(table._writer)
        elif letter == "b":
            time.time_ns = lambda: real() - 3600 * 10**9
        elif letter == "f" and not (child := os.fork()):
            for number in range(5):
                observers.emit_token({"type": "forked", "source": name, "n": int(first) + number})
            os._exit(0)
        elif letter == "f":
            os.waitpid(child, 0)
        elif letter == "t":
            observers.emit_token({"type": "torn", "n": number})
            journal = table._writer._current or table._writer.closed[-1]
            os.truncate(journal.path, journal.size - 9)
    os._exit(0)


# ---- ideas, spectra, diagrams ------------------------------------------------------------------------------------


def monitors(state: Path) -> None:
    """Ideas, the memory of a sentry and of diagrams; some of it published, the rest in dead journals."""
    from toriwork import ObserverSynthesis, TorusCells, TorusRegistry
    from toriwork.monitors import OriginSentry
    from toriwork.registry.spectral import SpectralDB

    observers = ObserverSynthesis(path=state / "observer_tokens.parquet")
    registry = TorusRegistry(state / "torus_registry.parquet", betti_threads=0)
    os.environ["TORI_STATE_ROOT"] = str(state)
    cells = TorusCells(registry, observer=observers)
    sentry = OriginSentry(SpectralDB(registry=registry, stream="origin_sentry"), synthesis=observers)
    before = len(registry)
    for step in range(3):
        for name in ("loop", "ring"):
            cells.betti_update(name, circle(24, 0.01 * step), "global", {"step": step})
        cells.betti_update("blob", cloud(700), "critical", {"step": step})
        sentry.classify([0.05 + step / 100, 0.03, 0.02], [1, step])
        if step == 1:
            cells._protected.ideas._table.flush(publish=True)
            cells.diagrams.flush(publish=True)
            observers.log.flush(publish=True)
    cells.tunnel_idea("ring", "local")
    told(state, "ideas", cells.get_protected_ideas())
    told(state, "history", {name: len(cells.history(name)) for name in ("loop", "ring", "blob")})
    told(state, "reference", cells.reference_cloud("loop").tolist())
    told(state, "sentry", sentry.classify([0.05, 0.03, 0.02], [1, 2])["novelty_score"])
    told(state, "spectra", [spectrum.tolist() for spectrum in sentry.spectral_db.last(10)])
    told(state, "of monitors", len(registry) - before)
    diagrams = {}
    for n in range(4):
        points = circle(10 + n)
        diagram = cells.diagrams.persistence(points)
        diagrams[cells.diagrams.key(points)] = [pairs.tolist() for pairs in diagram.pairs]
    told(state, "diagrams", diagrams)
    os._exit(0)


STEPS = (
    ["legacy"],
    ["published"],
    ["sealed"],
    ["dead", "0"],
    ["dead", "1"],
    ["dead", "2"],
    ["waiting"],
    ["late"],
    ["torn"],
    # published once in the order of random names, segments first; then more than is kept, so that rows retire out of
    # order; then pending journals and segments, one of them torn
    ["emitted", "many", "0", "100", "0", "ssp"],
    ["emitted", "many", "1000", "60", "150", "spss"],
    ["emitted", "many", "2000", "40", "150", "sp"],
    ["emitted", "many", "3000", "30", "0", "sft"],
    ["emitted", "clock", "0", "30", "0", "bsp"],
    ["emitted", "clock", "1000", "30", "0", "bs"],
    # more than is kept at once, by two writers
    ["emitted", "kept", "0", "50", "60", "sspsp"],
    ["emitted", "kept", "1000", "50", "60", "ssp"],
    ["emitted", "kept", "2000", "15", "60", "s"],
    ["monitors"],
)


def rows_of(state: Path) -> dict:
    """What this code reads of everything at the end, without changing it."""
    from toriwork import TorusRegistry
    from toriwork.synthesis.log import TokenLog

    kept = TorusRegistry(state / "torus_registry.parquet", read_only=True)
    columns = ["row_id", "shape_id", "timestamp", "betti_status"]
    rows = kept.scan(columns).read_all().sort_by("row_id").to_pylist()
    logs = {}
    for path in sorted(state.glob("*.parquet")):
        if path.stem in ("many", "clock", "kept", "observer_tokens"):
            log = TokenLog(path, read_only=True)
            found = log.rows().to_pylist()
            report = log.verify()
            logs[path.stem] = {
                "rows": len(found),
                "published": report.n_rows - report.n_unpublished,
                "retired": report.n_retired,
                "findings": len(report.findings) + report.n_more,
                "digest": digest(found),
            }
    return {"read": [{**row, "timestamp": row["timestamp"].isoformat()} for row in rows], "logs": logs}


def digest(rows: list[dict]) -> str:
    """A hash over what no publish changes of the rows of a token log, in the order of their ids."""
    columns = ("row_id", "token_id", "timestamp", "body", "given_timestamp", "sequence", "writer", "link")
    lines = sorted(json.dumps([str(row[column]) for column in columns]) for row in rows)
    return hashlib.blake2b("\n".join(lines).encode(), digest_size=16).hexdigest()


def main(folder: Path) -> None:
    state = folder / "state"
    state.mkdir(parents=True)
    for step in STEPS:
        subprocess.run([sys.executable, __file__, str(state), *step], check=True)
    expected: dict = {"commit": COMMIT, "rows": [], **rows_of(state)}
    for key, value in map(json.loads, (folder / "told.jsonl").read_text().splitlines()):
        if key == "row":
            expected["rows"].append(value)
        else:
            expected[key] = value
    (folder / "expected.json").write_text(json.dumps(expected, separators=(",", ":"), ensure_ascii=False) + "\n")
    with tarfile.open(folder / "state.tar.gz", "w:gz") as tar:
        tar.add(state, "state", filter=lambda found: found.replace(uid=0, gid=0, uname="", gname="", deep=False))


if __name__ == "__main__":
    random.seed(0)
    where, *step = sys.argv[1:]
    if step:
        still()
        globals()[step[0]](Path(where), *step[1:])
    else:
        main(Path(where))
