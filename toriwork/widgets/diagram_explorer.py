"""The diagram explorer in a notebook: :class:`ExplorerState` with a front end that moves without asking the kernel."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from toriwork.errors import BadInput, ToriworkError
from toriwork.plots.bars import last_finite_scale, shown_bars
from toriwork.plots.cloud import describe_highlight, project
from toriwork.plots.explorer import explorer_png
from toriwork.plots.text_alternative import TextAlternative, short
from toriwork.topology import Diagram
from toriwork.widgets.explorer_state import ExplorerState
from toriwork.widgets.live import LiveView

if TYPE_CHECKING:
    from toriwork.widgets.front import Front


class DiagramExplorer(LiveView):
    """A slider through the filtration, linked with cloud and complex, diagram, barcode and Betti curves.

    Everything moves in the browser; the kernel follows, and finds the cycle of a bar that is clicked on. Once the
    kernel is gone, its output shows a still picture of the moment at which the notebook was saved, with alt text and a
    table. The widget is made when it is first shown or asked for; ``close()`` frees it, and so does leaving a ``with``
    block.

    Parameters
    ----------
    data : array_like of shape (n_points, dim), or Diagram
        A cloud of at most 2000 points, or a diagram whose cloud is not to be shown.
    diagram : Diagram, optional
        That of the cloud, when it is known already; None: its Rips diagram is computed. The complex is drawn for
        Rips alone.
    max_dimension : int
        Of the diagram that is computed.
    scale : float, optional
        Where to begin; None means the middle of the longest bar of H1 and above that ends, else of the range.

    Raises
    ------
    BadInput
        The points are no finite cloud or too many, two diagrams are given, or the diagram is of another number of
        points; or the scale is not finite.

    Examples
    --------
    >>> from toriwork import DiagramExplorer
    >>> from toriwork.samples import load_sample
    >>> with DiagramExplorer(load_sample("circle")) as explorer:
    ...     moment = explorer.state.move_to(1.0)
    ...     moment.n_edges, explorer.caption
    (1619, 'The filtration at scale 1 (diameter)')
    """

    def __init__(
        self, data: Any, *, diagram: Diagram | None = None, max_dimension: int = 1, scale: float | None = None
    ) -> None:
        super().__init__()
        self.state = ExplorerState(data, diagram=diagram, max_dimension=max_dimension, scale=scale)

    @property
    def selection(self) -> NDArray[np.intp]:
        """The indices of the points that were selected, by a lasso or by ``state.select``; (n_selected,) rising."""
        return self.state.selection

    @property
    def caption(self) -> str:
        """The scale at which the still picture was taken."""
        return f"The filtration at scale {short(self.state.scale)} ({self.state.diagram.scale})"

    @property
    def text(self) -> TextAlternative:
        """The present moment in words and numbers."""
        return self.state.text

    def png(self) -> bytes:
        """The picture at the present scale."""
        state = self.state
        return explorer_png(state.points, state.diagram, state.moment, state.highlight)

    def _make_front(self, key: str) -> Front:
        from toriwork.widgets.front import ExplorerFront

        state = self.state
        front = ExplorerFront(
            model_id=key, key=key, data=explorer_data(state), scale=state.scale, selection=state.selection.tolist()
        )

        def choose(change: Any) -> None:
            front.highlight = _highlight(state, change["new"])

        front.observe(lambda change: _taken(change, state.move_to), names="scale")
        front.observe(lambda change: _taken(change, state.select), names="selection")
        front.observe(choose, names="chosen")
        return front


def explorer_data(state: ExplorerState) -> dict[str, Any]:
    """Everything the front end draws, numbers as bytes: pairs, points, simplices in the order in which they enter."""
    diagram, complex_ = state.diagram, state.complex
    points = np.zeros((0, 2)) if state.points is None else state.points
    seen = project(points)
    depth = np.zeros(len(points)) if seen.depth is None else seen.depth
    none = np.zeros(0)
    return {
        "pairs": diagram.pairs.astype("<f8").tobytes(),
        "censored": diagram.censored.astype("u1").tobytes(),
        "dimensions": diagram.max_dimension + 1,
        "unit": diagram.scale,
        "threshold": diagram.threshold if math.isfinite(diagram.threshold) else None,
        "low": state.low,
        "high": state.high,
        "top": last_finite_scale(shown_bars(diagram)),
        "points": points.astype("<f8").tobytes(),
        "places": np.column_stack([seen.flat, depth]).astype("<f8").tobytes(),
        "names": list(seen.names),
        "n_points": len(points),
        "dim": points.shape[1],
        "space": seen.depth is not None,
        "drawable": complex_ is not None,
        "lengths": (none if complex_ is None else complex_.lengths).astype("<f8").tobytes(),
        "edges": (none if complex_ is None else complex_.edges).astype("<u4").tobytes(),
        "entries": (none if complex_ is None else complex_.entries).astype("<f8").tobytes(),
        "triangles": (none if complex_ is None else complex_.triangles).astype("<u4").tobytes(),
        "most_edges": 0 if complex_ is None else len(complex_.edges),
        "most_triangles": 0 if complex_ is None else len(complex_.triangles),
    }


def _taken(change: Any, take: Callable[[Any], object]) -> None:
    """Hand on the new value of a trait; one that is refused gives way to the one before."""
    try:
        take(change["new"])
    except ToriworkError:
        change["owner"].set_trait(change["name"], change["old"])
        raise


def _highlight(state: ExplorerState, chosen: list[int]) -> dict[str, Any]:
    """The class that was chosen as the front end draws it, or why it cannot be shown; nothing for none."""
    state.unchoose()
    if not chosen:
        return {}
    try:
        if len(chosen) != 2:
            raise BadInput(f"chosen: expected a dimension and a bar, got {chosen}")
        dimension, bar = chosen
        found = state.choose(dimension, bar)
    except ToriworkError as error:
        return {"bar": chosen, "told": f"Not possible: {error}"}
    return {
        "bar": chosen,
        "told": describe_highlight(found),
        "dimension": dimension,
        "points": list(found.points),
        "cycle": list(found.cycle),
        "triangles": [list(triangle) for triangle in found.triangles],
        "birth": list(found.birth_simplex),
        "death": None if found.death_simplex is None else list(found.death_simplex),
    }
