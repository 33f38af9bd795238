"""Data cannot steer a terminal or a page: types, names, paths and metadata with ESC, NUL, line ends, RTL, HTML."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import numpy as np
import pytest

from toriwork.cells import TorusCells
from toriwork.cli import main
from toriwork.registry import TorusRegistry
from toriwork.registry.spectral import SpectralDB
from toriwork.storage.verify import VerifyReport
from toriwork.synthesis import ObserverSynthesis
from toriwork.synthesis.report import LogFinding

Capture = pytest.CaptureFixture[str]
EVIL = {
    "esc": "\x1b[2J\x1b]0;owned\x07",
    "line": "x\nsound: 0 rows",
    "return": "x\rsound",
    "c1": "\x9b31m",
    "nul": "a\x00b",
    "rtl": "\u202egpj.exe",
    "delete": "a\x7fb",
    "separator": "a\u2028b",
    "html": "<img src=x onerror=alert(1)>",
}
STEERING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
in_every_way = pytest.mark.parametrize("evil", EVIL.values(), ids=EVIL)


def said(capsys: Capture, *arguments: str) -> tuple[int, str]:
    code = main(arguments)
    out, err = capsys.readouterr()
    assert not STEERING.search(out + err), repr(out + err)
    return code, out + err


@in_every_way
@pytest.mark.parametrize("action", ["info", "tail", "verify", "context"])
def test_tokens(capsys: Capture, tmp_path: Path, evil: str, action: str) -> None:
    path = tmp_path / "t.parquet"
    observers = ObserverSynthesis(path=path)
    observers.emit_token({"type": evil, "source": evil, "subject": evil, "words": evil})
    observers.close()
    code, text = said(capsys, "tokens", action, "--path", str(path))
    assert code == 0
    if action == "tail":
        assert len(text.splitlines()) == 2
    if action == "info":
        assert len(text.splitlines()) == 3


@in_every_way
@pytest.mark.parametrize("action", ["info", "head", "verify", "publish"])
def test_registry(capsys: Capture, tmp_path: Path, evil: str, action: str) -> None:
    folder = tmp_path / evil.replace("\x00", "").replace("/", "")
    folder.mkdir()
    path = folder / "r.parquet"
    with TorusRegistry(path) as registry:
        registry.record_shape(np.zeros((3, 2)), [1], metadata={evil: evil})
    n_lines = {"head": 2, "verify": 1, "publish": 1}
    code, text = said(capsys, "registry", action, "--path", str(path))
    assert code == 0
    assert len(text.splitlines()) == n_lines.get(action, len(text.splitlines()))


@in_every_way
@pytest.mark.parametrize("command", ["registry", "tokens"])
def test_a_path_that_is_missing(capsys: Capture, tmp_path: Path, evil: str, command: str) -> None:
    code, text = said(capsys, command, "info", "--path", str(tmp_path / evil.replace("\x00", "")))
    assert code == 2
    assert len(text.splitlines()) == 1


@in_every_way
def test_log_lines(caplog: pytest.LogCaptureFixture, tmp_path: Path, evil: str) -> None:
    caplog.set_level(logging.INFO, "toriwork")
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    with TorusRegistry(tmp_path / f"{evil.replace('/', '').replace(chr(0), '')}.parquet") as registry:
        SpectralDB(registry=registry, stream=evil).add([0.5, 0.3])
        with TorusCells(registry, 1) as cells:
            cells.betti_update(evil, np.column_stack([np.cos(angle), np.sin(angle)]), "global")
            cells.tunnel_idea(evil, "local")
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]
    assert len(told) > 3
    assert [line for line in told if STEERING.search(line) or "\n" in line] == []


@in_every_way
def test_reports(evil: str) -> None:
    report = VerifyReport(Path("x.parquet"), 1, 1, 1, (f"x: {evil}",), ())
    assert len(str(report).splitlines()) == 2
    assert not STEERING.search(str(report))
    assert len(str(LogFinding(1, "edited", evil)).splitlines()) == 1


@in_every_way
def test_pages(tmp_path: Path, evil: str) -> None:
    folder = tmp_path / evil.replace("\x00", "").replace("/", "")
    folder.mkdir()
    registry = TorusRegistry(folder / "r.parquet")
    registry.record_shape(np.zeros((3, 2)), [1], metadata={"evil": evil})
    pages = [registry._repr_html_()]
    registry.close()
    pages.append(registry._repr_html_())
    for page in pages:
        assert "<img" not in page
        assert not STEERING.search(page)
