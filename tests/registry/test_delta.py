"""A registry in a Delta table: the interface of TorusRegistry, many processes at once, every row there once."""

from __future__ import annotations

import json
import os
import pickle
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable

from tests.s3 import environment
from toriwork import TorusRegistry, open_registry
from toriwork.cli import main
from toriwork.errors import BadInput, Closed, MissingExtra, NotFound, ReadOnly, StoreError
from toriwork.registry.delta import DeltaRegistry
from toriwork.registry.delta_table import DeltaRows
from toriwork.registry.exchange import bring_back, deliver, follow
from toriwork.registry.rows import SCHEMA

ANGLES = np.linspace(0, 2 * np.pi, 30, endpoint=False)
CIRCLE = np.c_[np.cos(ANGLES), np.sin(ANGLES)]
GIVEN = (1.0, 0.0, 0.0)


@pytest.fixture
def uri(tmp_path: Path) -> str:
    """A Delta table that is still to be made, in a folder."""
    return f"delta:{tmp_path}/table"


@pytest.fixture
def anywhere(place: str) -> str:
    """The same, in a bucket and in a folder."""
    return f"delta+{place}/table"


def test_it_does_what_a_registry_does(uri: str, tmp_path: Path) -> None:
    """Every answer is that of a local registry with the same calls."""
    answers = []
    for place in (uri, tmp_path / "local.parquet"):
        with open_registry(place) as registry:
            first = registry.record_shape(CIRCLE, metadata={"run": 1})
            ids = registry.record_shapes([CIRCLE * 2, CIRCLE.astype("f4")], coherence_band=["global", "critical"])
            spectrum = registry.record_shape(np.array([3.0, 2.0 + 1j]))
            again = registry.record_shape(CIRCLE, GIVEN)
            registry.flush()
            assert registry.vertices(ids[1]).dtype == np.float32
            assert np.array_equal(registry.vertices(spectrum), [3.0, 2.0 + 1j])
            assert np.array_equal(registry.vertices(first), CIRCLE)
            with pytest.raises(NotFound):
                registry.vertices("shape_0")
            frames = [registry.df, registry.query_recent(2), registry.query_by_coherence("global")]
            filtered = registry.scan(["shape_id"], pc.field("betti1") >= 1, where=[("coherence_band", "!=", "local")])
            assert registry.retract(again, "twice") == 2
            statistics = registry.get_statistics()
            answers.append(
                [
                    *(frame.drop(columns="timestamp").to_dict("records") for frame in frames),
                    sorted(filtered.read_all()["shape_id"].to_pylist()),
                    registry.compute_betti_delta(ids[0], ids[1]),
                    len(registry),
                    registry.scan(retracted=True).read_all().num_rows,
                    registry.dataset().count_rows(),
                    {key: statistics[key] for key in ("total_shapes", "coherence_distribution", "avg_betti")},
                    registry.verify().ok,
                    repr(registry).split("file")[0],
                ]
            )
            rows = registry.scan(["betti_status", "row_id"], retracted=True).read_all()
            assert len(set(rows["row_id"].to_pylist())) == rows.num_rows == 7
            assert set(rows["betti_status"].to_pylist()) == {"computed", "given", "spectrum", "retraction"}
    assert repr(answers[0]) == repr(answers[1]), "repr: NaN is not equal to itself"


def test_versions_are_its_history_and_the_engine_keeps_it_small(uri: str) -> None:
    with open_registry(uri) as registry:
        for number in range(4):
            registry.record_shape(CIRCLE * (number + 1), GIVEN)
        version = registry.stamp()
        assert [len(registry.at(number)) for number in range(5)] == [0, 1, 2, 3, 4]
        assert len(registry.at(2).df) == 2
        with pytest.raises(ReadOnly):
            registry.at(2).record_shape(CIRCLE)
        with pytest.raises(BadInput, match="expected a version from 0 to 4, got 9"):
            registry.scan(as_of=9)
        with pytest.raises(BadInput, match="as_of"):
            registry.scan(after="")
        assert registry.compact()["numFilesRemoved"] == 4
        assert registry.get_statistics()["files"] == 1
        assert registry.stamp() != version
        assert len(registry.vacuum(hours=0)) == 4
        assert len(registry.df) == 4
        copy = pickle.loads(pickle.dumps(registry))
        assert copy.df.equals(registry.df)
    with pytest.raises(Closed):
        registry.df  # noqa: B018
    with pytest.raises(Closed):
        registry.record_shape(CIRCLE)


def test_others_read_it(tmp_path: Path) -> None:
    with open_registry(f"delta://{tmp_path}/table") as registry:
        registry.record_shapes([CIRCLE, CIRCLE * 2], metadata=[{"run": 1}, {"run": 2}])
        rows = registry.dataset()
        assert duckdb.sql("SELECT betti1, metadata->>'$.run' FROM rows ORDER BY 2").fetchall() == [(1, "1"), (1, "2")]
        assert duckdb.sql(f"SELECT count(*) FROM read_parquet({registry.rows.files()})").fetchall() == [(2,)]
        found = pl.scan_pyarrow_dataset(rows).filter(pl.col("betti1") == 1).collect()
        assert found.height == pl.read_delta(str(tmp_path / "table")).height == 2


WRITER = """
import sys
import numpy as np
from toriwork import open_registry
with open_registry(sys.argv[1]) as registry:
    for number in range(int(sys.argv[3])):
        clouds = [[[float(sys.argv[2]), number, k]] for k in range(2)]
        registry.record_shapes(clouds, [(1, 0, 0)] * 2, metadata=[{"writer": int(sys.argv[2]), "n": number}] * 2)
"""


@pytest.mark.parametrize(
    ("n_writers", "n_commits"), [(2, 4), pytest.param(8, 200, marks=pytest.mark.long)], ids=["quick", "long"]
)
def test_many_processes_commit_at_once_and_all_is_there_once(
    n_writers: int, n_commits: int, anywhere: str, s3_server: str, tmp_path: Path
) -> None:
    environ = os.environ | environment(s3_server, tmp_path)
    started = [
        subprocess.Popen([sys.executable, "-c", WRITER, anywhere, str(writer), str(n_commits)], env=environ)
        for writer in range(n_writers)
    ]
    assert [process.wait() for process in started] == [0] * n_writers
    with open_registry(anywhere, read_only=True) as registry:
        rows = registry.scan(["metadata", "row_id"]).read_all()
        counted = Counter((found["writer"], found["n"]) for found in map(json.loads, rows["metadata"].to_pylist()))
        assert counted == {(w, n): 2 for w in range(n_writers) for n in range(n_commits)}
        assert len(set(rows["row_id"].to_pylist())) == rows.num_rows
        assert registry.stamp() >= n_writers * n_commits


def test_how_far_somebody_got_is_asked_where_it_may_have_changed(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def counted(table: DeltaTable, name: str) -> int | None:
        asked.append(name)
        return told(table, name)

    told = DeltaTable.transaction_version
    monkeypatch.setattr(DeltaTable, "transaction_version", counted)
    with open_registry(uri) as one, open_registry(uri) as other:
        for registry in (one, other, one, other, one, one):
            registry.record_shape(CIRCLE, GIVEN)
            assert len(registry.df) == len(registry)
        assert len(asked) == 2, "the engine reads its whole log to tell it: once for each writer"
        rows, shared = one.rows, other.rows
        piece = one.scan().read_all().slice(0, 1)
        assert rows.append(piece, "both", 1)
        assert shared.done("both") == rows.done("both") == 1
        assert shared.append(piece, "both", 2)
        assert not rows.append(piece, "both", 3), "the other has committed meanwhile"
        assert rows.done("both") == 2
        assert rows.append(piece, "both", 2), "it is there"
        n_asked = len(asked)
        assert rows.append(piece, "both", 3)
        assert rows.append(piece, "both", 4)
        assert rows.done("both") == 4
        assert len(asked) == n_asked
        assert len(one) == 6 + 4


FOLLOWER = """
import sys
from toriwork.registry.exchange import follow
print("on", flush=True)
follow(sys.argv[1], sys.argv[2], every=0.0)
"""


@pytest.mark.parametrize("n_kills", [1, pytest.param(50, marks=pytest.mark.long)], ids=["quick", "long"])
def test_a_follower_that_is_killed_delivers_each_row_once(
    n_kills: int, place: str, s3_server: str, tmp_path: Path
) -> None:
    if n_kills == 1 and place.startswith("s3:"):
        pytest.skip("the long form is tried in a bucket too")
    uri = f"delta+{place}/table"
    path, dice, n_rows = tmp_path / "r.parquet", random.Random(16), 0
    environ = os.environ | environment(s3_server, tmp_path)
    with TorusRegistry(path) as registry:
        for _ in range(n_kills):
            line = [sys.executable, "-c", FOLLOWER, str(path), uri]
            with subprocess.Popen(line, env=environ, stdout=subprocess.PIPE) as process:
                assert process.stdout is not None
                assert process.stdout.readline() == b"on\n"
                end = time.monotonic() + 0.3 + dice.random()
                while time.monotonic() < end:
                    for _ in range(dice.randrange(1, 20)):
                        registry.record_shape([[n_rows, 0.0]], GIVEN)
                        n_rows += 1
                    registry.flush(publish=True)
                process.kill()
        with open_registry(uri) as table:
            deliver(registry, table.rows)
            assert table.verify().ok
            ids = registry.scan(["row_id"]).read_all()["row_id"].to_pylist()
            assert sorted(table.scan(["row_id"]).read_all()["row_id"].to_pylist()) == sorted(ids)
            assert len(ids) == n_rows > 0


def test_two_followers_and_a_table_that_forgot_deliver_each_row_once(uri: str, tmp_path: Path) -> None:
    with TorusRegistry(tmp_path / "r.parquet") as registry, open_registry(uri) as table:
        registry.record_shapes([CIRCLE * k for k in range(1, 7)], [GIVEN] * 6)
        registry.flush(publish=True)
        who = _named(registry)
        stale = DeltaRows(uri)
        assert deliver(registry, table.rows, commit_bytes=1) == 6
        # one that had looked before the other committed
        with registry._table.snapshot() as snapshot:
            rows = pa.Table.from_batches(snapshot.base_batches())
        assert stale.append(rows, who, rows.num_rows), "they are there: by the other one"
        assert not stale.append(rows.slice(0, 1), who, rows.num_rows - 1)
        assert (deliver(registry, table.rows), len(table)) == (0, 6)
        assert table.rows.append(rows.slice(0, 0), who + "x", 1)
        stale.done = lambda name: None  # type: ignore[method-assign]  # as after a restore, or in a copied table
        assert deliver(registry, stale) == 0
        assert len(table) == 6
    assert follow(tmp_path / "r.parquet", uri, over=lambda: True) == 0


def _named(registry: TorusRegistry) -> str:
    with registry._table.snapshot() as snapshot:
        assert snapshot.head is not None
        return f"toriwork:{snapshot.head.store_id}:{snapshot.head.accepted}"


def test_a_registry_goes_to_a_table_and_comes_back_equal(
    anywhere: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, back = tmp_path / "torus_registry.parquet", tmp_path / "back" / "torus_registry.parquet"
    with TorusRegistry(path) as registry:
        ids = registry.record_shapes([CIRCLE, CIRCLE.astype("f4"), np.array([1.0, 2.0])], metadata={"run": 1})
        registry.flush(publish=True)
        registry.record_shape(CIRCLE * 3)
        registry.retract(ids[0], "wrong")
    assert main(["registry", "export", "--to-delta", anywhere, "--path", str(path)]) == 0
    assert main(["registry", "follow", anywhere, "--once", "--path", str(path)]) == 0
    assert main(["registry", "export", "--from-delta", anywhere, "--path", str(back)]) == 0
    assert "5 rows written" in capsys.readouterr().out
    assert main(["registry", "export", "--from-delta", anywhere, "--path", str(back)]) == 2, "it is there"
    assert main(["registry", "export"]) == 2
    with TorusRegistry(path) as registry, TorusRegistry(back) as copy, open_registry(anywhere) as table:
        wanted = registry.scan(retracted=True).read_all().sort_by("row_id")
        for other in (copy, table):
            assert other.scan(retracted=True).read_all().cast(SCHEMA).sort_by("row_id").equals(wanted)
        assert copy.df.equals(registry.df)
        assert copy.verify().ok
        assert copy.scan(as_of=2).read_all().num_rows == registry.scan(as_of=2).read_all().num_rows
        copy.record_shape(CIRCLE)
        copy.flush(publish=True)
        assert deliver(copy, table.rows) == 1, "the others are there"
    with pytest.raises(NotFound, match="expected a Delta table, got none"):
        bring_back(f"{anywhere}x", tmp_path / "x.parquet")


def test_a_table_that_is_not_what_the_writer_left_is_an_error(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_registry(uri) as registry:
        registry.record_shape(CIRCLE, GIVEN)
        with monkeypatch.context() as patched:
            patched.setattr(registry.rows, "append", lambda *_, **__: False)
            with pytest.raises(StoreError, match="a table that has lost it") as told:
                registry.record_shapes([CIRCLE, CIRCLE * 2], [GIVEN, GIVEN])
        assert len(told.value.row_ids) == 2
        registry.record_shapes([CIRCLE, CIRCLE * 2], [GIVEN, GIVEN], retry=told.value.row_ids)
        assert len(registry.df) == 3


def test_a_call_without_an_answer_is_asked_about_by_its_row_ids(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_registry(f"delta+{bucket}/table") as registry:
        registry.record_shape(CIRCLE, GIVEN)

        def cut(rows: pa.Table, who: str, upto: int, *, alone: bool) -> bool:
            assert append(rows, who, upto, alone=alone)
            raise StoreError("no answer")

        append = registry.rows.append
        with monkeypatch.context() as patched:
            patched.setattr(registry.rows, "append", cut)
            with pytest.raises(StoreError, match="no answer") as told:
                registry.record_shape(CIRCLE * 2, GIVEN)
        for _ in range(2):
            registry.record_shape(CIRCLE * 2, GIVEN, retry=told.value.row_ids)
        assert len(registry) == 2
        # the engine repeats a request that got no answer: its own commit stands in its way
        rows = registry.scan(retracted=True).read_all().slice(0, 1)
        stale = DeltaRows(f"delta+{bucket}/table")
        assert registry.rows.append(rows, "somebody", 1)
        assert stale.append(rows, "somebody", 1)
        assert len(registry) == 3


def test_what_is_no_table_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput, match=r"expected delta\+s3://BUCKET/TABLE"):
        open_registry("delta://s3/table")
    with pytest.raises(NotFound):
        open_registry(f"delta://{tmp_path}/none", read_only=True)
    with open_registry(tmp_path / "plain.parquet") as registry:
        assert type(registry) is TorusRegistry
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-for-your-eyes")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setitem(sys.modules, "deltalake", None)
    with pytest.raises(MissingExtra, match=r"pip install 'toriwork\[cluster\]'"):
        DeltaRegistry(f"delta://{tmp_path}/table")


def test_a_forked_child_is_told_to_start_anew(tmp_path: Path) -> None:
    with open_registry(f"delta://{tmp_path}/table") as registry:
        pid = os.fork()
        if not pid:  # pragma: no cover
            try:
                registry.record_shape(CIRCLE, GIVEN)
            except StoreError as error:
                os._exit(0 if "in a fork of a process" in str(error) else 1)
            os._exit(2)
        assert os.waitpid(pid, 0)[1] == 0
        assert len(registry) == 0


def test_typed_columns_are_declared_when_it_is_opened(uri: str) -> None:
    with open_registry(uri, columns={"heat": "float64"}) as table:
        table.record_shape(CIRCLE, GIVEN, heat=20.5)
    with open_registry(uri, columns={"heat": "float64", "sample": "string"}) as table:
        table.record_shape(CIRCLE * 2, GIVEN, sample="a")
        assert table.columns == {"heat": "float64", "sample": "string"}
        assert [row["heat"] for row in table.scan(["heat"], where=[("heat", ">", 20)]).read_all().to_pylist()] == [20.5]
    with pytest.raises(BadInput, match="column heat: expected float64, got string"):
        open_registry(uri, columns={"heat": "string"})
    with open_registry(uri, read_only=True, columns={"heat": "float64"}) as table:
        assert len(table) == 2
    with pytest.raises(ReadOnly):
        open_registry(uri, read_only=True, columns={"more": "int64"})


def test_typed_columns_are_there_too(uri: str, tmp_path: Path) -> None:
    with TorusRegistry(tmp_path / "r.parquet", columns={"heat": "float64"}) as registry, open_registry(uri) as table:
        registry.record_shape(CIRCLE, GIVEN, heat=20.5)
        registry.flush(publish=True)
        table.record_shape(CIRCLE * 2, GIVEN, metadata={"heat": 80.0})
        assert deliver(registry, table.rows) == 1
        assert table.columns == {"heat": "float64"}
        table.record_shape(CIRCLE * 3, GIVEN, heat=70)
        assert table.add_columns({"sample": "string"}) == {"heat": "float64", "sample": "string"}
        table.record_shape(CIRCLE * 4, GIVEN, sample="a")
        assert sorted(table.scan(["heat"], where=[("heat", ">", 0)]).read_all()["heat"].to_pylist()) == [20.5, 70]
        with pytest.raises(BadInput, match="expected float64, got"):
            table.record_shape(CIRCLE, GIVEN, heat="hot")
        with pytest.raises(BadInput, match="expected float64, got string"):
            table.add_columns({"heat": "string"})
        frame = table.df
    bring_back(uri, tmp_path / "back.parquet")
    with TorusRegistry(tmp_path / "back.parquet") as back:
        assert back.columns == {"heat": "float64", "sample": "string"}
        assert back.df.equals(frame)
