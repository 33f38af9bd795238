"""Rules that draw random numbers: seeded, with the level they state, and equal to slow twins."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest

from tests.topology import oracles
from tests.topology.clouds import circle
from toriwork.errors import BadInput
from toriwork.topology import bottleneck, estimate_betti, judge, persistence, resampling, significant
from toriwork.topology.evidence import parameters_of
from toriwork.topology.resampling import BootstrapBand, ConfidenceBand, MonteCarloNull
from toriwork.topology.rules import GuardedGap
from toriwork.topology.significance import sampling_of

QUICK = (MonteCarloNull(simulations=39), BootstrapBand(resamples=12), ConfidenceBand(resamples=20))


@pytest.mark.parametrize("rule", QUICK, ids=lambda rule: rule.name)
def test_the_same_cloud_has_the_same_answer(rule: object) -> None:
    cloud = np.random.default_rng(1).random((60, 2))
    sampling = sampling_of(persistence(cloud), cloud)
    once, again = rule(sampling), rule(sampling)
    assert [dict(verdict.evidence) for verdict in once] == [dict(verdict.evidence) for verdict in again]
    other = dataclasses.replace(rule, seed=5)(sampling)
    assert [dict(verdict.evidence) for verdict in once] != [dict(verdict.evidence) for verdict in other]
    assert set(parameters_of(rule)) >= {"level", "seed"}


@pytest.mark.parametrize("rule", QUICK, ids=lambda rule: rule.name)
def test_clouds_of_few_points_have_defined_answers(rule: object) -> None:
    for n_points, numbers in ((0, (0, 0, 0)), (1, (1, 0, 0)), (2, None), (4, None)):
        cloud = np.random.default_rng(n_points).random((n_points, 3))
        verdicts = rule(sampling_of(persistence(cloud, max_dimension=2), cloud))
        found = tuple(verdict.number for verdict in verdicts)
        assert numbers is None or found == numbers
        assert found[1:] == (0, 0)


def test_the_p_value_of_a_bar_is_its_rank_among_the_maxima_of_the_null() -> None:
    rule = MonteCarloNull(simulations=19)
    diagram = persistence(np.random.default_rng(3).random((34, 2)))
    simulated = math.floor(10 * 1.1**12)  # the next step of a tenth is beyond 34
    rng = np.random.default_rng([0, simulated, 1])
    maxima = []
    for _ in range(19):
        bars = oracles.rips_pairs(oracles.euclidean(rng.random((simulated, 2))), 1)
        maxima.append(max([death / birth for k, birth, death in bars.tolist() if k == 1], default=1.0))
    birth, death, p_value = rule(sampling_of(diagram))[1].evidence["p_values"][0]
    of_one = (1 + sum(m >= death / birth for m in maxima)) / 20
    assert p_value == pytest.approx(1 - (1 - of_one) ** (34 / simulated))


def test_false_alarms_on_the_null_stay_near_the_level() -> None:
    alarms = [estimate_betti(np.random.default_rng([9, i]).random((60, 2)), rule="monte_carlo_null") for i in range(80)]
    # 5 % are expected: 10 or more of 80 would be a chance of one in 100
    assert sum(found.numbers[1] > 0 for found in alarms) < 10


def test_tables_of_the_null_are_made_once_and_bounded() -> None:
    resampling._null_maxima.cache_clear()
    for n_points in (51, 52, 55, 400, 900):
        MonteCarloNull(simulations=2)._p_values(np.array([2.0]), n_points, 1, "rips")
    assert resampling._null_maxima.cache_info().misses == 2
    assert resampling._null_maxima.cache_info().maxsize == resampling._TABLES
    resampling._null_maxima.cache_clear()


def test_many_points_count_as_several_clouds_of_the_null() -> None:
    rule = MonteCarloNull(simulations=39)
    p_values = [float(rule._p_values(np.array([3.5]), n, 1, "rips")[0]) for n in (250, 500, 1000, 10**6)]
    assert p_values == sorted(p_values)
    assert p_values[1] == pytest.approx(1 - (1 - p_values[0]) ** 2, rel=0.1)


def test_the_width_of_the_bootstrap_band_is_twice_a_quantile_of_bottleneck_distances() -> None:
    cloud = circle(30, 0.1)
    diagram = persistence(cloud)
    rng = np.random.default_rng(0)
    moves = [bottleneck(diagram, persistence(cloud[rng.integers(0, 30, 30)]), 1) for _ in range(10)]
    width = BootstrapBand(resamples=10, level=0.2)(sampling_of(diagram, cloud))[1].evidence["width"]
    assert width == pytest.approx(2 * sorted(moves)[8])


def test_the_confidence_band_is_four_hausdorff_distances_in_diameters_and_two_in_radii() -> None:
    cloud = circle(40, 0.0)
    rng = np.random.default_rng(0)
    size = round(40 / math.log(40))
    away = []
    for _ in range(20):
        some = cloud[rng.permutation(40)[:size]]
        away.append(max(min(math.dist(p, q) for q in some) for p in cloud))
    for filtration, factor in (("rips", 4), ("alpha", 2)):
        verdicts = ConfidenceBand(resamples=20, level=0.3)(
            sampling_of(persistence(cloud, filtration=filtration), cloud)
        )
        assert verdicts[1].evidence["width"] == pytest.approx(factor * sorted(away)[14])
        margins = verdicts[0].evidence["margins"]
        assert all(m == pytest.approx((d - b) / verdicts[0].evidence["width"]) for b, d, m in margins)


def test_a_dense_clean_circle_is_within_the_power_of_the_confidence_band() -> None:
    for cloud, n_loops in ((circle(900, 0.0), 1), (np.random.default_rng(0).random((900, 2)), 0)):
        diagram = persistence(cloud, filtration="alpha")
        counted = significant(diagram, rule="confidence_band", points=cloud)
        assert counted[diagram.pairs[:, 0] == 1].sum() == n_loops
        assert counted[diagram.pairs[:, 0] == 0].sum() == 1


def test_bands_need_the_points() -> None:
    cloud = circle(30, 0.05)
    for rule in ("bootstrap_band", "confidence_band"):
        with pytest.raises(BadInput, match="points"):
            judge(persistence(cloud), rule=rule)
        assert judge(persistence(cloud), points=cloud, rule=rule).numbers == estimate_betti(cloud, rule=rule).numbers


def test_the_guarded_gap_says_by_how_much_each_bar_passes() -> None:
    diagram = persistence(np.vstack([circle(80, 0.05, 1) - [1, 0], circle(80, 0.05, 2) - [-1, 0]]))
    verdict = GuardedGap()(sampling_of(diagram))[1]
    lengths = sorted((d - b for b, d in diagram.in_dimension(1).tolist()), reverse=True)
    floor = 0.1 * diagram.pairs[np.isfinite(diagram.pairs[:, 2]), 2].max() / 4
    cut = 2 * max(lengths[2], floor)
    assert verdict.number == 2
    assert [m for _, _, m in verdict.evidence["margins"]] == pytest.approx([x / cut for x in lengths[:3]])
    for better, worse in itertools.pairwise(verdict.evidence["margins"]):
        assert better[2] >= worse[2]
