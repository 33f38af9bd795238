"""The backend before and after it left its database; the second half waits for the migration."""

import numpy as np
import pytest

from alan_backend.chaos_channel_controller import ChaosChannelController
from alan_backend.eigensentry_guard import CurvatureAwareGuard
from alan_backend.origin_sentry import OriginSentry, SpectralDB, betti_from_vertices


@pytest.fixture
def sentry(tmp_path, monkeypatch):
    monkeypatch.setenv("TORI_STATE_ROOT", str(tmp_path / "state"))
    return OriginSentry(SpectralDB(tmp_path / "spectra.db"))


def test_a_first_spectrum_is_new(sentry):
    found = sentry.classify([0.05, 0.03, 0.02])
    assert found["coherence"] == "critical"
    assert found["novelty_score"] == pytest.approx(0.7)
    assert found["gap_birth"]


def test_a_known_spectrum_is_not(sentry):
    sentry.classify([0.05, 0.03, 0.02])
    assert sentry.classify([0.05, 0.03, 0.02])["novelty_score"] == 0.0


def test_a_flat_state_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("TORI_STATE_ROOT", str(tmp_path / "state"))
    assert CurvatureAwareGuard().check_eigenvalues([0.5], np.zeros(100))["action"] == "none"


def test_betti_numbers_of_a_circle(tmp_path, monkeypatch):
    monkeypatch.setenv("TORI_STATE_ROOT", str(tmp_path / "state"))
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    b0, b1 = betti_from_vertices(np.c_[np.cos(angle), np.sin(angle)])
    assert b0 >= 1
    assert b1 >= 0


def test_torus_registry_keeps_a_shape(tmp_path):
    registry = pytest.importorskip("python.core.torus_registry")
    with registry.TorusRegistry(tmp_path / "torus_registry.parquet") as torus:
        assert torus.record_shape(np.eye(3)).startswith("shape_")


def test_observer_tokens_of_a_burst(tmp_path, monkeypatch):
    synthesis = pytest.importorskip("python.core.observer_synthesis")
    monkeypatch.setenv("TORI_STATE_ROOT", str(tmp_path / "state"))
    chaos = ChaosChannelController(lattice_size=8)
    assert chaos.trigger(0.5, 3)
    for _ in range(3):
        chaos.step()
    assert synthesis.get_observer_synthesis().metrics["tokens_generated"] == 1


def test_betti_numbers_come_from_torus_cells(tmp_path, monkeypatch):
    cells = pytest.importorskip("python.core.torus_cells")
    monkeypatch.setenv("TORI_STATE_ROOT", str(tmp_path / "state"))
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    circle = np.c_[np.cos(angle), np.sin(angle)]
    assert betti_from_vertices(circle) == cells.betti0_1(circle) == (1.0, 1.0)
