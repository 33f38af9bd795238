"""Two groups of diagrams are told apart by exact and drawn splits; a mean is where its energy is least."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from tests.topology.clouds import circle
from tests.topology.test_distances import loops
from toriwork.errors import BadInput
from toriwork.topology import Diagram, frechet_mean, permutation_test, persistence, wasserstein
from toriwork.topology.estimators import DiagramVectors

INF = math.inf
LOOPS = [persistence(circle(30, 0.1, seed)) for seed in range(9)]
BLOBS = [persistence(np.random.default_rng(seed).standard_normal((30, 2))) for seed in range(9)]


def bar(death: float) -> Diagram:
    return loops((0.0, death))


def longest(diagram: Diagram) -> float:
    return float(diagram.persistence(1).max(initial=0.0))


def energy(a: list[float], b: list[float]) -> float:
    """The statistic of numbers, pair by pair."""
    means = [np.mean([abs(x - y) for x in one for y in other]) for one, other in ((a, b), (a, a), (b, b))]
    return float(2 * means[0] - means[1] - means[2])


# ---- two groups ------------------------------------------------------------------------------------------------------


def test_few_diagrams_are_split_in_every_way() -> None:
    found = permutation_test([bar(1), bar(2)], [bar(11), bar(12)], vector=longest)
    assert found.exact
    assert found.n_splits == 6
    assert found.p_value == 2 / 6  # the given split and its mirror image
    assert found.statistic == pytest.approx(energy([1, 2], [11, 12]))
    assert found.effect_size == pytest.approx(found.statistic / 20)


@pytest.mark.parametrize("sizes", [(2, 5), (4, 4), (3, 3)])
def test_an_exact_p_value_is_that_of_scipy(sizes: tuple[int, int]) -> None:
    rng = np.random.default_rng(sum(sizes))
    a, b = rng.random(sizes[0]) + 0.3, rng.random(sizes[1])
    wanted = stats.permutation_test((a, b), energy, n_resamples=INF, alternative="greater", vectorized=False)
    found = permutation_test([bar(x) for x in a], [bar(x) for x in b], vector=longest)
    assert found.p_value == pytest.approx(wanted.pvalue)
    assert found.statistic == pytest.approx(wanted.statistic)


def test_an_exact_p_value_is_a_share_of_all_splits() -> None:
    splits = list(combinations(range(5), 2))
    found = permutation_test([bar(1), bar(5)], [bar(2), bar(3), bar(4)], vector=longest)
    assert found.n_splits == len(splits)
    values = [1, 5, 2, 3, 4]
    wanted = [energy([values[i] for i in s], [values[i] for i in range(5) if i not in s]) for s in splits]
    assert found.p_value == np.mean(np.array(wanted) >= wanted[0] - 1e-12)


def test_drawn_splits_count_the_given_one() -> None:
    found = permutation_test(LOOPS, BLOBS, n=199, seed=3)
    assert not found.exact
    assert found.n_splits == 200
    assert found.p_value == 1 / 200
    assert 0.2 < found.effect_size <= 1
    assert permutation_test(LOOPS, BLOBS, n=199, seed=3) == found
    one, other = [bar(x) for x in (1, 2, 5, 7, 9)], [bar(x) for x in (3, 4, 6, 8)]
    draws = [permutation_test(one, other, vector=longest, n=100, seed=seed) for seed in range(3)]
    assert len({draw.p_value for draw in draws}) > 1
    assert all(draw.p_value > 0.3 for draw in draws)


def test_without_a_difference_small_p_values_are_as_rare_as_they_say() -> None:
    rng = np.random.default_rng(0)
    p_values = np.array(
        [
            permutation_test(*([bar(x) for x in rng.random(6)] for _ in range(2)), vector=longest, n=99, seed=i).p_value
            for i in range(300)
        ]
    )
    for level in (0.05, 0.2, 0.5):
        assert (p_values <= level).mean() < level + 3 * math.sqrt(level * (1 - level) / 300)
    assert p_values.min() >= 0.01


@pytest.mark.parametrize("distance", ["bottleneck", "wasserstein", "sliced_wasserstein", wasserstein])
def test_every_distance_tells_loops_from_blobs(distance: object) -> None:
    assert permutation_test(LOOPS, BLOBS, distance=distance, n=199).p_value < 0.01
    assert permutation_test(LOOPS[:4], LOOPS[4:], distance=distance, n=199).p_value > 0.02


def test_vectors_may_come_from_a_transformer() -> None:
    found = permutation_test(LOOPS, BLOBS, vector=DiagramVectors("lengths", resolution=3), n=199)
    same = permutation_test(LOOPS, BLOBS, vector=lambda d: np.sort([*d.persistence(1), 0, 0, 0])[:-4:-1], n=199)
    assert found.p_value == same.p_value == 1 / 200
    assert found.statistic == pytest.approx(same.statistic)


def test_equal_groups_have_no_effect() -> None:
    found = permutation_test([bar(1)] * 2, [bar(1)] * 3)
    assert (found.p_value, found.statistic, found.effect_size) == (1.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param({"group_b": [bar(1)]}, "two or more", id="one diagram"),
        pytest.param({"group_b": [1, 2]}, "two or more diagrams", id="no diagrams"),
        pytest.param({"distance": "euclidean"}, "expected one of bottleneck", id="no such distance"),
        pytest.param({"distance": 3}, "or a function", id="a number as distance"),
        pytest.param({"distance": lambda a, b: math.nan}, "diagrams 0 and 1", id="no distance"),
        pytest.param({"distance": wasserstein, "vector": longest}, "got both", id="both"),
        pytest.param({"group_b": [loops((0, INF))] * 2}, "diagrams 0 and 2.*inf", id="infinitely far"),
        pytest.param({"group_b": [Diagram([[1, 0, 1]], 1, scale="radius")] * 2}, "scale", id="another scale"),
        pytest.param({"vector": lambda d: [0.0] * len(d) if len(d) > 1 else [[1], [2, 3]]}, "vector", id="ragged"),
        pytest.param({"vector": lambda d: math.inf}, "finite numbers", id="infinite vectors"),
        pytest.param({"n": 0}, "n: expected", id="no split"),
        pytest.param({"k": 7}, "dimension", id="another dimension"),
    ],
)
def test_what_cannot_be_compared_is_refused(arguments: dict[str, object], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        permutation_test(**{"group_a": [bar(1), bar(2)], "group_b": [bar(1), bar(3)], **arguments})


# ---- the mean --------------------------------------------------------------------------------------------------------


def test_a_mean_by_hand() -> None:
    middle = frechet_mean([loops((0, 4), (1, INF)), loops((0, 6), (3, INF))])
    assert middle.bars.tolist() == [[0, 5], [2, INF]]
    assert middle.energy == pytest.approx(1 + 1)
    alone = frechet_mean([loops((0, 4)), loops(), loops(), loops()])  # a quarter of the way from the diagonal
    assert alone.bars.tolist() == [[1.5, 2.5]]
    assert frechet_mean([LOOPS[0]] * 3).bars.tolist() == LOOPS[0].in_dimension(1).tolist()
    assert frechet_mean([loops(), loops()]).bars.shape == (0, 2)


@pytest.mark.parametrize("k", [0, 1])
def test_its_energy_is_that_of_the_distances_and_no_near_bars_have_less(k: int) -> None:
    found = frechet_mean(LOOPS[:4], k)

    def mean_square(bars: np.ndarray) -> float:
        made = Diagram(np.column_stack([np.full(len(bars), k), bars]), 1)
        return float(np.mean([wasserstein(made, one, k, internal_p=2) ** 2 for one in LOOPS[:4]]))

    assert found.energy == pytest.approx(mean_square(found.bars), rel=1e-9)
    assert found.energy == min(found.energies) == found.energies[found.start]
    rng = np.random.default_rng(0)
    for _ in range(5):
        moves = np.where(np.isfinite(found.bars), rng.standard_normal(found.bars.shape) * 1e-3, 0.0)
        assert mean_square(found.bars + moves) > found.energy
    assert found.energy <= min(mean_square(one.in_dimension(k)) for one in LOOPS[:4])


def test_starts_may_end_in_different_means() -> None:
    # two points of each diagram at the corners of a square: pairs along its sides or across, by the start
    group = [loops((0, 10), (1, 11)), loops((0, 11), (1, 10)), loops((0, 10.5), (0.9, 10.5))]
    found = frechet_mean(group)
    assert len(found.energies) == 3
    assert len({round(energy, 9) for energy in found.energies}) > 1
    only = frechet_mean(group, starts=[int(np.argmax(found.energies))])
    assert only.energy == max(found.energies) > found.energy
    assert len(only.energies) == 1


@pytest.mark.parametrize("seed", range(3))
def test_it_is_gudhis_barycentre(seed: int) -> None:
    pytest.importorskip("ot", reason="gudhi's barycentre stands on POT")
    from gudhi.wasserstein.barycenter import lagrangian_barycenter

    rng = np.random.default_rng(seed)
    group = [loops(*np.sort(rng.random((int(n), 2)), axis=1)) for n in rng.integers(2, 9, 4)]
    parts = [one.in_dimension(1).copy() for one in group]
    for start in range(4):
        bars, log = lagrangian_barycenter(parts, init=start, verbose=True)
        found = frechet_mean(group, starts=[start])
        assert found.energy == pytest.approx(
            np.mean([wasserstein(loops(*bars), one, internal_p=2) ** 2 for one in group])
        )
        assert np.allclose(found.bars, bars[np.lexsort((bars[:, 1], bars[:, 0]))])
        assert log["nb_iter"] >= 1


@pytest.mark.parametrize(
    ("call", "words"),
    [
        pytest.param(lambda: frechet_mean([]), "got none", id="nothing"),
        pytest.param(lambda: frechet_mean([bar(1), loops((0, INF))]), "diagram 1", id="essential classes"),
        pytest.param(lambda: frechet_mean([bar(1)], starts=[1]), "from 0 to 0", id="no such start"),
        pytest.param(lambda: frechet_mean([bar(1)], starts=[]), "starts", id="no start"),
        pytest.param(lambda: frechet_mean([bar(1)], starts=[0.0]), "starts", id="a start between diagrams"),
        pytest.param(lambda: frechet_mean([bar(1)], starts=0), "starts", id="one start by itself"),
        pytest.param(lambda: frechet_mean([1, 2]), "one diagram or more", id="no diagrams"),
        pytest.param(
            lambda: permutation_test([bar(1)] * 2, [bar(2)] * 2, distance=lambda a, b: None), "finite number", id="None"
        ),
        pytest.param(lambda: frechet_mean([bar(1)], 4), "dimension", id="another dimension"),
    ],
)
def test_what_has_no_mean_is_refused(call: object, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        call()


@pytest.mark.parametrize("scale", [1.0, 1e-170, 1e160])
def test_the_best_start_is_that_of_every_unit(scale: float) -> None:
    """Squares of such lengths are 0 or inf."""
    found, plain = frechet_mean(_in_unit(scale)), frechet_mean(_in_unit(1.0))
    assert found.start == plain.start
    assert len(found.bars) == len(plain.bars)


def _in_unit(scale: float) -> list[Diagram]:
    rng = np.random.default_rng(1)
    return [persistence(rng.random((25, 2)) * scale) for _ in range(4)]
