"""What was promised is looked for; what is lost, doubled or damaged is found and named."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from toriwork.registry import TorusRegistry
from toriwork.soak.history import History
from toriwork.soak.ledger import Ledger
from toriwork.soak.worker import LOG, REGISTRY, cloud, promises_file, run_folder
from toriwork.synthesis import ObserverSynthesis

RUN = "r"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A registry and a log with three rows and one token of writer 7, all of them promised."""
    run_folder(tmp_path, RUN).mkdir()
    with (
        TorusRegistry(tmp_path / REGISTRY) as registry,
        closing(ObserverSynthesis(path=tmp_path / LOG)) as observers,
    ):
        registry.record_shape(np.eye(2))  # of somebody else
        observers.emit_token({"type": "other"})
        for n in range(3):
            record(registry, n)
        observers.emit_token({"type": "soak", "source": "writer 7", "run": RUN, "n": 0})
        registry.flush(publish=True)
    promises_file(tmp_path, RUN, 7).write_bytes(b"rtrr")
    return tmp_path


def record(registry: TorusRegistry, n: int, points: np.ndarray | None = None) -> None:
    points = cloud(7, n) if points is None else points
    registry.record_shape(points, (1.0, 0.0), metadata={"soak": RUN, "writer": 7, "n": n})


def ledger_of(folder: Path) -> Ledger:
    return Ledger(folder, RUN, History(folder))


def inspected(ledger: Ledger, alive: Sequence[int] = (7,)) -> tuple[str, ...]:
    ledger.read_promises(alive)
    return ledger.inspect().findings


def test_kept_promises_are_counted_and_what_others_wrote_is_not(folder: Path) -> None:
    ledger = ledger_of(folder)
    assert inspected(ledger) == ()
    found = ledger.inspect()
    assert (found.n_rows, found.n_tokens, ledger.n_promised) == (3, 1, 4)


def test_a_row_more_than_was_promised_is_no_finding(folder: Path) -> None:
    promises_file(folder, RUN, 7).write_bytes(b"rt")
    assert inspected(ledger_of(folder)) == ()


@pytest.mark.parametrize(
    ("promised", "finding"),
    [
        (b"rtrrr", "lost: 1 row (number 3 of writer 7)"),
        (b"rtrrrrrrr", "lost: 5 rows (number 3 of writer 7, number 4 of writer 7, number 5 of writer 7 ...)"),
        (b"rtrrt", "lost: 1 token (number 4 of writer 7)"),
    ],
)
def test_what_was_promised_and_is_not_there_is_lost(folder: Path, promised: bytes, finding: str) -> None:
    promises_file(folder, RUN, 7).write_bytes(promised)
    assert inspected(ledger_of(folder)) == (finding,)


def test_promises_to_the_dead_are_remembered_and_their_file_is_not(folder: Path) -> None:
    ledger = ledger_of(folder)
    promises_file(folder, RUN, 7).write_bytes(b"rrrr")
    ledger.read_promises(alive=())
    assert not promises_file(folder, RUN, 7).exists()
    assert inspected(ledger) == inspected(ledger_of(folder)) == ("lost: 1 row (number 3 of writer 7)",)


def test_what_was_seen_once_has_to_stay_though_nobody_was_promised_it(folder: Path) -> None:
    promises_file(folder, RUN, 7).write_bytes(b"")
    ledger = ledger_of(folder)
    assert inspected(ledger) == ()
    for file in (folder / REGISTRY).with_suffix(".d").iterdir():
        file.unlink()
    (folder / REGISTRY).unlink()
    TorusRegistry(folder / REGISTRY).close()
    lost, of_a_copy = inspected(ledger)
    assert lost.startswith("lost: 3 rows")
    assert of_a_copy == "lost: 4 rows of an earlier copy of the public file"


def test_a_row_that_is_there_twice_is_found(folder: Path) -> None:
    with TorusRegistry(folder / REGISTRY) as registry:
        record(registry, 1)
    assert inspected(ledger_of(folder)) == (
        "doubled: 1 row (number 1 of writer 7)",
        "disordered: the rows of writer 7 do not follow each other by row id",
    )


def test_rows_whose_ids_go_back_are_found(folder: Path) -> None:
    with TorusRegistry(folder / REGISTRY) as registry:
        record(registry, 9)
        record(registry, 8)
    findings = inspected(ledger_of(folder))
    assert findings == ("disordered: the rows of writer 7 do not follow each other by row id",)


def test_a_row_that_waits_too_long_is_late(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with TorusRegistry(folder / REGISTRY) as registry:
        record(registry, 3)
        monkeypatch.setattr("toriwork.soak.ledger._MOST_AGE", -1.0)
        [late] = inspected(ledger_of(folder))
    assert late.startswith("late: a row is not public after")


def test_a_row_of_a_signal_handler_is_promised_like_any_other(folder: Path) -> None:
    with TorusRegistry(folder / REGISTRY) as registry:
        record(registry, -1)
    promises_file(folder, RUN, 7).write_bytes(b"rrrhh")
    ledger = ledger_of(folder)
    ledger.read_promises(alive=())
    assert inspected(ledger) == ("lost: 1 row (number -2 of writer 7)",)


def test_points_that_are_not_those_recorded_are_found(folder: Path) -> None:
    with TorusRegistry(folder / REGISTRY) as registry:
        record(registry, 3, cloud(7, 2))
    assert inspected(ledger_of(folder)) == (
        "damaged: 1 row (number 3 of writer 7) with other points than were recorded",
    )


@pytest.mark.parametrize("name", [REGISTRY, LOG])
def test_a_flipped_byte_is_found(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 3] ^= 1
    (folder / name).write_bytes(content)
    findings = inspected(ledger_of(folder))
    assert findings
    assert all(finding.startswith("damaged: ") for finding in findings)
