"""What the notebooks' sanitising file removes before outputs are compared, and what it must not."""

from __future__ import annotations

import re

import pytest
from nbval.plugin import get_sanitize_patterns

from toriwork.cli.notebook import SANITIZE

PATTERNS = dict(get_sanitize_patterns(SANITIZE.read_text(encoding="utf-8")))


def sanitised(text: str) -> str:
    for pattern, replacement in PATTERNS.items():
        text = re.sub(pattern, replacement, text)
    return text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("<Axes at 0x7f33aa10c0d0>", "<Axes at 0x55e01b>", id="an address"),
        pytest.param("/tmp/ipykernel_12/345.py:3: W", "/tmp/ipykernel_9/1.py:3: W", id="a kernel's file"),
        pytest.param("CPU times: user 3 ms\nWall time: 4 ms", "CPU times: user 1 s\nWall time: 9 s", id="a timing"),
        pytest.param(
            '<img src="data:image/png;base64,iVBO/+=">', '<img src="data:image/png;base64,AAAA">', id="a picture"
        ),
        pytest.param("<dc:date>2026-01-01</dc:date>", "<dc:date>1999-09-09</dc:date>", id="a date inside SVG"),
        pytest.param(
            "/tmp/toriwork-notebooks-x_1/state-00/torus_registry.parquet",
            "/var/folders/q/T/toriwork-test-abc/state-00/torus_registry.parquet",
            id="a temporary state root",
        ),
    ],
)
def test_may_differ(one, other):
    assert sanitised(one) == sanitised(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("b1 = 1", "b1 = 2", id="a number"),
        pytest.param("shape_0x12", "shape_0x13", id="a short hexadecimal number"),
        pytest.param("shape_00ff12ab34cd", "shape_00ff12ab34ce", id="an id without 0x"),
        pytest.param("Times: 3", "Times: 4", id="a word that only looks like a timing"),
        pytest.param("/data/a.csv", "/data/b.csv", id="a path of the user's"),
        pytest.param(
            "/tmp/toriwork-a/torus_registry.parquet", "/tmp/toriwork-a/torus_registry.d", id="the name below a root"
        ),
    ],
)
def test_must_not_differ(one, other):
    assert sanitised(one) != sanitised(other)
