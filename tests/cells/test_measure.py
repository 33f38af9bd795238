"""Cells that compute something else than Rips in diameters: numbers, radii, references of another convention."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.cells.clouds import circle, line, sphere, two_circles
from tests.cells.observers import Ears
from toriwork.cells import TorusCells, idea_store, ideas, memory
from toriwork.cells.measure import Measure
from toriwork.errors import BadInput
from toriwork.storage import ArrowCodec, ParquetTable
from toriwork.topology import DTM, Diagram, Landmark, bottleneck, persistence
from toriwork.topology.clouds import cloud_of

CERTIFYING = ("rips", "alpha", "delaunay_cech")


@pytest.fixture
def make(registry):
    made = []

    def make(filtration="alpha", max_dimension=1, threshold=None, **options):
        made.append(TorusCells(registry, max_dimension, threshold, filtration=filtration, observer=Ears(), **options))
        return made[-1]

    yield make
    for cells in made:
        cells.close()


def entry(cells, name="x"):
    return cells.get_protected_ideas()[name]


def longest(diagram):
    return diagram.in_dimension(1)[diagram.persistence(1).argmax()].tolist()


@pytest.mark.parametrize("filtration", ["alpha", "delaunay_cech", Landmark(40)], ids=str)
@pytest.mark.parametrize(("cloud", "betti"), [(circle(), (1, 1)), (two_circles(), (2, 2)), (line(), (1, 0))])
def test_numbers_of_known_spaces(make, filtration, cloud, betti):
    assert make(filtration).betti_update("x", cloud) == betti


def test_cavities_of_alpha(make):
    assert make(max_dimension=2).compute_betti(sphere()) == [1, 0, 1]


def test_ten_thousand_points_are_no_matter_for_alpha(make):
    rng = np.random.default_rng(0)
    many = sphere(10_000) + rng.normal(0, 0.01, (10_000, 3))
    assert make(max_dimension=2).compute_betti(many)[2] == 1
    assert np.isnan(make("rips").compute_betti(many)[1])


@pytest.mark.parametrize("scale", [None, "radius", "diameter"])
@pytest.mark.parametrize("filtration", CERTIFYING)
def test_the_radius_is_in_the_unit_of_the_coordinates_whatever_the_scale(make, filtration, scale):
    """A quarter of the persistence in diameters (Rips), half in radii (Cech): moves of the points in both."""
    cells = make(filtration, scale=scale)
    cells.betti_update("x", circle(), "global")
    birth, death = longest(persistence(circle(), filtration=filtration, scale="diameter"))
    assert entry(cells)["protection_radius"] == pytest.approx((death - birth) / 4)
    own = persistence(circle(), filtration=filtration, scale=scale)
    assert entry(cells)["classes"] == [[1, *longest(own)]]
    assert entry(cells)["convention"] == f"{filtration} {own.scale}"


@pytest.mark.parametrize("filtration", CERTIFYING)
def test_a_certified_move_keeps_the_loop_and_the_next_one_is_computed(make, filtration):
    cells = make(filtration)
    cells.betti_update("x", circle(), "global")
    radius = entry(cells)["protection_radius"]
    for share, certified in ((0.999, True), (1.001, False)):
        moved = circle() * (1 - share * radius / np.linalg.norm(circle(), axis=1, keepdims=True))
        cells.betti_update("x", moved, "global")
        held = entry(cells)["certified_by"]
        assert (held is not None) == certified
        if held is not None:
            assert held["radius"] == radius
            assert held["displacement"] < radius
            assert persistence(moved, filtration=filtration).persistence(1).max() > 0


@pytest.mark.parametrize("filtration", [Landmark(40), DTM(5)], ids=str)
def test_what_does_not_certify_protects_without_a_radius(make, filtration):
    cells = make(filtration, threshold=0.5)
    cells.betti_update("x", circle(), "global")
    assert entry(cells)["protection_radius"] is None
    cells.betti_update("x", circle() + 1e-9, "global")
    assert entry(cells)["certified_by"] is None


def test_no_rule_tells_features_of_dtm_from_noise(make):
    with pytest.raises(BadInput, match="persistence_threshold"):
        make("dtm")


def test_a_lost_loop_is_told_in_the_unit_of_its_diagram(make):
    cells = make()
    cells.betti_update("x", circle(), "global")
    cells.betti_update("x", line(60), "global")
    (told,) = cells.observer.heard
    assert [told["birth"], told["death"]] == longest(persistence(circle(), filtration="alpha"))
    assert told["reason"] == "unmatched"
    assert cells.history("x")[-1]["lost"]["displacement"] == told["displacement"]


def test_a_reference_of_another_convention_certifies_nothing_and_loses_nothing(make):
    """Bars in diameters must not be looked for among bars in radii."""
    rips, alpha = make("rips"), make("alpha")
    rips.betti_update("x", circle(), "global")
    alpha.betti_update("x", circle() * 1.01, "global")
    assert entry(alpha)["certified_by"] is None
    assert entry(rips) == entry(alpha)
    assert entry(alpha)["convention"] == "alpha radius"
    assert not alpha.observer.heard
    alpha.betti_update("x", circle() * 1.02, "global")
    assert entry(alpha)["certified_by"] is not None
    rips.betti_update("x", line(), "global")
    assert rips.history("x")[-1]["status"] == "lost"
    assert [told["reason"] for told in rips.observer.heard] == ["below the rule's level"]


def test_parameters_are_part_of_the_convention():
    given = (DTM(5), DTM(6), "dtm", Landmark(9), "landmark", "rips")
    assert len({Measure(2, 0.5, filtration).convention for filtration in given}) == 6
    assert Measure().convention == Measure(scale="diameter").convention == "rips diameter"


def test_changes_from_before_conventions_were_kept_are_of_rips(make, registry):
    old = pa.schema([field for field in ideas.SCHEMA if field.name != "convention"])
    cells = make("rips")
    cells.betti_update("x", circle(), "global")
    cells.close()
    changes = pq.read_table(cells.path).drop_columns(["convention"]).cast(old)
    legacy = registry.path.parent / "old" / "torus_cells.parquet"
    spec = replace(idea_store.SPEC, schema=old, codec=ArrowCodec(old), dictionary=(), retention=None)
    with ParquetTable(legacy, spec) as table:
        (rows,) = changes.to_batches()
        table.append(ArrowCodec(old).encode(rows), len(rows))
    store = idea_store.IdeaStore(legacy)
    known = store.get("x")
    assert known.reference.convention == "rips diameter"
    assert store.cloud(known).values.tolist() == circle().tolist()
    store.append([replace(known, coherence_band="critical")])
    store.close()
    assert idea_store.IdeaStore(legacy).get("x").coherence_band == "critical"


def test_the_row_says_how_it_was_measured(make, registry):
    for cells in (make(), make(threshold=0.1), make("rips")):
        cells.betti_update("x", circle())
    notes = [json.loads(text)["torus_cells"]["rule"] for text in registry.df["metadata"]]
    assert [note.get("measure") for note in notes] == ["alpha radius", "alpha radius", None]
    assert [note["rule"] for note in notes] == ["by_parts", "count_above", "by_parts"]


def test_a_threshold_counts_in_the_unit_of_the_diagram(make):
    persistences = persistence(circle(), filtration="alpha").persistence(1)
    level = float(persistences.max())
    assert make(threshold=level * 0.99).compute_betti(circle())[1] == 1
    assert make(threshold=level * 1.01).compute_betti(circle())[1] == 0
    assert make(threshold=level * 1.01, scale="diameter").compute_betti(circle())[1] == 1


def test_what_was_computed_is_remembered(make, monkeypatch):
    first = make().compute_betti(circle())
    monkeypatch.setattr(memory, "persistence", None)
    assert make().compute_betti(circle()) == first


def test_a_series_and_the_nearest_shapes_are_of_the_same_filtration(make, registry):
    cells = make()
    clouds = [circle(seed=seed) for seed in range(5)]
    ids = [registry.record_shape(cloud) for cloud in clouds]
    found = cells.nearest(clouds[2], k=5)
    diagrams = [persistence(cloud, filtration="alpha") for cloud in clouds]
    true = [max(bottleneck(diagrams[2], other, k) for k in range(2)) for other in diagrams]
    assert dict(found.neighbours) == dict(zip(ids, true, strict=True))
    series = cells.compute_homology_persistence(clouds)
    assert series["statistics"]["stable_features"] == 1
    assert Diagram(np.empty((0, 3)), 1, scale="radius").scale == series["vineyard"].scale


@pytest.mark.parametrize("engine", ["gudhi", "ripser", "simple"])
def test_an_engine_can_be_asked_for(make, engine):
    cells = make("rips", engine=engine)
    cells.betti_update("x", circle(), "global")
    assert cells._numbers.of(cloud_of(circle())).diagram.provenance.engine == engine
    assert entry(cells)["protection_radius"] == pytest.approx(entry(make("rips"))["protection_radius"])


@pytest.mark.parametrize("scale", [None, "diameter"])
@pytest.mark.parametrize("filtration", CERTIFYING)
def test_many_drawn_points_are_judged_by_a_sample_whatever_the_filtration(filtration, scale):
    """The deaths of "alpha" are those of the points up to rounding, not bit for bit."""
    angle = np.random.default_rng(0).uniform(0, 2 * np.pi, 900)
    cloud = np.c_[np.cos(angle), np.sin(angle)]
    found = Measure(1, filtration=filtration, scale=scale).judged(
        persistence(cloud, filtration=filtration, scale=scale), cloud_of(cloud)
    )
    assert found.numbers == (1, 1)
    assert found.evidence["H1"]["sample"] == 700
