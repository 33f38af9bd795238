"""A point cloud as a picture and as words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toriwork.checks import check_points
from toriwork.errors import BadInput
from toriwork.plots.options import styled
from toriwork.plots.style import DEPTH_COLOURS, INK, axes_or_current, colour_map, look
from toriwork.plots.text_alternative import TextAlternative, counted, short
from toriwork.topology.representatives import Representative

if TYPE_CHECKING:
    from matplotlib.axes import Axes

AXIS_NAMES = ("x", "y", "z")
GREY = "#9A9A9A"  #: of points beside a highlight
#: a way along all edges of a simplex of so many points
_ROUND = {2: (0, 1), 3: (0, 1, 2, 0), 4: (0, 1, 2, 3, 0, 2, 1, 3)}


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """A cloud as it is drawn: two coordinates, a third as a colour (None: there is none), and the axes' names."""

    flat: NDArray[np.float64]  #: (n_points, 2) float64, finite
    depth: NDArray[np.float64] | None  #: (n_points,) float64, finite
    names: tuple[str, str, str]


@styled
def plot_cloud(
    points: ArrayLike, *, ax: Axes | None = None, highlight: Representative | Sequence[Representative] = ()
) -> Axes:
    """The axes with the cloud drawn into them, both directions to the same scale.

    One and two coordinates are drawn as they are, and three on 3-D axes. More are projected onto the two directions of
    largest variance; the third gives the colour, and the axes say so. Beside a highlight the others are grey.

    Parameters
    ----------
    points : array_like of shape (n_points, dim)
        Real, finite coordinates in any unit; n_points may be 0.
    ax : Axes, optional
        Where to draw; None means pyplot's current axes.
    highlight : Representative or sequence of them
        What :meth:`toriwork.topology.Diagram.representatives` found in these points: of a component its points, of a
        loop its cycle, the edge of its birth thicker and the triangle of its death filled, of a void its surface
        shaded, the triangle of its birth outlined and the tetrahedron of its death dotted.

    Raises
    ------
    BadInput
        The points are no finite cloud, or a representative names a point that is not there.

    Examples
    --------
    >>> from toriwork import plot_cloud
    >>> from toriwork.samples import load_sample
    >>> plot_cloud(load_sample("circle")).get_xlabel()
    'x'
    """
    cloud = check_points(points)
    chosen = _representatives(highlight, len(cloud))
    axes = axes_or_current(ax)
    if cloud.shape[1] == 3 and axes.name == "3d":
        _draw_space(cloud, axes, grey=bool(chosen))
        _draw_highlight(cloud, axes, chosen)
        return axes
    shown = project(cloud)
    if chosen:
        axes.scatter(shown.flat[:, 0], shown.flat[:, 1], s=14, color=GREY, linewidths=0)
        _draw_highlight(shown.flat, axes, chosen)
    elif shown.depth is None:
        axes.scatter(shown.flat[:, 0], shown.flat[:, 1], s=14, color=look(0).colour, linewidths=0)
    else:
        order = np.argsort(shown.depth, kind="stable")
        x, y = shown.flat[order].T
        drawn = axes.scatter(x, y, s=14, c=shown.depth[order], cmap=colour_map(DEPTH_COLOURS), linewidths=0)
        axes.figure.colorbar(drawn, ax=axes, label=shown.names[2], fraction=0.05, pad=0.03)
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xlabel(shown.names[0], color=INK)
    axes.set_ylabel(shown.names[1], color=INK)
    return axes


def describe_cloud(points: ArrayLike, *, highlight: Representative | Sequence[Representative] = ()) -> TextAlternative:
    """The text alternative of :func:`plot_cloud`: points, the range of each coordinate, and what is highlighted."""
    cloud = check_points(points)
    chosen = _representatives(highlight, len(cloud))
    names = coordinate_names(cloud.shape[1])
    if len(cloud) == 0:
        return TextAlternative(
            f"An empty cloud in {len(names)} dimensions.", ("coordinate", "least", "largest", "mean"), ()
        )
    rows = tuple(
        (name, short(column.min()), short(column.max()), short(column.mean()))
        for name, column in zip(names, cloud.T, strict=True)
    )
    ranges = ", ".join(f"{name} from {least} to {largest}" for name, least, largest, _ in rows[:3])
    more = f", and {len(names) - 3} more" if len(names) > 3 else ""
    sentence = f"Cloud of {counted(len(cloud), 'point')} in {counted(len(names), 'dimension')}: {ranges}{more}."
    sentence = " ".join([sentence, *map(describe_highlight, chosen)])
    return TextAlternative(sentence, ("coordinate", "least", "largest", "mean"), rows)


def describe_highlight(one: Representative) -> str:
    """The class that a representative stands for, in words."""
    life = f"born at {short(one.birth)}, " + (
        f"dies at {short(one.death)}" if one.death_simplex else "does not die here"
    )
    what = counted(len(one.points), "point")
    if one.cycle:
        what = f"loop through {counted(len(one.edges), 'edge')}"
    elif one.triangles:
        what = f"void within {counted(len(one.triangles), 'triangle')}"
    return f"Highlighted: a class of H{one.dimension}, {what}, {life}."


def _representatives(highlight: Any, n_points: int) -> tuple[Representative, ...]:
    chosen = tuple(highlight) if isinstance(highlight, Sequence) else (highlight,)
    for one in chosen:
        if not isinstance(one, Representative):
            raise BadInput(f"highlight: expected what diagram.representatives() returns, got {type(one).__name__}")
        if (last := max(one.points + one.birth_simplex + (one.death_simplex or ()))) >= n_points:
            raise BadInput(f"highlight: expected points of this cloud of {n_points}, got point {last}")
    return chosen


def _draw_highlight(places: NDArray[np.float64], axes: Any, chosen: Sequence[Representative]) -> None:
    """Draw representatives into a cloud whose points stand at ``places``, shape (n_points, 2 or 3)."""
    for one in chosen:
        colour = look(one.dimension).colour
        axes.scatter(*places[list(one.points)].T, s=22, color=colour, linewidths=0)
        _draw_surface(places, axes, one, colour)
        for edge in pairwise(one.cycle):
            width = 3.2 if set(edge) == set(one.birth_simplex) else 1.4
            axes.plot(*places[list(edge)].T, color=colour, linewidth=width, solid_capstyle="round")
        if one.death_simplex is not None:
            corners = [one.death_simplex[place] for place in _ROUND[len(one.death_simplex)]]
            axes.plot(*places[corners].T, color=INK, linewidth=1.0, linestyle=":")
            if places.shape[1] == 2 and len(one.death_simplex) == 3:
                axes.fill(*places[corners].T, color=colour, alpha=0.2, linewidth=0)


def _draw_surface(places: NDArray[np.float64], axes: Any, one: Representative, colour: str) -> None:
    """Shade the triangles of a void, and outline the one that bears it; nothing for other classes."""
    if not one.triangles:
        return
    triangles = np.array(one.triangles)
    if places.shape[1] == 3:
        axes.plot_trisurf(*places.T, triangles=triangles, color=colour, edgecolor=colour, alpha=0.2, linewidth=0.5)
    else:
        from matplotlib.collections import PolyCollection

        shaded = PolyCollection(places[triangles], facecolors=colour, edgecolors=colour, alpha=0.2, linewidths=0.5)
        axes.add_collection(shaded)
    outline = [one.birth_simplex[place] for place in _ROUND[3]]
    axes.plot(*places[outline].T, color=colour, linewidth=2.2, solid_joinstyle="round")


def project(cloud: NDArray[np.float64]) -> Projection:
    """The two coordinates to draw: the cloud's own up to two dimensions, else its first principal components.

    The components come from the singular value decomposition of the centred cloud; each is turned so that its largest
    loading is positive, which makes the picture the same on every machine.
    """
    n_points, dim = cloud.shape
    if dim <= 2 or n_points < 2:
        flat = np.zeros((n_points, 2))
        flat[:, : min(dim, 2)] = cloud[:, :2]
        return Projection(flat, None, ("x", "y" if dim > 1 else "", ""))
    centred = cloud - cloud.mean(axis=0)
    _, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    largest = np.abs(directions).argmax(axis=1)
    signs = np.where(directions[np.arange(len(directions)), largest] < 0, -1.0, 1.0)
    scores = centred @ (directions * signs[:, None]).T
    total = float((sizes**2).sum())
    shares = sizes**2 / total if total > 0 else np.zeros_like(sizes)
    first, second, *rest = (f"component {k + 1} ({share:.0%} of variance)" for k, share in enumerate(shares[:3]))
    depth = scores[:, 2] if scores.shape[1] > 2 else None
    return Projection(scores[:, :2], depth, (first, second, rest[0] if rest else ""))


def coordinate_names(dim: int) -> tuple[str, ...]:
    """x, y, z up to three dimensions, else x1, x2, ..."""
    return AXIS_NAMES[:dim] if dim <= 3 else tuple(f"x{k + 1}" for k in range(dim))


def _draw_space(cloud: NDArray[np.float64], axes: Any, *, grey: bool) -> None:
    colours = {"color": GREY} if grey else {"c": cloud[:, 2], "cmap": colour_map(DEPTH_COLOURS)}
    axes.scatter(*cloud.T, s=14, linewidths=0, **colours)
    axes.set(xlabel="x", ylabel="y", zlabel="z", aspect="equal")
