"""The state of a diagram explorer: the cloud, its diagram, the scale; it works without any widget."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from toriwork.checks import as_array, check_points, shown
from toriwork.errors import BadInput
from toriwork.plots.bars import last_finite_scale, shown_bars
from toriwork.plots.explorer import Moment, describe_moment
from toriwork.plots.text_alternative import TextAlternative
from toriwork.topology import Diagram, persistence
from toriwork.widgets.growing import GrowingComplex

if TYPE_CHECKING:
    from toriwork.topology.representatives import Representative

PAST_THE_END = 1.06  #: the scale reaches this multiple of the last finite birth or death


class ExplorerState:
    """A walk through the filtration of a cloud or of a diagram; ``moment`` is the complex at the present scale.

    Takes what :class:`toriwork.widgets.DiagramExplorer` takes, and refuses the same.
    """

    def __init__(
        self, data: Any, *, diagram: Diagram | None = None, max_dimension: int = 1, scale: float | None = None
    ) -> None:
        self.points: NDArray[np.float64] | None = None
        if isinstance(data, Diagram):
            if diagram is not None:
                raise BadInput("diagram: expected a cloud with its diagram, or one diagram, got two diagrams")
            self.diagram = data
        else:
            self.points = check_points(data)
            self.diagram = persistence(self.points, max_dimension=max_dimension) if diagram is None else diagram
            _check_same_cloud(self.points, self.diagram)
        rips = self.diagram.filtration == "rips"
        self._complex = GrowingComplex(self.points) if self.points is not None and rips else None
        self.low, self.high = _range(self.diagram)
        self.selection: NDArray[np.intp] = np.zeros(0, dtype=np.intp)  #: indices of points, rising
        self.highlight: tuple[Representative, ...] = ()  #: of the chosen class, none or one
        self.moment = self.move_to(_beginning(self.diagram, self.low, self.high) if scale is None else scale)

    @property
    def scale(self) -> float:
        """The present scale."""
        return self.moment.scale

    @property
    def text(self) -> TextAlternative:
        """The present moment in words and numbers."""
        return describe_moment(self.diagram, self.moment, self.highlight)

    @property
    def complex(self) -> GrowingComplex | None:
        """The Rips complex of the cloud; None where there is no cloud, or the filtration is another."""
        return self._complex

    def move_to(self, scale: float) -> Moment:
        """Go to a finite scale, or to the nearest end of the range, and return the moment there."""
        number: Any = scale
        if not isinstance(number, int | float | np.integer | np.floating) or not -math.inf < number < math.inf:
            raise BadInput(f"scale: expected a finite number, got {shown(scale)}")
        kept = float(min(max(scale, self.low), self.high))
        self.moment = self._complex.at(kept) if self._complex is not None else _without_complex(kept)
        return self.moment

    def choose(self, dimension: int, bar: int) -> Representative:
        """Highlight the class of a bar, a row of ``diagram.in_dimension(dimension)``, and return its representative.

        Raises
        ------
        BadInput
            There is no such bar, no cloud, or no representative of such a bar is known; then none is highlighted.
        """
        self.unchoose()
        if self.points is None:
            raise BadInput("choose: expected a cloud to find the class in, got a diagram alone")
        self.highlight = self.diagram.representatives(dimension, points=self.points, which=bar)
        return self.highlight[0]

    def unchoose(self) -> None:
        """Highlight no class."""
        self.highlight = ()

    def select(self, points: Sequence[int]) -> None:
        """Select points by their indices; BadInput where one is none."""
        n_points = 0 if self.points is None else len(self.points)
        given = as_array(points, name="select")
        if given.size and given.dtype.kind not in "iu":
            raise BadInput(f"select: expected indices of {n_points} points, got {shown(points)}")
        chosen = np.unique(given.astype(np.intp))
        if len(chosen) and not 0 <= chosen[0] <= chosen[-1] < n_points:
            raise BadInput(f"select: expected indices of {n_points} points, got {chosen[0]} to {chosen[-1]}")
        self.selection = chosen

    def event_after(self) -> float:
        """The next scale at which a class is born or dies; the end of the range when there is none."""
        return float(min(self._events[self._events > self.scale], default=self.high))

    def event_before(self) -> float:
        """The last scale before the present one at which a class is born or dies; else the start of the range."""
        return float(max(self._events[self._events < self.scale], default=self.low))

    @property
    def _events(self) -> NDArray[np.float64]:
        values = self.diagram.pairs[:, 1:].ravel()
        return values[(self.low <= values) & (values <= self.high)]


def _without_complex(scale: float) -> Moment:
    nothing = np.zeros((0, 2), dtype=np.intp), np.zeros((0, 3), dtype=np.intp)
    return Moment(scale, *nothing, 0, 0, drawable=False)


def _check_same_cloud(points: NDArray[np.float64], diagram: Diagram) -> None:
    made = diagram.provenance
    if made is not None and made.n_points != len(points):
        raise BadInput(f"diagram: expected one of the {len(points)} points, got one of {made.n_points}")


def _range(diagram: Diagram) -> tuple[float, float]:
    lowest = float(diagram.pairs[:, 1].min(initial=0.0))
    return lowest, min(PAST_THE_END * last_finite_scale(shown_bars(diagram)), diagram.threshold)


def _beginning(diagram: Diagram, low: float, high: float) -> float:
    dimension, _, death = diagram.pairs.T
    ends = diagram.pairs[(dimension > 0) & np.isfinite(death), 1:]
    if not len(ends):
        return (low + high) / 2
    return float(ends[np.argmax(ends[:, 1] - ends[:, 0])].mean())
