"""The corpus: what must be found and what must be left alone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"


@dataclass(frozen=True)
class Case:
    """One file of the corpus."""

    path: str  #: as a report names it
    kind: str
    expected: bool  #: whether a finding is


CASES = tuple(
    Case(str(CORPUS / entry["file"]), entry["class"], entry["expect"] == "found")
    for entry in json.loads((CORPUS / "index.json").read_text(encoding="utf-8"))
)
