"""A cloud is drawn to scale in two coordinates, its own or its principal components, and described by its ranges."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from toriwork.errors import BadInput
from toriwork.plots import describe_cloud, plot_cloud
from toriwork.plots.cloud import project
from toriwork.topology import Representative, persistence


def offsets(axes: Axes) -> np.ndarray:
    return np.asarray(axes.collections[0].get_offsets())


def test_a_plane_cloud_is_drawn_as_it_is_to_one_scale(axes: Axes) -> None:
    points = np.array([[0.0, 1.0], [2.0, 5.0], [3.0, -1.0]])
    assert plot_cloud(points, ax=axes) is axes
    assert np.array_equal(offsets(axes), points)
    assert axes.get_aspect() == 1.0


@pytest.mark.parametrize("n_points", [0, 1, 2, 3])
@pytest.mark.parametrize("dim", [1, 2, 3, 6])
def test_small_clouds_of_any_dimension_can_be_drawn_and_described(n_points: int, dim: int) -> None:
    points = np.arange(float(n_points * dim)).reshape(n_points, dim) ** 2
    axes = plot_cloud(points, ax=Figure().add_subplot())
    assert len(offsets(axes)) == n_points
    assert len(describe_cloud(points).rows) == (dim if n_points else 0)


def test_equal_points_in_space_have_no_variance_to_share() -> None:
    assert project(np.ones((5, 3))).names[0] == "component 1 (0% of variance)"


def test_space_is_projected_onto_its_two_widest_directions_and_says_so(axes: Axes) -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(200, 5)) * np.array([0.01, 5.0, 0.01, 3.0, 1.0])
    plot_cloud(points, ax=axes)
    assert axes.get_xlabel().startswith("component 1 (")
    assert np.allclose(np.abs(np.corrcoef(offsets(axes)[:, 0], np.sort(points[:, 1])))[0, 0], 1.0)
    assert offsets(axes).std(axis=0)[0] == pytest.approx(points[:, 1].std(), rel=0.01)


def test_a_projection_keeps_distances_of_a_flat_cloud() -> None:
    rng = np.random.default_rng(1)
    flat = rng.normal(size=(50, 2)) * [3.0, 1.0]
    turn, _ = np.linalg.qr(rng.normal(size=(4, 4)))
    shown = project(np.column_stack([flat, np.zeros((50, 2))]) @ turn).flat
    gaps = np.linalg.norm(flat[:, None] - flat[None, :], axis=2)
    assert np.allclose(np.linalg.norm(shown[:, None] - shown[None, :], axis=2), gaps)


def test_a_projection_does_not_depend_on_the_sign_that_the_decomposition_happens_to_give(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cloud = np.random.default_rng(3).normal(size=(20, 3))
    plain = project(cloud)
    svd = np.linalg.svd

    def flipped(matrix: np.ndarray, **options: bool) -> tuple[np.ndarray, ...]:
        left, sizes, right = svd(matrix, **options)
        return -left, sizes, -right

    monkeypatch.setattr(np.linalg, "svd", flipped)
    assert np.array_equal(project(cloud).flat, plain.flat)


def test_three_dimensional_axes_show_three_coordinates() -> None:
    points = np.random.default_rng(2).normal(size=(30, 3))
    axes = Figure().add_subplot(projection="3d")
    assert plot_cloud(points, ax=axes) is axes
    assert axes.get_zlabel() == "z"


def test_the_words_give_number_of_points_and_ranges() -> None:
    text = describe_cloud([[0.0, 1.0], [2.0, 5.0]])
    assert text.sentence == "Cloud of 2 points in 2 dimensions: x from 0 to 2, y from 1 to 5."
    assert text.rows == (("x", "0", "2", "1"), ("y", "1", "5", "3"))
    assert describe_cloud(np.zeros((1, 7))).sentence.endswith("x3 from 0 to 0, and 4 more.")


@pytest.mark.parametrize("points", [[[0.0, float("nan")]], [1.0, 2.0], [["a"]]], ids=["nan", "a-line", "text"])
def test_what_is_no_cloud_is_refused(points: object, axes: Axes) -> None:
    with pytest.raises(BadInput):
        plot_cloud(points, ax=axes)  # type: ignore[arg-type] - that is what is tested
    with pytest.raises(BadInput):
        describe_cloud(points)  # type: ignore[arg-type] - same


def loop_in(points: np.ndarray) -> Representative:
    return persistence(points).representatives(1, points=points)[0]


@pytest.mark.parametrize("dim", [2, 3, 5])
def test_a_highlight_draws_the_cycle_its_birth_edge_and_its_death_triangle(dim: int) -> None:
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    points = np.pad(np.c_[np.cos(angles), np.sin(angles)], ((0, 0), (0, dim - 2)))
    loop = loop_in(points)
    axes = Figure().add_subplot(projection="3d" if dim == 3 else None)
    plot_cloud(points, ax=axes, highlight=loop)
    *edges, triangle = axes.lines
    assert len(edges) == len(loop.edges) == 12
    assert [line.get_linewidth() for line in edges].count(3.2) == 1
    assert len(triangle.get_xdata()) == 4
    assert len(axes.patches) == (dim != 3)
    if dim == 2:
        drawn = {frozenset(zip(*line.get_data(), strict=True)) for line in edges}
        assert drawn == {frozenset(map(tuple, points[list(edge)])) for edge in loop.edges}


@pytest.mark.parametrize(("dim", "space"), [(3, True), (3, False), (5, False)])
def test_a_highlight_shades_the_surface_of_a_void(dim: int, space: bool) -> None:
    points = np.pad(np.vstack([np.eye(3), -np.eye(3)]), ((0, 0), (0, dim - 3)))
    (void,) = persistence(points, max_dimension=2).representatives(2, points=points)
    axes = Figure().add_subplot(projection="3d" if space else None)
    plot_cloud(points, ax=axes, highlight=void)
    axes.figure.draw_without_rendering()
    assert len(axes.collections[-1].get_paths()) == len(void.triangles) == 8
    birth, death = axes.lines
    assert (len(birth.get_xdata()), len(death.get_xdata())) == (4, 8)
    corners = list(zip(*(death.get_data_3d() if space else death.get_data()), strict=True))
    assert len({frozenset(edge) for edge in pairwise(corners)}) == 6


def test_the_words_tell_what_is_highlighted() -> None:
    points = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [9.0, 9.0]])
    diagram = persistence(points)
    loop, part = loop_in(points), diagram.representatives(0, points=points)[0]
    told = describe_cloud(points, highlight=[loop, part]).sentence
    assert "a class of H1, loop through 4 edges, born at 1, dies at 1.41" in told
    assert f"a class of H0, {len(part.points)} point" in told
    corners = np.vstack([np.eye(3), -np.eye(3)])
    void = persistence(corners, max_dimension=2).representatives(2, points=corners)
    assert describe_cloud(corners, highlight=void).sentence.endswith(
        "a class of H2, void within 8 triangles, born at 1.41, dies at 2."
    )
    assert "Highlighted" not in describe_cloud(points).sentence


@pytest.mark.parametrize("wrong", [[3], "loop", 5.0])
def test_what_is_no_representative_is_refused(wrong: object, axes: Axes) -> None:
    with pytest.raises(BadInput, match="highlight"):
        plot_cloud(np.zeros((9, 2)), ax=axes, highlight=wrong)  # type: ignore[arg-type]


def test_a_representative_of_a_larger_cloud_is_refused(axes: Axes) -> None:
    points = np.random.default_rng(0).normal(size=(30, 2))
    with pytest.raises(BadInput, match=r"points of this cloud of 3"):
        plot_cloud(points[:3], ax=axes, highlight=loop_in(points))
