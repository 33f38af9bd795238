"""The text and the HTML of diagrams and estimates: one set of facts, two renderings. No figure is drawn here."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toriwork.printed import html_table, text_table

#: where a rule keeps its bars, the best refused one behind those that count: the word for their last entry
_MEASURES = {"features": "log-odds", "merges": "log-odds", "margins": "margin", "p_values": "p-value"}
_SHOWN = 12  #: so many bars that count are in the evidence at most
_HEADINGS = ("", "bars", "essential", "censored", "longest", "born", "dies")


def bar_row(k: int, bars: NDArray[np.float64], n_censored: int) -> tuple[str, ...]:
    """One row of the table: dimension, counts, and the longest finite bar of H_k."""
    finite = bars[np.isfinite(bars[:, 1])]
    counts = (f"H{k}", str(len(bars)), str(len(bars) - len(finite) - n_censored), str(n_censored))
    if not len(finite):
        return (*counts, "-", "-", "-")
    birth, death = finite[(finite[:, 1] - finite[:, 0]).argmax()].tolist()
    return (*counts, *(f"{value:.4g}" for value in (death - birth, birth, death)))


def diagram_text(lines: Sequence[str], rows: Iterable[tuple[str, ...]]) -> str:
    """Plain text: the statements on one line, an aligned table below."""
    return "\n".join(["Diagram: " + "; ".join(lines), *text_table([_HEADINGS, *rows], right=True)])


def diagram_html(lines: Sequence[str], rows: Iterable[tuple[str, ...]]) -> str:
    """The same as a small HTML table without scripts or outside resources."""
    caption = "<br>".join(html.escape(line) for line in lines)
    return f"<div><b>Diagram</b><br>{caption}{html_table(_HEADINGS, rows)}</div>"


def representative_text(facts: Sequence[tuple[str, str]]) -> str:
    """Plain text: one line per fact."""
    return "Representative: " + "\n  ".join(f"{name} {value}" for name, value in facts)


def representative_html(facts: Sequence[tuple[str, str]]) -> str:
    """The same as a small HTML table."""
    rows = "".join(f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>" for name, value in facts)
    return f"<div><b>Representative</b><table><tbody>{rows}</tbody></table></div>"


def evidence_row(k: int, number: float, evidence: Mapping[str, Any], essential: int) -> tuple[str, str, str]:
    """Dimension, Betti number, and why: the bars that count and the best that does not, by their measure.

    ``essential`` classes of H_k count without evidence.
    """
    shown = "undecided" if math.isnan(number) else f"{number:g}"
    if "reason" in evidence:
        return f"H{k}", shown, str(evidence["reason"])
    name = next((name for name in _MEASURES if name in evidence), "features")
    bars = [*evidence.get(name, []), *([evidence["next"]] if "next" in evidence else [])]
    values = [f"{bar[-1]:.3g}" for bar in bars]
    if math.isnan(number):
        return f"H{k}", shown, f"{_MEASURES[name]} {', '.join(values)} decides neither way"
    measure, count = _MEASURES[name], min(max(int(number) - essential, 0), _SHOWN)
    if not bars:
        return f"H{k}", shown, "no other bar"
    if not count:
        return f"H{k}", shown, f"no other bar counts, {measure} of the best {values[-1]}"
    following = f", of the next bar {values[-1]}" if len(bars) > count else ""
    return f"H{k}", shown, f"{measure} {_and(values[:count])}{following}"


def estimate_text(made: str, rows: Sequence[tuple[str, str, str]]) -> str:
    """One sentence: the numbers, how they were made, and the evidence for each."""
    numbers = ", ".join(f"b{k} = {number}" for k, (_, number, _) in enumerate(rows))
    return f"Betti numbers {numbers} ({made}): " + "; ".join(f"{name} {why}" for name, _, why in rows)


def estimate_html(made: str, rows: Sequence[tuple[str, str, str]]) -> str:
    """The same as a small HTML table."""
    table = html_table(("", "Betti number", "evidence"), rows)
    return f"<div><b>Betti numbers</b><br>{html.escape(made)}{table}</div>"


def _and(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
