"""Files that say something else under right checksums: an answer, or an error of toriwork's that names the file."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from tests.storage.mutants_of_files import BASE, TABLES, WAYS, head_of, made, mutants, outcome, tried
from toriwork.storage.footer import Facts, _check_places
from toriwork.storage.json_checks import read_checked


@pytest.mark.parametrize(
    ("n_mutants", "seed"), [(50, 1), *(pytest.param(2000, seed, marks=pytest.mark.long) for seed in range(2, 5))]
)
@pytest.mark.filterwarnings("ignore")
def test_every_mutant_ends_with_an_answer_or_an_error_that_names_a_file(n_mutants: int, seed: int) -> None:
    counts, wrong = tried(n_mutants, seed)
    assert not wrong, "\n".join(wrong)
    assert sum(counts.values()) == len(WAYS) * n_mutants
    for way in ("open", "read_only", "repair"):  # else nothing was tried
        assert counts[f"{way}: answered"] > n_mutants // 10
    assert counts["open: damaged_file"] > n_mutants // 10
    assert counts["repair: damaged_file"] == 0, "repair sets aside what is damaged"


@pytest.mark.parametrize("table", TABLES)
def test_a_store_that_nobody_changed_is_answered(table: str) -> None:
    for options in WAYS:
        assert outcome(table, made(table), **options) == "answered"


def test_mutants_differ_from_the_store_in_one_file_and_head() -> None:
    rng = random.Random(0)
    for table in TABLES:
        source = mutants(table, rng)
        for _ in range(20):
            _, files = next(source)
            changed = {name for name in files if files[name] != made(table)[name]}
            assert len(changed - {f"{str(BASE).removesuffix('.parquet')}.d/HEAD"}) <= 1


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("store_id", "g" * 32, "damaged_file"),
        ("generation", -1, "damaged_file"),
        ("generation", True, "damaged_file"),
        ("generation", 2**63, "damaged_file"),
        ("digest", "x", "damaged_file"),
        ("digest", None, "damaged_file"),
        ("committed", 1, "damaged_file"),
        ("n_rows", 1.0, "damaged_file"),
        ("n_rows", float("nan"), "damaged_file"),
        ("held", [], "damaged_file"),
        ("accepted", "1", "damaged_file"),
        ("held", {"x": 1}, "damaged_file"),
        ("held", {"ab" * 16: "1"}, "damaged_file"),
        ("digest", "ab" * 32, "store_mismatch"),
        ("something new", [1], "answered"),
    ],
)
def test_head_is_checked_by_name(name: str, value: Any, kind: str) -> None:
    whole = made("plain")
    (head,) = [found for found in whole if found.endswith("/HEAD")]
    raw = json.loads(whole[head].rpartition(b" ")[0])
    files = {**whole, head: head_of(json.dumps({**raw, name: value}))}
    assert outcome("plain", files) == kind
    assert outcome("plain", files, repair=True) == "answered"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("5", "expected a JSON object, got int"),
        ("[" * 10_000, "nested too deeply"),
        ("{}", "expected store_id, got nothing"),
        ('{"store_id":5}', "store_id: expected 32 hex digits, got 5"),
        (
            '{"store_id":"' + "ab" * 16 + '","covers":{"' + "cd" * 16 + '":[1]}}',
            "covers: expected journal ids with a first",
        ),
        ('{"store_id":"' + "ab" * 16 + '","absorbed":{"' + "cd" * 16 + '":1e400}}', "absorbed: expected journal ids"),
        ('{"store_id":"' + "ab" * 16 + '","n_rows":' + "9" * 5000 + "}", "4300 digits"),
        ('{"store_id":"' + "ab" * 16 + '","note":["x"]}', "note: expected text"),
        ("{", "Expecting"),
        (
            '{"store_id":"' + "ab" * 16 + '","extents":[[1,2,3,4]]}',
            "extents: expected extents of four numbers and a digest",
        ),
        ('{"store_id":"' + "ab" * 16 + '","extents":[[1,2,3,-4,""]]}', "extents: expected"),
        ('{"store_id":"' + "ab" * 16 + '","indexes":[[1,2,1e9]]}', "indexes: expected indexes of three numbers"),
        ('{"store_id":"' + "ab" * 16 + '","indexes":5}', "indexes: expected"),
    ],
    ids=range(13),
)
def test_facts_are_checked_by_name(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Facts.from_json(text)


def test_what_is_stated_without_a_check_is_passed_on() -> None:
    assert read_checked('{"new": [1]}', {}, frozenset()) == {"new": [1]}


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"extents": [[2**62, 1, 1, 1, ""]]}, "ends that rise to"),
        ({"extents": [[50, 1, 1, 1, ""], [40, 1, 1, 1, ""], [100, 1, 1, 1, ""]]}, "ends that rise to 100"),
        ({"extents": [[50, 1, 1, 1, ""]]}, "ends that rise to 100"),
        ({"indexes": [[101, 0, 3]]}, "places in 100 bytes"),
        ({"indexes": [[10, 0, 2**62]]}, "places in 100 bytes and 3 rows"),
        ({"indexes": [[10, 3, 1]]}, "places in 100 bytes and 3 rows"),
    ],
)
def test_places_outside_of_the_file_are_refused_before_anything_is_read(facts: dict[str, Any], words: str) -> None:
    found = Facts.from_json(json.dumps({"store_id": "ab" * 16, "n_rows": 3, **facts}))
    with pytest.raises(ValueError, match=words):
        _check_places(found, 100)
