"""Each published generation lands in a bucket or a folder: whole, once, and without holding up what is local."""

from __future__ import annotations

import datetime as dt
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.s3 import SECRET, environment
from tests.storage.rows import BY_HAND, SPEC, add, names_of, published_names
from toriwork.errors import BadInput, MissingExtra, NotFound, StoreError, StoreMismatch
from toriwork.storage import ParquetTable
from toriwork.storage.files import OsFiles
from toriwork.storage.generations import Generations, restore_generation
from toriwork.storage.objects import Objects, aws_options, checked_uri, without_secrets

CLOSED = "http://127.0.0.1:1"


def opened(path: Path, to: str | None = None) -> ParquetTable:
    return ParquetTable(path, SPEC, policy=BY_HAND, publish_to=to)


def publish(table: ParquetTable, *names: str, size: int = 0) -> int:
    """The generation that has these rows."""
    add(table, *names, size=size)
    table.flush(publish=True)
    if table._uploads is not None:
        table._uploads.join(60.0)
    with table.snapshot() as snapshot:
        assert snapshot.base is not None
        assert snapshot.base.facts is not None
        return snapshot.base.facts.generation


def rows_in(place: str, root: Path, as_of: int | dt.date | str | None = None) -> list[str]:
    """The rows of a generation, restored."""
    made = restore_generation(place, root / "t.parquet", as_of=as_of)
    with ParquetTable(made.path, SPEC, read_only=True) as table:
        assert table.verify().ok
        return sorted(names_of(table))


def test_each_generation_lands_is_listed_and_comes_back(place: str, tmp_path: Path) -> None:
    with opened(tmp_path / "t.parquet", place) as table:
        numbers = [publish(table, name) for name in "abc"]
        assert table.uploaded is not None
        assert (table.uploaded.generation, table.uploaded.error) == (numbers[-1], "")
        there = Generations(Objects(place), "t")
        assert there.numbers() == numbers
        found = [there.read(number) for number in numbers]
        assert [one.n_rows for one in found] == [1, 2, 3]
        assert found[-1].n_bytes == table.path.stat().st_size
        assert table.upload() == found[-1], "again: nothing new"
        assert there.numbers() == numbers
    assert rows_in(place, tmp_path / "newest") == ["a", "b", "c"]
    assert rows_in(place, tmp_path / "number", numbers[0]) == ["a"]
    assert rows_in(place, tmp_path / "name", f"g{numbers[1]}") == ["a", "b"]
    assert rows_in(place, tmp_path / "time", found[1].created) == ["a", "b"]
    between = dt.datetime.fromisoformat(found[1].created) - dt.timedelta(microseconds=1)
    assert rows_in(place, tmp_path / "earlier", between) == ["a"]
    with pytest.raises(NotFound, match=r"of .* or before, got none"):
        there.find(dt.date(2020, 1, 1))
    with pytest.raises(BadInput, match="expected a generation or an ISO time"):
        there.find("yesterday")
    with pytest.raises(NotFound, match="expected generations of other"):
        Generations(Objects(place), "other").find()


def test_a_table_that_is_there_is_replaced_only_when_that_is_said(place: str, tmp_path: Path) -> None:
    with opened(tmp_path / "t.parquet", place) as table:
        publish(table, "a")
        add(table, "b")
    with pytest.raises(StoreMismatch, match="expected no table there"):
        restore_generation(place, tmp_path / "t.parquet")
    made = restore_generation(place, tmp_path / "t.parquet", replace=True)
    assert made.kept is not None
    with opened(made.kept) as kept, opened(made.path, place) as table:
        assert (sorted(names_of(kept)), names_of(table)) == (["a", "b"], ["a"])
        publish(table, "c")
    assert rows_in(place, tmp_path / "drill") == ["a", "c"]


def test_two_copies_of_one_store_never_overwrite_each_other(
    place: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    one, two = tmp_path / "one" / "t.parquet", tmp_path / "two" / "t.parquet"
    with opened(one) as table:
        publish(table, "a")
    shutil.copytree(one.parent, two.parent)
    with opened(one, place) as first, opened(two, place) as second:
        number = publish(first, "b")
        assert publish(second, "c") == number, "the local publish is done"
        assert sorted(published_names(second.path)) == ["a", "c"]
        with pytest.raises(StoreMismatch, match=f"has another generation {number}"):
            second.upload()
        assert second.uploaded is not None
        assert "another generation" in second.uploaded.error
        assert "was not uploaded, the next publish tries again" in caplog.text
    assert rows_in(place, tmp_path / "drill") == ["a", "b"]
    assert len(Objects(place).names()) == 3, "what the other one had put is gone"


def test_another_store_is_told_to_go_elsewhere(place: str, tmp_path: Path) -> None:
    for number, name in enumerate("ab"):
        with opened(tmp_path / name / "t.parquet") as table:
            publish(table, *(f"{name}{k}" for k in range(number + 1)))
            if number:
                with pytest.raises(StoreMismatch, match="of another store"):
                    table.upload(place)
            else:
                table.upload(place)
    assert rows_in(place, tmp_path / "drill") == ["a0"]


def test_a_bucket_that_is_away_holds_nobody_up_and_gets_the_newest_later(
    bucket: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = os.environ["AWS_ENDPOINT_URL"]
    monkeypatch.setenv("AWS_ENDPOINT_URL", CLOSED)
    with opened(tmp_path / "t.parquet", bucket) as table:
        publish(table, "a")
        number = publish(table, "b")
        assert sorted(published_names(table.path)) == ["a", "b"]
        assert table.uploaded is not None
        assert table.uploaded.generation == 0
        assert "cannot put t.store" in table.uploaded.error
        assert caplog.text.count("was not uploaded") == 1, "said once"
        with pytest.raises(StoreError, match=r"s3://bucket-\d+: cannot put"):
            table.upload()
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    with opened(tmp_path / "t.parquet", bucket) as table:
        assert table.upload().generation == number
        assert table.uploaded is not None
        assert (table.uploaded.generation, table.uploaded.error) == (number, "")
    assert rows_in(bucket, tmp_path / "drill") == ["a", "b"]


def test_a_bucket_that_is_not_there_is_named(bucket: str, tmp_path: Path) -> None:
    with opened(tmp_path / "t.parquet") as table:
        publish(table, "a")
        with pytest.raises(StoreError, match=r"s3://nobody/x: cannot put t.store: .*NoSuchBucket"):
            table.upload("s3://nobody/x")


PUBLISHER = """
import sys
from tests.storage.test_generations import opened, publish
table = opened(sys.argv[1], sys.argv[2])
print("open", flush=True)
for k in range(1000):
    publish(table, f"{sys.argv[3]}-{k}", size=400_000)
"""


@pytest.mark.parametrize("n_lives", [1, pytest.param(25, marks=pytest.mark.long)])
def test_a_killed_upload_leaves_nothing_half(
    n_lives: int,
    place: str,
    s3_server: str,
    tmp_path: Path,
) -> None:
    """Whatever is listed is whole; the next one goes on behind it."""
    path, dice = tmp_path / "t.parquet", random.Random(4)
    environ = os.environ | environment(s3_server, tmp_path)
    for life in range(n_lives):
        line = [sys.executable, "-c", PUBLISHER, str(path), place, str(life)]
        with subprocess.Popen(line, env=environ, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"open\n"
            time.sleep(0.2 + dice.random() * 0.4)
            process.kill()
        there = Generations(Objects(place, make=True), "t")
        for number in there.numbers()[-3:]:
            folder = tmp_path / f"{life}-{number}"
            folder.mkdir()
            there.fetch(there.read(number), folder, OsFiles()).check(OsFiles())
    with opened(path, place) as table:
        number = publish(table, "last")
        assert there.numbers()[-1] == number
        assert rows_in(place, tmp_path / "drill") == sorted(names_of(table))


def test_credentials_come_from_the_users_files_and_go_nowhere(
    bucket: str,
    s3_server: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_PROFILE", "lab")
    (tmp_path / ".aws").mkdir()
    keys = f"[lab]\naws_access_key_id = somebody\naws_secret_access_key = {SECRET}\n"
    (tmp_path / ".aws" / "credentials").write_text(keys)
    (tmp_path / ".aws" / "config").write_text(f"[profile lab]\nregion = us-east-1\nendpoint_url = {s3_server}\n")
    assert aws_options()["aws_secret_access_key"] == SECRET
    root = tmp_path / "root"
    with opened(root / "t.parquet", bucket) as table:
        publish(table, "a")
        assert rows_in(bucket, tmp_path / "drill") == ["a"]
        (tmp_path / ".aws" / "config").write_text(f"[profile lab]\nregion = us-east-1\nendpoint_url = {CLOSED}\n")
        with pytest.raises(StoreError) as told:
            table.upload(f"{bucket}/x")
    assert SECRET not in without_secrets(f"of the library: {SECRET}") + str(told.value) + repr(
        told.value
    ) + caplog.text + repr(told.value.__cause__)
    held = [path for path in (*root.rglob("*"), *(tmp_path / "drill").rglob("*")) if path.is_file()]
    assert len(held) > 4
    assert [path for path in held if SECRET.encode() in path.read_bytes()] == []


def test_a_forked_child_publishes_and_leaves_uploading_to_its_parent(tmp_path: Path) -> None:
    place = (tmp_path / "objects").as_uri()
    with opened(tmp_path / "t.parquet", place) as table:
        first = publish(table, "a")
        pid = os.fork()
        if not pid:  # pragma: no cover
            add(table, "b")
            table.flush(publish=True)
            try:
                table.upload()
            except StoreError as error:
                os._exit(0 if "in a fork of a process" in str(error) else 1)
            os._exit(2)
        assert os.waitpid(pid, 0)[1] == 0
        assert sorted(published_names(table.path)) == ["a", "b"]
        assert table.uploaded is not None
        assert (table.uploaded.generation, "in a fork" in table.uploaded.error) == (first, True)
        table.upload()
    assert rows_in(place, tmp_path / "drill") == ["a", "b"]


def test_what_is_no_place_for_objects_is_refused_without_repeating_a_password(tmp_path: Path) -> None:
    for uri in (f"s3://me:{SECRET}@bucket/x", f"s3://bucket/x?X-Amz-Signature={SECRET}"):
        with pytest.raises(BadInput, match="credentials come from the environment") as told:
            checked_uri(uri)
        assert SECRET not in str(told.value)
    for uri in ("http://host/x", "s3://", "memory://x", "file://"):
        with pytest.raises(BadInput, match="expected s3://BUCKET/PREFIX"):
            checked_uri(uri)
    with opened(tmp_path / "t.parquet") as table, pytest.raises(BadInput, match="expected a bucket or a folder"):
        table.upload()


def test_without_the_library_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(MissingExtra, match=r"pip install 'toriwork\[cluster\]'"):
        opened(tmp_path / "t.parquet", str(tmp_path / "objects"))
