"""A second corpus, by somebody who had not seen the guard: every look-alike is left alone, evasions are found.

``not_promised.json`` lists the evasions beyond what docs/guard.md promises: those may be found or not.

``outsiders.json`` holds the files as text, so that no other tool takes them for code. What the guard does to be fast
must not change what it finds, in this corpus and in the other one.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from tests.guard.corpus_index import CORPUS
from toriwork.guard import examine
from toriwork.guard.settings import Settings

LIMITS = frozenset(json.loads((Path(__file__).parent / "not_promised.json").read_text(encoding="utf-8"))["outsiders"])
CASES = json.loads((Path(__file__).parent / "outsiders.json").read_text(encoding="utf-8"))
NO_SETTINGS = Settings(Path("/no/such/project"))


@pytest.fixture(scope="module")
def laid(tmp_path_factory):
    """A folder with a folder for each case."""
    top = tmp_path_factory.mktemp("outsiders")
    for case in CASES:
        for name, content in case["files"].items():
            path = top / case["name"] / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else base64.b64decode(content["base64"]))
    return top


@pytest.fixture(scope="module")
def found(laid):
    """What is found in each case."""
    findings: dict[str, list[str]] = {case["name"]: [] for case in CASES}
    for finding in examine([str(laid)], settings=NO_SETTINGS).findings:
        findings[Path(finding.path).relative_to(laid).parts[0]].append(str(finding))
    return findings


def test_names_are_given_once_and_both_kinds_are_many():
    assert len({case["name"] for case in CASES}) == len(CASES)
    assert sum(case["found"] for case in CASES) >= 90
    assert sum(not case["found"] for case in CASES) >= 50


@pytest.mark.parametrize("name", [case["name"] for case in CASES if case["found"] and case["name"] not in LIMITS])
def test_an_evasion_is_found(name, found):
    assert found[name]


@pytest.mark.parametrize("name", [case["name"] for case in CASES if not case["found"]])
def test_a_look_alike_is_left_alone(name, found):
    assert found[name] == []


def test_what_is_not_looked_at_for_speed_holds_no_finding(laid, monkeypatch):
    folders = [str(laid), str(CORPUS)]
    fast = examine(folders, settings=NO_SETTINGS)
    monkeypatch.setattr("toriwork.guard.documents.is_suspect", lambda *_: True)
    monkeypatch.setattr("toriwork.guard.calls.WATCHED_ENDS", _Everything())
    slow = examine(folders, settings=NO_SETTINGS)
    assert (fast.findings, _unknown(fast)) == (slow.findings, _unknown(slow))


class _Everything(frozenset):
    """A set that everything is in."""

    def isdisjoint(self, _other):
        return False


def _unknown(report):
    """Warnings but those of syntax: what is not parsed has none."""
    return [finding for finding in report.warnings if finding.code != "TWG902"]
