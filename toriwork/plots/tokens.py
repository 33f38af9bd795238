"""Observer tokens: when which was emitted, what rests on what, and where the budget of a context went."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from toriwork.errors import BadInput
from toriwork.plots.options import styled
from toriwork.plots.style import INK, MUTED, axes_or_current, look, mark_dates
from toriwork.plots.text_alternative import TextAlternative, counted
from toriwork.synthesis.occurrences import Occurrence, orders_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from toriwork.synthesis import Selection

Along = Literal["time", "number"]
MOST_LANES = 12  #: more observers than fit on an axis share the last lane
OTHERS = "others"
SUPPRESSED = "suppressed"
_LABEL = 28  # characters


@dataclass(frozen=True, slots=True)
class Timeline:
    """Emissions in the order of time, each on the lane of its source and type."""

    times: tuple[dt.datetime, ...]
    lanes: tuple[int, ...]
    orders: tuple[int, ...]  #: of the reflexive loop that each closes, 0 for none
    summaries: tuple[bool, ...]  #: True for a summary of emissions that were held back
    names: tuple[str, ...]  #: of the lanes


@styled
def plot_tokens(observers: Any, *, ax: Axes | None = None, along: Along = "time") -> Axes:
    """The axes with a mark for each emission, a lane for each source and type, and a ring round what closes a loop.

    Parameters
    ----------
    observers : ObserverSynthesis or iterable of Occurrence
        Whose newest emissions to draw, or which.
    ax : Axes, optional
        Where to draw; None means pyplot's current axes.
    along : {"time", "number"}
        What goes across: the time in UTC, or the number of the emission, which is the same in every run.

    Raises
    ------
    BadInput
        What is given holds no emissions, or ``along`` is neither of the two.

    Examples
    --------
    >>> from toriwork import ObserverSynthesis, plot_tokens
    >>> observers = ObserverSynthesis()
    >>> token = observers.emit_token({"type": "probe", "source": "lab", "value": 1})
    >>> [text.get_text() for text in plot_tokens(observers).get_yticklabels()]
    ['lab, probe']
    """
    timeline = read_timeline(observers)
    _check_along(along)
    axes = axes_or_current(ax)
    across: Sequence[Any] = timeline.times if along == "time" else range(1, len(timeline.times) + 1)
    plain, loop, summary = look(0), look(1), look(3)
    marks = list(zip(across, timeline.lanes, timeline.orders, timeline.summaries, strict=True))
    _scatter(
        axes, [mark[:2] for mark in marks if not mark[3]], marker=plain.marker, s=18, color=plain.colour, label="token"
    )
    _scatter(
        axes, [m[:2] for m in marks if m[2]], marker=loop.marker, s=70, fc="none", ec=loop.colour, label="closes a loop"
    )
    _scatter(
        axes,
        [m[:2] for m in marks if m[3]],
        marker=summary.marker,
        s=26,
        color=summary.colour,
        label="suppressed",
    )
    axes.set_yticks(range(len(timeline.names)), timeline.names, parse_math=False)
    axes.set_ylim(len(timeline.names) - 0.4, -0.6)
    if along == "number":
        axes.set_xlabel("emission", color=INK)
        _mark_numbers(axes)
    else:
        mark_dates(axes)
    if any(timeline.orders) or any(timeline.summaries):
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, handletextpad=0.1, columnspacing=0.8)
    return axes


def describe_tokens(observers: Any, *, along: Along = "time") -> TextAlternative:
    """The text alternative of :func:`plot_tokens`; times are in it only when they are in the picture."""
    timeline = read_timeline(observers)
    _check_along(along)
    counts, loops = Counter(timeline.lanes), Counter[int]()
    for lane, order in zip(timeline.lanes, timeline.orders, strict=True):
        loops[lane] += order > 0
    rows = tuple((name, str(counts[lane]), str(loops[lane])) for lane, name in enumerate(timeline.names))
    when = ""
    if along == "time" and timeline.times:
        when = f", from {_stamp(timeline.times[0])} to {_stamp(timeline.times[-1])} UTC"
    n_loops = sum(order > 0 for order in timeline.orders)
    of = f" of {counted(len(timeline.names), 'observer')}" if timeline.names else ""
    sentence = f"{counted(len(timeline.times), 'emission').capitalize()}{of}{when}; {n_loops} of them close a loop."
    return TextAlternative(sentence, ("source, type", "emissions", "loops"), rows)


def read_timeline(observers: Any) -> Timeline:
    """The emissions of an ObserverSynthesis, or those given, in the order of time."""
    found = read_occurrences(observers)
    cores = [one.core for one in found]
    kinds = [(core.source, core.type) for core in cores]
    ranked = [kind for kind, _ in Counter(kinds).most_common()]
    shown = sorted(ranked[: MOST_LANES if len(ranked) <= MOST_LANES else MOST_LANES - 1], key=str)
    lanes = {kind: lane for lane, kind in enumerate(shown)}
    names = tuple(plain_words(f"{source or '–'}, {kind or 'untyped'}") for source, kind in shown)
    return Timeline(
        times=tuple(one.time for one in found),
        lanes=tuple(lanes.get(kind, len(shown)) for kind in kinds),
        orders=tuple(orders_of(found)),
        summaries=tuple(core.type == SUPPRESSED for core in cores),
        names=names if len(shown) == len(ranked) else (*names, OTHERS),
    )


def read_occurrences(observers: Any) -> list[Occurrence]:
    """The newest emissions of an ObserverSynthesis, or those given, in the order of time; BadInput for others."""
    if hasattr(observers, "occurrences"):
        found: list[Any] = observers.occurrences()
    else:
        found = list(observers) if isinstance(observers, Iterable) else [observers]
    for one in found:
        if not isinstance(one, Occurrence):
            raise BadInput(f"tokens: expected an ObserverSynthesis or its occurrences, got {one!r:.80}")
    return sorted(found)


@styled
def plot_context(selection: Selection, *, ax: Axes | None = None) -> Axes:
    """The axes with a bar for each chosen token, one behind the other, as long as its line; the limit a dashed line.

    Parameters
    ----------
    selection : Selection
        The answer of ``select_context`` or ``as_of``.
    ax : Axes, optional
        Where to draw; None means pyplot's current axes.

    Examples
    --------
    >>> from toriwork import ObserverSynthesis, plot_context
    >>> observers = ObserverSynthesis()
    >>> observers.add_to_context(observers.emit_token({"type": "probe", "source": "lab", "value": 1}))
    True
    >>> type(plot_context(observers.select_context())).__name__
    'Axes'
    """
    axes = axes_or_current(ax)
    frame, limit = look(2), selection.limits.get("characters")
    bars = _bars(selection)
    for row, (name, start, length) in enumerate(bars):
        colour = frame.colour if name == _FRAME else look(0).colour
        axes.barh(row, length, left=start, color=colour, height=0.7)
    if limit is not None:
        axes.axvline(limit, color=look(1).colour, linestyle=look(1).line)
        axes.annotate(f"limit {limit}", (limit, 1), (-3, 3), ("data", "axes fraction"), "offset points", ha="right")
    axes.set_yticks(range(len(bars)), [name for name, _, _ in bars], parse_math=False)
    axes.set_ylim(max(len(bars), 1) - 0.4, -0.6)
    axes.set_xlim(0, 1.03 * max(selection.used["characters"], limit or 1))
    axes.set_xlabel("characters of the text", color=INK)
    if selection.omitted:
        words = "\n".join(f"{count} {_SHORT_REASONS[reason.name]}" for reason, count in selection.reasons.items())
        axes.text(0.02, 0.02, f"left out:\n{words}", transform=axes.transAxes, color=MUTED, va="bottom")
    return axes


def describe_context(selection: Selection) -> TextAlternative:
    """The text alternative of :func:`plot_context`."""
    n_tokens = len(selection.chosen) + len(selection.omitted)
    of = f"{len(selection.chosen)} of {counted(n_tokens, 'token')} chosen" if n_tokens else "Empty context"
    used = ", ".join(
        f"{used} of {selection.limits[unit]} {unit}" if unit in selection.limits else f"{used} {unit}"
        for unit, used in selection.used.items()
    )
    reasons = "".join(f"; {count} {_SHORT_REASONS[reason.name]}" for reason, count in selection.reasons.items())
    sentence = f"{of}: {used}{reasons}."
    rows = tuple((name, str(start), str(start + length)) for name, start, length in _bars(selection))
    return TextAlternative(sentence, ("token", "from character", "to"), rows)


_FRAME = "introduction, fences, summary"
_MOST_BARS = 24
_SHORT_REASONS = {
    "SUPERSEDED": "superseded",
    "BELOW_FLOOR": "below the floor",
    "QUOTA": "beyond the quota",
    "TOO_LARGE": "larger than the budget",
    "OVER_BUDGET": "over the budget",
}


def _bars(selection: Selection) -> list[tuple[str, int, int]]:
    """The parts of the text: name, first character, length; tokens that are too many to show share a bar."""
    total = selection.used["characters"]
    lengths = [len(f"{number}. {found.line}\n") for number, found in enumerate(selection.chosen, 1)]
    names = [plain_words(f"{found.observer[1] or 'untyped'} {found.weight:.2f}") for found in selection.chosen]
    if len(lengths) > _MOST_BARS:
        names = [*names[: _MOST_BARS - 1], f"{len(names) - _MOST_BARS + 1} more"]
        lengths = [*lengths[: _MOST_BARS - 1], sum(lengths[_MOST_BARS - 1 :])]
    bars, start = [(_FRAME, 0, total - sum(lengths))], total - sum(lengths)
    for name, length in zip(names, lengths, strict=True):
        bars.append((name, start, length))
        start += length
    return bars if total else []


def plain_words(text: str) -> str:
    """A text of others as it can be drawn: no signs that a font lacks, no line ends, cut."""
    words = text.replace("–", "-").encode("ascii", "backslashreplace").decode()
    words = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in words)
    return words if len(words) <= _LABEL else f"{words[: _LABEL - 1]}…"


def _scatter(axes: Axes, points: list[tuple[Any, int]], **options: Any) -> None:
    if points:
        axes.scatter([x for x, _ in points], [y for _, y in points], **options)


def _mark_numbers(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))  # there is no emission 2.5


def _check_along(along: str) -> None:
    if along not in ("time", "number"):
        raise BadInput(f"along: expected 'time' or 'number', got {along!r}")


def _stamp(time: dt.datetime) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")
