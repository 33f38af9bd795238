"""The transformers keep scikit-learn's contract where it fits, and fit into its pipelines where it does not."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from tests.topology.clouds import circle
from toriwork.errors import BadInput, TooLarge
from toriwork.topology import estimators, persistence
from toriwork.topology.estimators import KINDS, CloudDiagrams, CloudVectors, DiagramVectors
from toriwork.topology.filtrations import Landmark

LOOPS = [circle(25, 0.05, seed) for seed in range(6)]
BLOBS = [np.random.default_rng(seed).standard_normal((25, 2)) for seed in range(6)]
DIAGRAMS = [persistence(cloud) for cloud in (*LOOPS, *BLOBS)]
LABELS = [1] * 6 + [0] * 6


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.parametrize("made", [CloudVectors(), CloudVectors(1, kind="lengths")], ids=["series", "clouds on a line"])
def test_vectors_of_rectangular_data_pass_check_estimator(made: CloudVectors) -> None:
    check_estimator(made)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_rows_of_one_length(kind: str) -> None:
    made = DiagramVectors(kind, resolution=7)
    rows = made.fit_transform(DIAGRAMS)
    assert rows.shape[0] == len(DIAGRAMS)
    assert rows.shape[1] == {"landscape": 21, "image": 49, "entropy": 1}.get(kind, 7)
    assert np.isfinite(rows).all()
    assert np.array_equal(made.transform(DIAGRAMS[3:5]), rows[3:5])
    assert made.transform([]).shape == (0, rows.shape[1])
    assert clone(made).get_params() == made.get_params()


def test_loops_are_told_from_blobs_in_a_pipeline() -> None:
    model = make_pipeline(DiagramVectors("lengths", resolution=3), LogisticRegression())
    assert model.fit(DIAGRAMS, LABELS).score(DIAGRAMS, LABELS) == 1.0


def test_flattened_clouds_give_what_their_diagrams_give() -> None:
    rows = np.array([cloud.ravel() for cloud in LOOPS])
    found = CloudVectors(2, k=1, kind="image", resolution=5).fit_transform(rows)
    assert np.array_equal(found, DiagramVectors("image", resolution=5).fit_transform(DIAGRAMS[:6]))


def test_diagrams_without_a_bar_can_be_fitted() -> None:
    assert not DiagramVectors().fit_transform([persistence([[0.0, 0.0]])]).any()


@pytest.mark.parametrize(
    ("call", "word"),
    [
        pytest.param(lambda: DiagramVectors("colour").fit(DIAGRAMS), "kind", id="unknown kind"),
        pytest.param(lambda: DiagramVectors().fit([]), "0 diagrams", id="nothing to fit"),
        pytest.param(
            lambda: DiagramVectors().fit(DIAGRAMS).transform([persistence(LOOPS[0], filtration="alpha")]),
            "scale",
            id="another scale",
        ),
        pytest.param(lambda: CloudVectors(2).fit(np.ones((3, 5))), "multiple of dim", id="half a point"),
    ],
)
def test_what_cannot_be_transformed_is_refused(call: object, word: str) -> None:
    with pytest.raises(BadInput, match=word):
        call()


def test_topology_does_not_load_scikit_learn() -> None:
    code = "import sys, toriwork.topology; print('sklearn' in sys.modules, 'pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_columns_have_names_and_come_as_a_frame() -> None:
    rows = np.array([cloud.ravel() for cloud in LOOPS])
    for made, given in (
        (DiagramVectors("lengths", resolution=3), DIAGRAMS),
        (CloudVectors(2, k=1, resolution=3), rows),
    ):
        frame = made.set_output(transform="pandas").fit_transform(given)
        names = list(made.get_feature_names_out())
        assert list(frame.columns) == names
        assert names[0] == type(made).__name__.lower() + "0"
        assert np.array_equal(frame.to_numpy(), clone(made).set_output(transform="default").fit_transform(given))


# ---- lists of clouds of any sizes ------------------------------------------------------------------------------------

RAGGED = [cloud[: 20 + i % 6] for i, cloud in enumerate([*LOOPS, *BLOBS])]


def test_clouds_of_any_sizes_go_through_a_pipeline() -> None:
    model = make_pipeline(CloudDiagrams(), DiagramVectors("lengths", resolution=3), LogisticRegression())
    assert model.fit(RAGGED, LABELS).score(RAGGED, LABELS) == 1.0
    assert cross_val_score(model, RAGGED, LABELS, cv=3).mean() > 0.8
    found = GridSearchCV(model, {"clouddiagrams__filtration": ["rips", "alpha", Landmark(15)]}, cv=2).fit(
        RAGGED, LABELS
    )
    assert found.best_score_ > 0.8
    made = CloudDiagrams("alpha", max_dimension=2, scale="diameter", max_workers=1)
    assert clone(made).get_params() == made.get_params()
    wanted = [persistence(cloud, filtration="alpha", max_dimension=2, scale="diameter") for cloud in RAGGED]
    assert clone(made).fit_transform(RAGGED) == wanted
    assert made.transform(np.array(BLOBS)) == made.transform(BLOBS)
    assert made.transform([]) == []


def test_a_pipeline_with_memory_computes_a_diagram_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    computed, known = [], estimators.persistence_many
    monkeypatch.setattr(
        estimators,
        "persistence_many",
        lambda clouds, **options: computed.append(len(clouds)) or known(clouds, **options),
    )
    rows = []
    for resolution in (3, 3, 5):
        steps = CloudDiagrams(), DiagramVectors("lengths", resolution=resolution)
        model = make_pipeline(*steps, LogisticRegression(), memory=str(tmp_path)).fit(RAGGED, LABELS)
        rows.append(model[:-1].transform(RAGGED))
        assert computed.pop() == len(RAGGED)  # of transform, which no pipeline remembers
    assert computed == [len(RAGGED)]
    assert np.array_equal(rows[0], rows[1])
    make_pipeline(CloudDiagrams(max_dimension=2), *model.steps[1:][0][1:], memory=str(tmp_path)).fit(RAGGED, LABELS)
    assert computed == [len(RAGGED)] * 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_pipeline_has_names_and_frames(kind: str) -> None:
    model = make_pipeline(CloudDiagrams(), DiagramVectors(kind, resolution=4)).set_output(transform="pandas")
    frame = model.fit_transform(RAGGED)
    assert list(frame.columns) == list(model.get_feature_names_out())
    assert frame.columns[0] == "diagramvectors0"
    plain = make_pipeline(CloudDiagrams(), DiagramVectors(kind, resolution=4)).fit_transform(RAGGED)
    assert np.array_equal(frame.to_numpy(), plain)
    with sklearn.config_context(transform_output="pandas"):
        assert model.fit_transform(RAGGED).equals(frame)
    assert CloudDiagrams().get_feature_names_out().tolist() == ["diagram"]


def test_a_cloud_that_has_no_diagram_is_named() -> None:
    with pytest.raises(BadInput, match="cloud 1: points: row 0 is not finite"):
        CloudDiagrams().fit_transform([LOOPS[0], [[math.nan, 1.0]], LOOPS[1]])
    with pytest.raises(TooLarge, match=r"cloud 0: 300 points, alpha.*; filtration='rips' needs less"):
        CloudDiagrams("alpha").fit_transform([np.random.default_rng(0).random((300, 40))])
