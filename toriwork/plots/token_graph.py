"""The references between tokens: a graph from left to right, loops of an observer upon itself marked."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toriwork.plots.options import styled
from toriwork.plots.style import INK, MUTED, axes_or_current, look
from toriwork.plots.text_alternative import TextAlternative, counted
from toriwork.plots.tokens import plain_words, read_occurrences
from toriwork.synthesis.occurrences import orders_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_NODES = 60  #: tokens; of more, the newest are drawn
_MOST_NAMED = 24
_SHORT = slice(3, 11)
_RING: dict[str, Any] = {"marker": look(1).marker, "s": 95, "facecolor": "none", "edgecolor": look(1).colour}
_NAME: dict[str, Any] = {"textcoords": "offset points", "ha": "center", "va": "top", "fontsize": 7, "color": INK}
_UNKNOWN: dict[str, Any] = {"marker": "D", "s": 28, "facecolor": "white", "edgecolor": MUTED}


@dataclass(frozen=True, slots=True)
class Node:
    """A token in the picture."""

    token: str
    name: str
    column: int  #: the longest chain of references below it
    row: float  #: the middle of its column is 0
    order: int  #: of the loop that it closes, 0 for none, -1 where the token itself is not known


@dataclass(frozen=True, slots=True)
class Graph:
    """Tokens and their references."""

    nodes: dict[str, Node]
    edges: tuple[tuple[str, str], ...]  #: from a token to what it rests on
    n_left_out: int  #: older tokens that are not drawn


@styled
def plot_token_graph(observers: Any, *, ax: Axes | None = None) -> Axes:
    """The axes with a disc for each token and an arrow to each token that it rests on.

    What rests on nothing stands on the left. A square ring with a number is a token that closes a loop, which is how
    often its own observer stands among its ancestors; an open diamond is a reference that leads to nothing here.

    Parameters
    ----------
    observers : ObserverSynthesis or iterable of Occurrence
        Whose newest tokens to draw, or which; at most 60.
    ax : Axes, optional
        Where to draw; None means pyplot's current axes.

    Raises
    ------
    BadInput
        What is given holds no emissions.

    Examples
    --------
    >>> from toriwork import ObserverSynthesis, plot_token_graph
    >>> observers = ObserverSynthesis()
    >>> token = observers.emit_token({"type": "probe", "source": "lab", "value": 1})
    >>> again = observers.emit_token({"type": "sum", "source": "lab", "value": 2, "refs": [token]})
    >>> type(plot_token_graph(observers)).__name__
    'Axes'
    """
    graph = read_graph(observers)
    axes = axes_or_current(ax)
    plain, loop = look(0), look(1)
    for start, end in graph.edges:
        there, here = graph.nodes[start], graph.nodes[end]
        arrow = {"arrowstyle": "-|>", "color": loop.colour if there.order > 0 else MUTED, "shrinkA": 5, "shrinkB": 5}
        axes.annotate("", (here.column, here.row), (there.column, there.row), arrowprops=arrow)
    for node in graph.nodes.values():
        if node.order < 0:
            axes.scatter(node.column, node.row, zorder=3, **_UNKNOWN)
        else:
            axes.scatter(node.column, node.row, marker=plain.marker, s=30, color=plain.colour, zorder=3)
        if node.order > 0:
            axes.scatter(node.column, node.row, zorder=4, **_RING)
            place = (node.column, node.row)
            axes.annotate(str(node.order), place, (8, 5), textcoords="offset points", fontsize=7, color=loop.colour)
        if len(graph.nodes) <= _MOST_NAMED:
            axes.annotate(node.name, (node.column, node.row), (0, -8), parse_math=False, **_NAME)
    _frame(axes, graph)
    return axes


def describe_token_graph(observers: Any) -> TextAlternative:
    """The text alternative of :func:`plot_token_graph`."""
    graph = read_graph(observers)
    known = [node for node in graph.nodes.values() if node.order >= 0]
    loops = sum(node.order > 0 for node in known)
    rests = Counter(start for start, _ in graph.edges)
    sentence = (
        f"{counted(len(known), 'token').capitalize()} with {counted(len(graph.edges), 'reference')}; "
        f"{loops} of them in a loop, {len(graph.nodes) - len(known)} referred to and not known"
    )
    sentence += f"; {graph.n_left_out} older ones are not shown." if graph.n_left_out else "."
    rows = tuple(
        (node.token[_SHORT], node.name, str(rests[node.token]), str(node.column), str(node.order or "–"))
        for node in known
    )
    return TextAlternative(sentence, ("token", "type", "rests on", "depth", "order"), rows)


def read_graph(observers: Any) -> Graph:
    """The newest tokens of an ObserverSynthesis, or of emissions that are given, and their references."""
    occurrences = read_occurrences(observers)
    order_of = {one.token: order for one, order in zip(occurrences, orders_of(occurrences), strict=True)}
    newest = {one.token: one for one in occurrences}
    shown = set(list(dict.fromkeys(one.token for one in reversed(occurrences)))[:MOST_NODES])
    drawn = {token: one for token, one in newest.items() if token in shown}
    edges = tuple((token, ref) for token, one in drawn.items() for ref in one.refs if ref in drawn or ref not in newest)
    unknown = dict.fromkeys(ref for _, ref in edges if ref not in drawn)
    columns = _columns({token: [ref for start, ref in edges if start == token] for token in drawn})
    rows = Counter[int]()
    heights = Counter(columns[token] for token in [*drawn, *unknown])
    nodes = {}
    for token in [*unknown, *drawn]:
        column = columns[token]
        row = (heights[column] - 1) / 2 - rows[column]
        rows[column] += 1
        name = plain_words(drawn[token].core.type or "untyped") if token in drawn else "not known"
        nodes[token] = Node(token, name, column, row, order_of[token] if token in drawn else -1)
    return Graph(nodes, edges, len(newest) - len(drawn))


def _columns(rests: dict[str, list[str]]) -> dict[str, int]:
    """The longest chain below each token. Ids are hashes of what they refer to; a cycle, which only forged ones can
    form, is cut where it closes.
    """
    found: dict[str, int] = {}
    waiting, begun = list(rests), set[str]()
    while waiting:
        token = waiting[-1]
        below = rests.get(token, [])
        missing = [ref for ref in below if ref not in found and ref not in begun]
        begun.add(token)
        if missing:
            waiting += missing
            continue
        waiting.pop()
        found.setdefault(token, max((found[ref] + 1 for ref in below if ref in found), default=0))
    return found


def _frame(axes: Axes, graph: Graph) -> None:
    columns = [node.column for node in graph.nodes.values()] or [0]
    rows = [node.row for node in graph.nodes.values()] or [0.0]
    axes.set_xlim(-0.6, max(columns) + 0.6)
    axes.set_ylim(min(rows) - 0.8, max(rows) + 0.8)
    axes.set_xticks(range(max(columns) + 1))
    axes.set_xlabel("longest chain of references below", color=INK)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    if any(node.order > 0 for node in graph.nodes.values()):
        axes.scatter([], [], label="closes a loop (how often)", **_RING)
    if any(node.order < 0 for node in graph.nodes.values()):
        axes.scatter([], [], label="not known", **_UNKNOWN)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, handletextpad=0.1, columnspacing=0.8)
