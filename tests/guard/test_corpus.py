"""The corpus that stood before the guard: no look-alike is found, every evasion but those not promised is."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.guard.corpus_index import CASES, CORPUS
from toriwork.guard import examine
from toriwork.guard.settings import Settings

LIMITS = frozenset(json.loads((Path(__file__).parent / "not_promised.json").read_text(encoding="utf-8"))["corpus"])
PROMISED = [case for case in CASES if case.expected and case.path.split("corpus/")[1] not in LIMITS]
NO_SETTINGS = Settings(Path("/no/such/project"))


@pytest.fixture(scope="module")
def reports():
    """What is found in the two trees."""
    return {part: examine([str(CORPUS / part)], settings=NO_SETTINGS) for part in ("evasions", "clean")}


def test_the_corpus_has_at_least_two_files_of_every_class_and_fifty_evasions():
    kinds = Counter(case.kind for case in CASES if case.expected)
    code = [case for case in CASES if case.expected and case.path.endswith((".py", ".ipynb"))]
    assert min(kinds.values()) >= 2
    assert len(code) >= 50
    assert len(CASES) - sum(kinds.values()) >= 25


def test_at_least_170_of_the_186_evasions_are_found(reports):
    found = {finding.path for finding in reports["evasions"].findings}
    assert sum(case.expected for case in CASES) == 186
    assert sum(case.expected and case.path in found for case in CASES) >= 170


@pytest.mark.parametrize("case", PROMISED, ids=lambda c: c.path.split("corpus/")[1])
def test_an_evasion_is_found(case, reports):
    assert case.path in {finding.path for finding in reports["evasions"].findings}


def test_nothing_is_found_in_any_look_alike(reports):
    assert [str(finding) for finding in reports["clean"].findings] == []


def test_what_tools_leave_behind_is_told_as_left_out(reports):
    names = {omission.path.rpartition("/")[2] for omission in reports["clean"].omitted}
    assert {".coverage", "cache.0.db", "cache.15.db", "Thumbs.db"} <= names


def test_a_name_that_only_a_run_knows_is_a_warning_and_with_strict_a_finding(reports):
    assert [finding.code for finding in reports["clean"].warnings] == ["TWG901"]
    strict = examine([str(CORPUS / "clean")], settings=NO_SETTINGS, strict=True)
    assert [finding.code for finding in strict.findings] == ["TWG901"]


@pytest.mark.parametrize("case", [c for c in PROMISED if "passed_on" not in c.path], ids=lambda c: Path(c.path).name)
def test_an_evasion_is_found_in_a_file_given_alone_too(case):
    assert examine([case.path], settings=NO_SETTINGS).found
