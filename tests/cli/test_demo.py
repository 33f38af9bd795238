"""The demo finds what is known, leaves a registry that others read and a report, and touches nothing else."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from tests.plots.test_figure import parsed
from toriwork.samples import sample_index


@dataclass(frozen=True)
class DemoRun:
    facts: dict
    report: str
    preset: Path  #: what TORI_STATE_ROOT named while the demo ran
    n_logged: int


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> DemoRun:
    """One run of the demo as a user starts it, with a state root of the user's own preset."""
    room = tmp_path_factory.mktemp("room with a space")
    preset = room / "the user's own"
    preset.mkdir()
    (preset / "torus_registry.parquet").write_bytes(b"do not touch")
    environment = os.environ | {"TORI_STATE_ROOT": str(preset), "TMPDIR": str(room)}
    done = subprocess.run(
        [sys.executable, "-m", "toriwork", "demo", "--json"],
        env=environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    facts = json.loads(done.stdout)
    return DemoRun(facts, Path(facts["report"]).read_text(encoding="utf-8"), preset, len(done.stderr.splitlines()))


def test_every_cloud_of_known_shape_is_found_to_have_it(ran: DemoRun) -> None:
    wrong = {cloud["name"]: cloud["found"] for cloud in ran.facts["clouds"] if cloud["verdict"] == "different"}
    assert wrong == {}
    assert [cloud["name"] for cloud in ran.facts["clouds"]] == [entry.name for entry in sample_index()]


def test_the_sunspots_have_one_cycle(ran: DemoRun) -> None:
    (sunspots,) = (cloud for cloud in ran.facts["clouds"] if cloud["name"] == "sunspots_yearly")
    assert sunspots["found"] == [1, 1]
    assert sunspots["verdict"] == "nothing known"


def test_the_published_file_holds_what_was_found(ran: DemoRun) -> None:
    rows = pd.read_parquet(ran.facts["registry"]).set_index("shape_id")
    assert len(rows) == len(ran.facts["clouds"]) == ran.facts["n_rows"]["pandas"] == ran.facts["n_rows"]["DuckDB"]
    for cloud in ran.facts["clouds"]:
        row = rows.loc[cloud["shape_id"]]
        assert [row.betti0, row.betti1] == cloud["found"][:2], cloud["name"]
        assert json.loads(row.metadata)["sample"] == cloud["name"]


def test_every_cloud_has_a_token_of_its_own(ran: DemoRun) -> None:
    tokens = {cloud["token"] for cloud in ran.facts["clouds"]}
    assert len(tokens) == len(ran.facts["clouds"])
    assert all(re.fullmatch(r"t1:[0-9a-f]{40}", token) for token in tokens)


def test_a_preset_state_root_stays_untouched(ran: DemoRun) -> None:
    assert [path.name for path in ran.preset.iterdir()] == ["torus_registry.parquet"]
    assert (ran.preset / "torus_registry.parquet").read_bytes() == b"do not touch"
    assert not Path(ran.facts["state_root"]).is_relative_to(ran.preset)


def test_the_report_stands_alone_and_has_an_alt_text_for_every_picture(ran: DemoRun) -> None:
    tree = parsed(re.sub(r"<!DOCTYPE html>|<meta[^>]*>", "", ran.report))
    assert len(tree.images) == len(ran.facts["clouds"]) + 1
    assert all(len(image["alt"] or "") > 40 for image in tree.images)
    assert all((image["src"] or "").startswith("data:image/png;base64,") for image in tree.images)
    assert "<script" not in ran.report
    assert re.findall(r'(?:src|href)="(?!data:)', ran.report) == []


def test_nothing_is_said_on_stderr(ran: DemoRun) -> None:
    assert ran.n_logged == 0
