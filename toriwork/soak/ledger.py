"""The comparison of what the writers were promised with what is there: lost, doubled, disordered, late, damaged."""

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

from toriwork.errors import ToriworkError
from toriwork.soak.history import History
from toriwork.soak.worker import HANDLED, LOG, REGISTRY, ROW, ROWS_PER_TOKEN, TOKEN, cloud, run_folder

Key = tuple[int, int]  #: a writer and the number of its row
_MOST_NAMED = 3
_MOST_AGE = 120.0  #: seconds: a row is public within a minute, and a writer may be stopped or killed meanwhile


@dataclass(frozen=True, slots=True)
class Inspection:
    """The counts and findings of one look at the registry and the log."""

    n_rows: int = 0  #: of this run
    n_tokens: int = 0
    generation: int = 0  #: of the registry
    findings: tuple[str, ...] = ()


class Ledger:
    """The promises to all writers of one run, dead ones included, and the rows and tokens seen so far."""

    def __init__(self, folder: Path, run: str, history: History) -> None:
        self._folder = folder
        self._run = run
        self._history = history
        self._promised: dict[int, Counter[int]] = history.buried()
        self._seen: dict[str, set[Key]] = {"row": set(), "token": set()}
        self._in_copy: set[str] = set()

    def read_promises(self, alive: Collection[int]) -> None:
        """Count what the writers were promised by now; of those that are not ``alive`` the history keeps it."""
        for file in sorted(run_folder(self._folder, self._run).glob("*.promises")):
            number = int(file.stem)
            self._promised[number] = Counter(file.read_bytes())
            if number not in alive:
                self._history.add("dead", number=number, promised=self._promised[number])
                file.unlink()

    @property
    def n_promised(self) -> int:
        """The number of rows and tokens that were promised."""
        return sum(promised.total() for promised in self._promised.values())

    def inspect(self) -> Inspection:
        """Compare the promises and what was seen before with what is there now, and verify both stores."""
        try:
            rows, wrong, generation = self._rows()
            tokens = Counter(self._tokens())
            findings = [*self._compare("row", rows), *wrong, *self._compare("token", tokens)]
            findings += [*self._verify(), *self._copied()]
        except ToriworkError as error:
            return Inspection(findings=(f"damaged: {error}",))
        return Inspection(rows.total(), tokens.total(), generation, tuple(findings))

    def missing_in(self, restored: Path) -> list[str]:
        """Findings about a restored registry: promised rows that it lacks, doubled ones, other points."""
        rows, wrong, _ = self._rows(restored, known=set())
        lost = self._promised_keys("row") - set(rows)
        doubled = [key for key, times in rows.items() if times > 1]
        named = [(words, keys) for words, keys in (("lost", lost), ("doubled", doubled)) if keys]
        return [f"{words}: {_named('row', keys)}, in a restored backup" for words, keys in named] + wrong

    def _compare(self, noun: str, there: Counter[Key]) -> Iterator[str]:
        if lost := (self._promised_keys(noun) | self._seen[noun]) - set(there):
            yield f"lost: {_named(noun, lost)}"
        if doubled := [key for key, times in there.items() if times > 1]:
            yield f"doubled: {_named(noun, doubled)}"
        self._seen[noun] |= set(there)

    def _promised_keys(self, noun: str) -> set[Key]:
        keys: set[Key] = set()
        for number, counts in self._promised.items():
            if noun == "token":
                keys |= {(number, n * ROWS_PER_TOKEN) for n in range(counts[TOKEN[0]])}
            else:
                keys |= {(number, n) for n in range(-counts[HANDLED[0]], counts[ROW[0]])}
        return keys

    def _rows(
        self, folder: Path | None = None, known: Collection[Key] | None = None
    ) -> tuple[Counter[Key], list[str], int]:
        """Count the rows of this run, check the points of those not ``known``, their order, their age; the generation.

        Of the registry of the run, or a restored one.
        """
        known = self._seen["row"] if known is None else known
        from toriwork.registry import TorusRegistry

        there: Counter[Key] = Counter()
        wrong: list[Key] = []
        with TorusRegistry((folder or self._folder) / REGISTRY, read_only=True) as registry:
            order: dict[int, list[tuple[str, int]]] = {}
            for batch in registry.scan(["metadata", "vertices", "row_id"]):
                for place, text in enumerate(batch["metadata"].to_pylist()):
                    key = self._mine(json.loads(text or "{}"), "soak", "writer")
                    if key is None:
                        continue
                    there[key] += 1
                    if key[1] >= 0:
                        order.setdefault(key[0], []).append((batch["row_id"][place].as_py(), key[1]))
                    if key not in known and not _is_cloud(batch["vertices"][place], *key):
                        wrong.append(key)
            statistics = registry.get_statistics()
        age = statistics["pending_age_seconds"] or 0.0
        findings = [f"damaged: {_named('row', wrong)} with other points than were recorded"] if wrong else []
        findings += [
            f"disordered: the rows of writer {number} do not follow each other by row id"
            for number, rows in order.items()
            if [n for _, n in sorted(rows)] != sorted(n for _, n in rows)
        ]
        findings += [f"late: a row is not public after {age:.0f} s"] if age > _MOST_AGE else []
        return there, findings, statistics["generation"]

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
        """Check a copy of the public file, made while others write, as a backup makes it."""
        import pyarrow.parquet as pq

        copy = run_folder(self._folder, self._run) / "copy.parquet"
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
    """The number of rows or tokens, and the first of them."""
    first = ", ".join(f"number {n} of writer {number}" for number, n in sorted(keys)[:_MOST_NAMED])
    more = " ..." if len(keys) > _MOST_NAMED else ""
    return f"{len(keys)} {noun}{'s' * (len(keys) != 1)} ({first}{more})"
