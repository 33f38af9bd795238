"""The README's examples are run, and print what the README says they print."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks() -> list[tuple[str, str]]:
    return FENCE.findall((ROOT / "README.md").read_text(encoding="utf-8"))


def shown_after(kind: str, containing: str) -> tuple[str, str]:
    """A code block and the text block behind it."""
    found = blocks()
    at = next(i for i, (language, text) in enumerate(found) if language == kind and containing in text)
    return found[at][1], found[at + 1][1]


def test_the_example_prints_what_the_readme_shows(tmp_path: Path) -> None:
    code, shown = shown_after("python", "TorusRegistry")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == shown.split()
    assert [path.name for path in tmp_path.glob("*.parquet")] == ["shapes.parquet"]


def test_the_demo_finds_what_the_readme_shows(tmp_path: Path) -> None:
    _, shown = shown_after("bash", "make demo")
    done = subprocess.run(
        [sys.executable, "-m", "toriwork", "demo", "--state-root", str(tmp_path / "state")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    findings = [line for line in shown.splitlines() if line.startswith("  ") or "known" in line or "rows" in line]
    assert len(findings) >= 12
    for line in findings:
        assert line in done.stdout


def test_every_notebook_is_named() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in ROOT.glob("notebooks/*.ipynb") if f"(notebooks/{path.name})" not in text] == []
