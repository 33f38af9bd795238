"""What a soak test has been promised, and whether all of it is there: nothing lost, nothing twice, nothing damaged."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toriwork.cli.soak_worker import HANDLED, LOG, REGISTRY, ROW, ROWS_PER_TOKEN, TOKEN, cloud, desk
from toriwork.errors import ToriworkError

Key = tuple[int, int]  #: a writer and the number of its row
_MOST_NAMED = 3
_MOST_AGE = 120.0  #: seconds: a row is public within a minute, and a writer may be stopped or killed meanwhile


@dataclass(frozen=True, slots=True)
class Inspection:
    """What one look at a registry and a log found."""

    n_rows: int = 0  #: of this run
    n_tokens: int = 0
    findings: tuple[str, ...] = ()


class Ledger:
    """The promises of all writers of one run, dead ones included, and what was seen of them so far."""

    def __init__(self, folder: Path, run: str) -> None:
        self._folder = folder
        self._run = run
        self._promised: dict[int, Counter[int]] = {}
        self._seen: dict[str, set[Key]] = {"row": set(), "token": set()}
        self._in_copy: set[str] = set()

    def read_promises(self, alive: Collection[int]) -> None:
        """Take in what the writers were promised by now; files of those that are not alive are done with."""
        for file in sorted(desk(self._folder, self._run).glob("*.promises")):
            number = int(file.stem)
            ended = number not in alive  # asked before the file is read: nothing is added to it any more
            self._promised[number] = Counter(file.read_bytes())
            if ended:
                file.unlink()

    @property
    def n_promised(self) -> int:
        """Rows and tokens that were promised."""
        return sum(promised.total() for promised in self._promised.values())

    def inspect(self) -> Inspection:
        """Compare what was promised and seen so far with what is there now, and check every file."""
        try:
            rows, wrong = self._rows()
            tokens = Counter(self._tokens())
            findings = [
                *self._compare("row", rows, 1, ROW),
                *wrong,
                *self._compare("token", tokens, ROWS_PER_TOKEN, TOKEN),
            ]
            findings += self._verify()
            findings += self._copied()
        except ToriworkError as error:
            return Inspection(findings=(f"damaged: {error}",))
        return Inspection(rows.total(), tokens.total(), tuple(findings))

    def _compare(self, noun: str, there: Counter[Key], step: int, sign: bytes) -> Iterator[str]:
        promised = {(number, n * step) for number, counts in self._promised.items() for n in range(counts[sign[0]])}
        if noun == "row":
            promised |= {
                (number, -1 - n) for number, counts in self._promised.items() for n in range(counts[HANDLED[0]])
            }
        lost = (promised | self._seen[noun]) - set(there)
        if lost:
            yield f"lost: {_named(noun, lost)}"
        doubled = [key for key, times in there.items() if times > 1]
        if doubled:
            yield f"doubled: {_named(noun, doubled)}"
        self._seen[noun] |= set(there)

    def _rows(self) -> tuple[Counter[Key], list[str]]:
        """The rows of this run, and which of those not seen before are not what was recorded."""
        from toriwork.registry import TorusRegistry

        there: Counter[Key] = Counter()
        wrong: list[Key] = []
        with TorusRegistry(self._folder / REGISTRY, read_only=True) as registry:
            order: dict[int, list[tuple[str, int]]] = {}
            for batch in registry.scan(["metadata", "vertices", "row_id"]):
                for place, text in enumerate(batch["metadata"].to_pylist()):
                    key = self._mine(json.loads(text or "{}"), "soak", "writer")
                    if key is None:
                        continue
                    there[key] += 1
                    if key[1] >= 0:
                        order.setdefault(key[0], []).append((batch["row_id"][place].as_py(), key[1]))
                    if key not in self._seen["row"] and not _is_cloud(batch["vertices"][place], *key):
                        wrong.append(key)
            age = registry.get_statistics()["pending_age_seconds"] or 0.0
        told = [f"damaged: {_named('row', wrong)} with other points than were recorded"] if wrong else []
        told += [
            f"disordered: the rows of writer {number} do not follow each other by row id"
            for number, rows in order.items()
            if [n for _, n in sorted(rows)] != sorted(n for _, n in rows)
        ]
        told += [f"late: a row is not public after {age:.0f} s"] if age > _MOST_AGE else []
        return there, told

    def _tokens(self) -> Iterator[Key]:
        from toriwork.synthesis.log import TokenLog

        with closing(TokenLog(self._folder / LOG, read_only=True)) as log:
            for batch in log.batches(["body"]):
                for text in batch["body"].to_pylist():
                    core = json.loads(text)
                    key = self._mine({**core["m"], "writer": str(core["source"])[len("writer ") :]}, "run", "writer")
                    if key is not None:
                        yield key

    def _copied(self) -> Iterator[str]:
        """What is wrong with a copy of the public file, made at any moment as a backup makes it."""
        import pyarrow.parquet as pq

        copy = desk(self._folder, self._run) / "copy.parquet"
        shutil.copyfile(self._folder / REGISTRY, copy)
        rows = pq.ParquetFile(copy, page_checksum_verification=True).read(["row_id"])["row_id"].to_pylist()
        copy.unlink()
        if len(set(rows)) < len(rows):
            yield f"doubled: {len(rows) - len(set(rows))} rows in a copy of the public file"
        if self._in_copy - set(rows):
            yield f"lost: {len(self._in_copy - set(rows))} rows of an earlier copy of the public file"
        self._in_copy = set(rows)

    def _mine(self, facts: dict[str, Any], run: str, writer: str) -> Key | None:
        return (int(facts[writer]), int(facts["n"])) if facts.get(run) == self._run else None

    def _verify(self) -> Iterator[str]:
        from toriwork.registry import TorusRegistry
        from toriwork.synthesis.log import TokenLog

        with TorusRegistry(self._folder / REGISTRY, read_only=True) as registry:
            yield from (f"damaged: {finding}" for finding in registry.verify().findings)
        with closing(TokenLog(self._folder / LOG, read_only=True)) as log:
            yield from (f"damaged: {finding}" for finding in log.verify().findings)


def _is_cloud(found: Any, number: int, n: int) -> bool:
    return bool(found.is_valid) and np.array_equal(found.values.to_numpy(), cloud(number, n).ravel())


def _named(noun: str, keys: Collection[Key]) -> str:
    """How many there are, and the first of them."""
    first = ", ".join(f"number {n} of writer {number}" for number, n in sorted(keys)[:_MOST_NAMED])
    more = " ..." if len(keys) > _MOST_NAMED else ""
    return f"{len(keys)} {noun}{'s' * (len(keys) != 1)} ({first}{more})"
