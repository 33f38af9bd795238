"""The end of a Parquet file of the store: its facts, and the digest that protects the footer itself."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.storage.memdisk import MemDisk, MemFiles
from toriwork.errors import DamagedFile, VersionTooOld
from toriwork.storage import frames
from toriwork.storage.files import OsFiles
from toriwork.storage.footer import KEY_DIGEST, Facts, Footer, read_footer, sealed_footer
from toriwork.storage.sink import ParquetSink

PATH = Path("/table.parquet")
FACTS = Facts("ab" * 16, generation=3, absorbed={"cd" * 16: 7}, covers={"ef" * 16: (2, 9)})
ZEROS = b"0" * 64
IDS = st.text("0123456789abcdef", min_size=32, max_size=32)


@pytest.fixture
def files() -> MemFiles:
    return MemDisk().files()


def write(files: MemFiles, table: pa.Table, facts: Facts = FACTS) -> bytes:
    """The bytes of a file of the store with these rows."""
    handle = files.create(PATH)
    sink = ParquetSink(handle, PATH, table.schema)
    for batch in table.to_batches():
        sink.write(batch)
    sink.close(facts)
    return bytes(handle.inode.now)


def put(files: MemFiles, data: bytes) -> Path:
    """Give the file these bytes."""
    files.unlink(PATH)
    files.create(PATH).write(data)
    return PATH


def read(files: MemFiles) -> Footer:
    return read_footer(files.open(PATH), PATH)


def footer_of(data: bytes) -> bytes:
    return data[-8 - int.from_bytes(data[-8:-4], "little") :]


@given(
    st.builds(
        Facts,
        IDS,
        st.integers(0, 2**62),
        st.integers(0, 2**62),
        st.dictionaries(IDS, st.integers(0, 2**62), max_size=3),
        st.dictionaries(IDS, st.tuples(st.integers(0, 2**62), st.integers(0, 2**62)), max_size=3),
    )
)
def test_facts_come_back_from_their_text(facts: Facts) -> None:
    assert Facts.from_json(facts.to_json()) == facts


def test_a_fact_that_a_newer_version_added_is_passed_over() -> None:
    text = FACTS.to_json()
    assert Facts.from_json(text[:-1] + ',"zz_new":[1]}') == FACTS


def test_a_file_tells_its_facts_rows_and_digest(files: MemFiles) -> None:
    data = write(files, pa.table({"a": [1, 2, 3]}))
    found = read(files)
    assert found.facts == replace(FACTS, n_rows=3, extents=found.extents())
    assert found.data_bytes == len(data) - len(footer_of(data))


def test_anybody_can_compute_both_digests(files: MemFiles) -> None:
    data = write(files, pa.table({"a": [1, 2, 3]}))
    found = read(files)
    footer = footer_of(data)
    blank = footer.replace(found.digest.encode(), ZEROS)
    assert blank != footer
    assert blake2b(blank, digest_size=32, person=b"toriwork.footer").hexdigest() == found.digest
    rest = data[: -len(footer)]
    [extent] = found.extents()
    assert blake2b(rest, digest_size=32, person=b"toriwork.data").hexdigest() == extent.digest
    assert (extent.end, extent.n_groups, extent.n_rows) == (len(rest), 1, 3)
    assert pq.read_metadata(pa.BufferReader(data)).metadata[KEY_DIGEST] == found.digest.encode()


def test_sealing_changes_the_64_characters_of_the_digest_and_nothing_else() -> None:
    lead, tail = b"anything" + KEY_DIGEST + b"\x18\x40", b"\x00tail" + b"PAR1"
    footer, digest = sealed_footer(lead + ZEROS + tail)
    assert footer == lead + digest.encode() + tail
    assert digest == blake2b(lead + ZEROS + tail, digest_size=32, person=b"toriwork.footer").hexdigest()


@pytest.mark.parametrize("raw", [b"", b"no field", KEY_DIGEST + b"\x18\x40" + b"1" * 64, KEY_DIGEST + b"\x18\x40000"])
def test_a_footer_without_an_empty_field_is_not_sealed(raw: bytes) -> None:
    with pytest.raises(DamagedFile, match="no field"):
        sealed_footer(raw)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("0" * 64, id="64 zeros"),
        pytest.param((KEY_DIGEST + b"\x18\x40" + ZEROS).decode(), id="what looks like the field itself"),
    ],
)
def test_zeros_in_the_users_texts_are_left_alone(files: MemFiles, text: str) -> None:
    zeros = ZEROS.decode()
    schema = pa.schema([pa.field("note", pa.string(), metadata={"about": zeros})], metadata={"a": zeros, "zz": zeros})
    write(files, pa.table({"note": [text, text]}, schema=schema))  # in the statistics, too
    found = read(files)
    assert found.facts is not None
    assert found.metadata.metadata[b"zz"] == found.metadata.metadata[b"a"] == ZEROS
    assert found.metadata.row_group(0).column(0).statistics.min == text
    assert found.metadata.schema.to_arrow_schema().equals(schema)
    assert found.metadata.metadata[KEY_DIGEST] == found.digest.encode() != ZEROS


def test_a_file_that_needs_a_newer_reader_is_refused_by_number(files: MemFiles) -> None:
    write(files, pa.table({"a": [1]}), replace(FACTS, min_reader=frames.FORMAT + 1))
    with pytest.raises(
        VersionTooOld, match=rf"{PATH}: needs toriwork format {frames.FORMAT + 1}, this one reads {frames.FORMAT}"
    ):
        read(files)


def test_a_file_that_only_needs_a_newer_writer_is_read(files: MemFiles) -> None:
    write(files, pa.table({"a": [1]}), replace(FACTS, min_writer=frames.FORMAT + 1))
    found = read(files)
    assert found.facts is not None
    assert found.facts.min_writer == frames.FORMAT + 1


def test_a_footer_larger_than_the_first_read_is_read_whole(files: MemFiles) -> None:
    schema = pa.schema([("a", pa.int64())], metadata={"long": "x" * 200_000})
    data = write(files, pa.table({"a": [1]}, schema=schema))
    assert len(footer_of(data)) > 200_000
    assert read(files).facts is not None
    with pytest.raises(DamagedFile, match="checksum"):
        read_footer(files.open(put(files, data.replace(b"xxxx", b"xxyx", 1))), PATH)


@pytest.mark.parametrize("n_more", [0, 200_000])
def test_a_footer_is_checked_again_unless_its_file_is_unchanged(tmp_path: Path, n_more: int) -> None:
    path = tmp_path / "t.parquet"
    schema = pa.schema([("a", pa.int64())], metadata={"long": "x" * n_more})
    path.write_bytes(write(MemDisk().files(), pa.table({"a": [1]}, schema=schema)))

    def look(*, again: bool) -> Footer:
        with contextlib.closing(OsFiles().open(path)) as handle:
            return read_footer(handle, path, again=again)

    first = look(again=False)
    assert look(again=False) is first
    assert look(again=True) is not first
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    damaged = bytearray(path.read_bytes())
    damaged[-8 - len(first.raw) + 40 + n_more // 2] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(DamagedFile, match="checksum"):
        look(again=False)
    os.utime(path, ns=times)  # nothing but its bytes tells that it is another one
    with pytest.raises(DamagedFile, match="checksum"):
        look(again=True)
    if not n_more:  # a small one is compared whole
        with pytest.raises(DamagedFile, match="checksum"):
            look(again=False)


def test_a_file_of_other_software_has_no_facts_and_its_own_digest(files: MemFiles) -> None:
    digests = set()
    for n_rows in (1, 2):
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table({"a": list(range(n_rows))}), sink)
        data = bytes(sink.getvalue())
        found = read_footer(files.open(put(files, data)), PATH)
        assert found.facts is None
        assert found.metadata.num_rows == n_rows
        digests.add(found.digest)
    assert len(digests) == 2


@pytest.mark.parametrize(
    ("cut", "why"),
    [
        pytest.param(lambda data: b"", "does not end", id="empty"),
        pytest.param(lambda data: b"PAR1", "does not end", id="only a magic"),
        pytest.param(lambda data: data[:-1], "does not end", id="one byte short"),
        pytest.param(lambda data: data[-20:], "longer than the file", id="its start is gone"),
        pytest.param(lambda data: data[:-8] + b"\x00\x00\x00\x00PAR1", "cannot be read", id="no footer at all"),
    ],
)
def test_what_is_no_whole_file_is_refused_with_the_remedy(files: MemFiles, cut: object, why: str) -> None:
    assert callable(cut)
    data = write(files, pa.table({"a": [1]}))
    put(files, cut(data))
    with pytest.raises(DamagedFile, match=rf"(?s){PATH}: damaged: .*{why}.*repair=True"):
        read(files)


def test_a_damaged_key_does_not_turn_the_file_into_a_foreign_one(files: MemFiles) -> None:
    data = write(files, pa.table({"a": [1]}))
    at = data.rfind(KEY_DIGEST)
    for offset in range(len(KEY_DIGEST)):
        flipped = bytearray(data)
        flipped[at + offset] ^= 4
        put(files, bytes(flipped))
        with pytest.raises(DamagedFile, match="footer"):
            read(files)


def test_more_or_fewer_rows_than_stated_are_damage(files: MemFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toriwork.storage.sink.replace", lambda facts, **new: replace(facts, **{**new, "n_rows": 9}))
    write(files, pa.table({"a": [1]}))
    with pytest.raises(DamagedFile, match="states 9 rows and holds 1"):
        read(files)
