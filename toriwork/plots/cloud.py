"""A point cloud as a picture and as words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toriwork.checks import check_points
from toriwork.plots.style import DEPTH_COLOURS, INK, axes_or_current, look
from toriwork.plots.text_alternative import TextAlternative, counted, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

AXIS_NAMES = ("x", "y", "z")


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """A cloud as it is drawn: two coordinates, a third as a colour (None: there is none), and the axes' names."""

    flat: NDArray[np.float64]  #: (n_points, 2) float64, finite
    depth: NDArray[np.float64] | None  #: (n_points,) float64, finite
    names: tuple[str, str, str]


def plot_cloud(points: ArrayLike, *, ax: Axes | None = None) -> Axes:
    """The axes with the cloud drawn into them, both directions to the same scale.

    One and two coordinates are drawn as they are, and three on 3-D axes. More are projected onto the two directions of
    largest variance; the third gives the colour, and the axes say so.

    Parameters
    ----------
    points : array_like of shape (n_points, dim)
        Real, finite coordinates in any unit; n_points may be 0.
    ax : Axes, optional
        Where to draw; None means pyplot's current axes.

    Raises
    ------
    BadInput
        The points are no finite cloud.
    """
    cloud = check_points(points)
    axes = axes_or_current(ax)
    if cloud.shape[1] == 3 and axes.name == "3d":
        _draw_space(cloud, axes)
        return axes
    shown = project(cloud)
    if shown.depth is None:
        axes.scatter(shown.flat[:, 0], shown.flat[:, 1], s=14, color=look(0).colour, linewidths=0)
    else:
        order = np.argsort(shown.depth, kind="stable")
        x, y = shown.flat[order].T
        drawn = axes.scatter(x, y, s=14, c=shown.depth[order], cmap=DEPTH_COLOURS, linewidths=0)
        axes.figure.colorbar(drawn, ax=axes, label=shown.names[2], fraction=0.05, pad=0.03)
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xlabel(shown.names[0], color=INK)
    axes.set_ylabel(shown.names[1], color=INK)
    return axes


def describe_cloud(points: ArrayLike) -> TextAlternative:
    """The text alternative of :func:`plot_cloud`: number of points, and the range of each coordinate."""
    cloud = check_points(points)
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
    return TextAlternative(sentence, ("coordinate", "least", "largest", "mean"), rows)


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


def _draw_space(cloud: NDArray[np.float64], axes: Any) -> None:
    axes.scatter(*cloud.T, s=14, c=cloud[:, 2], cmap=DEPTH_COLOURS, linewidths=0)
    axes.set(xlabel="x", ylabel="y", zlabel="z", aspect="equal")
