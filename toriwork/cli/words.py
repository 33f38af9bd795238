"""Betti numbers and findings in words, printed so that no sign steers a terminal."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from toriwork.printed import several_lines

if TYPE_CHECKING:
    from toriwork.cli.first_look import Finding, FirstLook

FEATURES = ("component", "loop", "void")


def say(told: object, *, error: bool = False) -> None:
    """Print something as text, signs that could steer a terminal written out; ``error``: to stderr."""
    print(several_lines(str(told)), file=sys.stderr if error else sys.stdout)


def betti_words(numbers: Sequence[float]) -> str:
    """Betti numbers in words: ``1 component, no loops``; an undecided one is ``loops undecided``."""
    return ", ".join(_counted(number, k) for k, number in enumerate(numbers))


def finding_line(finding: Finding) -> str:
    """One cloud in one line: its name, number of points, what was expected and what was found."""
    found = betti_words(finding.betti)
    head = f"{finding.cloud.name}: {len(finding.cloud.points)} points, "
    if finding.cloud.expected is None:
        return f"{head}nothing known beforehand; found {found}"
    if finding.verdict == "as expected":
        return f"{head}expected and found {found}"
    return f"{head}expected {betti_words(finding.cloud.expected)}; found {found}"


def summary_line(look: FirstLook) -> str:
    """The number of clouds of known shape that were found to have it."""
    known = [finding for finding in look.findings if finding.cloud.expected is not None]
    right = sum(finding.verdict == "as expected" for finding in known)
    return f"{right} of {len(known)} clouds whose shape is known were found to have it."


def readers_line(look: FirstLook) -> str:
    """The rows that other readers see in the published file."""
    seen = ", ".join(f"{reader} reads {n_rows} rows" for reader, n_rows in look.n_rows.items())
    missing = "" if "DuckDB" in look.n_rows else " (DuckDB is not installed: pip install 'toriwork[demo]')"
    return f"{seen}{missing}; {len(look.findings)} were recorded now, {look.n_rows_before} were there before."


def _counted(number: float, k: int) -> str:
    noun = FEATURES[k] if k < len(FEATURES) else f"class of dimension {k}"
    plural = noun.replace("class", "classe") + "s" if k < len(FEATURES) else noun.replace("class", "classes")
    if math.isnan(number):
        return f"{plural} undecided"
    return f"{int(number) or 'no'} {noun if number == 1 else plural}"
