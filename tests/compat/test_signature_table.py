"""The table of an older class: what one view writes every other answers from, bounds and all, also after a restart."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest

from toriwork.compat import SignatureTable, stream_of
from toriwork.errors import BadInput, Closed
from toriwork.registry import SpectralDB, TorusRegistry


def signature(hash_id: Any, values: Any = (1.0, 2.0), **more: Any) -> SimpleNamespace:
    usual = {"timestamp": 1, "betti_numbers": None, "coherence_state": "local", "gaps": []}
    return SimpleNamespace(hash_id=hash_id, eigenvalues=list(values), **(usual | more))


def test_views_of_one_stream_see_each_other_in_any_handle_and_ids_count_on(tmp_path):
    path = tmp_path / "r.parquet"
    with TorusRegistry(path) as registry, TorusRegistry(path) as other:
        first, second, third = (SignatureTable(3, stream="s", registry=one) for one in (registry, registry, other))
        assert [first.add(signature("a")), second.add(signature("b")), third.add(signature("c"))] == [1, 2, 3]
        assert [view.count() for view in (first, second, third)] == [3, 3, 3]
        assert first.add(signature("d")) == 4
        assert [one["hash_id"] for one in third.recent(9)] == ["d", "c", "b"]
    with TorusRegistry(path) as registry:
        again = SignatureTable(None, stream="s", registry=registry)
        assert [one["hash_id"] for one in again.recent(-1)] == ["d", "c", "b"]  # what was forgotten stays forgotten
        assert SpectralDB(registry=registry, stream="s").distance([1.0, 2.0]) == 0.0


def test_values_come_back_as_sqlite_gave_them(tmp_path):
    with TorusRegistry(tmp_path / "r.parquet") as registry:
        table = SignatureTable(9, stream="s", registry=registry)
        table.add(signature(7, [math.inf, 1], betti_numbers=[1, 2, 3, 4], coherence_state="odd", timestamp="12.5"))
        (found,) = table.recent()
        assert (found["hash_id"], found["timestamp"], found["coherence_state"]) == ("7", 12.5, "odd")
        assert (found["betti_numbers"], found["eigenvalues"].tolist()) == ([1.0, 2.0, 3.0, 4.0], [math.inf, 1.0])
        assert SpectralDB(registry=registry, stream="s").distance([1.0]) == math.inf  # which holds finite ones alone


@pytest.mark.parametrize(
    "given", [{"hash_id": None}, {"timestamp": None}, {"timestamp": math.nan}, {"coherence_state": None}]
)
def test_what_the_table_refused_is_refused(tmp_path, given):
    with TorusRegistry(tmp_path / "r.parquet") as registry:
        table = SignatureTable(9, stream="s", registry=registry)
        with pytest.raises(BadInput):
            table.add(signature(**({"hash_id": "a"} | given)))
        table.close()
        with pytest.raises(Closed):
            table.count()


def test_another_file_is_another_stream_told_by_its_place(tmp_path):
    module = tmp_path / "lab" / "store.py"
    assert stream_of("s", tmp_path / "data" / "x.db", str(module), "lab/store.py") == "s:data/x.db"
    assert stream_of("s", "/elsewhere/x.db", str(module), "lab/store.py") == "s:/elsewhere/x.db"
    assert stream_of("s", ":memory:", str(module), "lab/store.py") != stream_of(
        "s", ":memory:", str(module), "lab/store.py"
    )
