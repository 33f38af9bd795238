"""The bytes of a journal: what is packed is what is scanned, and whatever is cut or flipped is noticed."""

from __future__ import annotations

import random
from typing import NamedTuple
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toriwork.storage.frames import (
    FILE_HEADER_BYTES,
    FRAME_HEADER_BYTES,
    JOURNAL_MAGIC,
    Address,
    JournalHeader,
    Kind,
    Scan,
    pack_file_header,
    pack_header,
    pack_target,
    scan,
    unpack_file_header,
    unpack_target,
)

STORE, JOURNAL, OTHER = "aa" * 16, "0b" * 16, "0c" * 16
HEADER = pack_file_header(STORE, JOURNAL, 17, 4)


class Given(NamedTuple):
    """A frame to be packed."""

    payload: bytes
    n_rows: int
    kind: int
    time_ns: int


GIVEN = st.builds(
    Given, st.binary(max_size=60), st.integers(0, 2**32 - 1), st.sampled_from(list(Kind)), st.integers(0, 2**64 - 1)
)


def packed(frames: list[Given], synced: list[int] | None = None, journal: str = JOURNAL) -> list[bytes]:
    """The header and each frame; ``synced`` gives what each frame states."""
    synced = synced or [0] * len(frames)
    return [HEADER] + [
        pack_header(bytes.fromhex(journal), number, upto, frame.time_ns, frame.n_rows, frame.kind, frame.payload)
        + frame.payload
        for number, (frame, upto) in enumerate(zip(frames, synced, strict=True), 1)
    ]


def rows(*payloads: bytes) -> list[Given]:
    return [Given(payload, 1, Kind.ROWS, 0) for payload in payloads]


def payloads(data: bytes, found: Scan) -> list[bytes]:
    return [data[frame.offset : frame.offset + frame.length] for frame in found.frames]


@given(st.lists(GIVEN, max_size=6))
def test_what_was_packed_is_what_a_scan_finds(wanted: list[Given]) -> None:
    data = b"".join(packed(wanted))
    found = scan(data, JOURNAL)
    assert payloads(data, found) == [frame.payload for frame in wanted]
    assert [frame[:4] for frame in found.frames] == [
        (number, frame.kind, frame.n_rows, frame.time_ns) for number, frame in enumerate(wanted, 1)
    ]
    assert (found.good_bytes, found.total_bytes) == (len(data), len(data))
    assert not any((found.torn, found.damaged, found.salvaged))


@given(st.lists(GIVEN, min_size=1, max_size=4), st.data())
def test_a_truncated_journal_is_torn_behind_its_last_whole_frame(wanted: list[Given], drawn: st.DataObject) -> None:
    pieces = packed(wanted)
    data = b"".join(pieces)
    length = drawn.draw(st.integers(len(HEADER), len(data)))
    ends = [sum(map(len, pieces[:n])) for n in range(1, len(pieces) + 1)]
    whole = max(n for n, end in enumerate(ends) if end <= length)
    found = scan(data[:length], JOURNAL)
    assert len(found.frames) == whole
    assert found.good_bytes == ends[whole]
    assert found.torn is (length > ends[whole])
    assert not found.damaged


@given(st.lists(GIVEN, min_size=1, max_size=4), st.data())
def test_no_flipped_bit_goes_unnoticed(wanted: list[Given], drawn: st.DataObject) -> None:
    pieces = packed(wanted)
    data = bytearray(b"".join(pieces))
    at = drawn.draw(st.integers(len(HEADER), len(data) - 1))
    data[at] ^= 1 << drawn.draw(st.integers(0, 7))
    found = scan(bytes(data), JOURNAL)
    ends = [sum(map(len, pieces[:n])) for n in range(1, len(pieces) + 1)]
    hit = next(n for n, end in enumerate(ends) if end > at)
    assert len(found.frames) == hit - 1
    assert [frame.number for frame in found.salvaged] == list(range(hit + 1, len(pieces)))


@given(st.binary(max_size=300))
def test_noise_behind_a_frame_is_torn_and_nothing_else(noise: bytes) -> None:
    start = b"".join(packed(rows(b"one")))
    found = scan(start + noise, JOURNAL)
    assert len(found.frames) == 1
    assert found.torn is bool(noise)
    assert not any((found.damaged, found.salvaged))


@pytest.mark.parametrize(
    ("stated_by_third", "damaged"),
    [
        pytest.param(0, False, id="nobody says that the bad frame was synced: torn, pages persist in any order"),
        pytest.param(1, True, id="the frame behind it says so: damage"),
    ],
)
def test_a_bad_frame_is_damage_only_below_what_a_later_header_calls_synced(stated_by_third: int, damaged: bool) -> None:
    pieces = packed(rows(b"one", b"two", b"three"))
    synced = [0, 0, sum(map(len, pieces[:3])) * stated_by_third]
    data = bytearray(b"".join(packed(rows(b"one", b"two", b"three"), synced)))
    data[len(pieces[0] + pieces[1] + pieces[2]) - 1] ^= 1
    found = scan(bytes(data), JOURNAL)
    assert payloads(bytes(data), found) == [b"one"]
    assert found.torn
    assert found.damaged is damaged
    assert [data[f.offset : f.offset + f.length] for f in found.salvaged] == [b"three"]


def test_a_good_header_tells_what_was_synced_even_when_its_payload_is_missing() -> None:
    first = sum(map(len, packed(rows(b"one"))))
    pieces = packed(rows(b"one", b"two"), [0, first])
    data = bytearray(b"".join(pieces)[:-3])  # the second frame is torn
    data[len(HEADER) + FRAME_HEADER_BYTES] ^= 1  # and the first one damaged
    found = scan(bytes(data), JOURNAL)
    assert found.frames == found.salvaged == ()
    assert found.synced == first
    assert found.damaged


def test_a_journal_that_ends_before_what_it_calls_synced_is_damaged() -> None:
    data = b"".join(packed(rows(b"one", b"two"), [0, 10_000]))
    assert scan(data, JOURNAL).damaged


@pytest.mark.parametrize("broken", ["a number is left out", "a number comes twice", "a frame of another journal"])
def test_frames_count_up_by_one_in_their_own_journal(broken: str) -> None:
    one, two, three = packed(rows(b"one", b"two", b"three"))[1:]
    stranger = packed(rows(b"one", b"two"), journal=OTHER)[2]
    parts = {
        "a number is left out": [one, three],
        "a number comes twice": [one, two, two],
        "a frame of another journal": [one, stranger],
    }[broken]
    data = HEADER + b"".join(parts)
    found = scan(data, JOURNAL)
    assert payloads(data, found) == [b"one", b"two"][: len(parts) - 1]
    assert found.torn


def test_salvaging_steps_over_noise_that_looks_like_a_header() -> None:
    one, two = packed(rows(b"one", b"two"))[1:]
    data = HEADER + one[:30] + one[:20] + two
    assert [frame.number for frame in scan(data, JOURNAL).salvaged] == [2]


def test_a_payload_that_is_cut_is_noticed_even_if_its_checksum_is_that_of_the_rest() -> None:
    same_as_nothing = bytes.fromhex("9d0ad96d")
    assert crc32(same_as_nothing) == crc32(b"")
    data = b"".join(packed(rows(same_as_nothing)))
    assert len(scan(data, JOURNAL).frames) == 1
    assert scan(data[:-4], JOURNAL).frames == ()


def test_a_scan_may_begin_behind_frames_that_are_known() -> None:
    data = b"".join(packed(rows(b"one", b"two", b"three")))
    start = sum(map(len, packed(rows(b"one"))))
    found = scan(data, JOURNAL, start=start, first=2)
    assert payloads(data, found) == [b"two", b"three"]


def test_the_file_header_says_whose_journal_it_is_and_notices_every_flip() -> None:
    assert unpack_file_header(HEADER + b"more") == JournalHeader(1, 1, STORE, JOURNAL, 17, 4)
    assert len(HEADER) == FILE_HEADER_BYTES == 60
    for at in range(len(HEADER)):
        for bit in range(8):
            assert unpack_file_header(HEADER[:at] + bytes([HEADER[at] ^ (1 << bit)]) + HEADER[at + 1 :]) is None
    for length in range(len(HEADER)):
        assert unpack_file_header(HEADER[:length]) is None


def test_a_header_with_another_magic_is_none_even_if_its_checksum_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toriwork.storage.frames.JOURNAL_MAGIC", b"OTHERJRN")
    other = pack_file_header(STORE, JOURNAL, 17, 4)
    monkeypatch.setattr("toriwork.storage.frames.JOURNAL_MAGIC", JOURNAL_MAGIC)
    assert unpack_file_header(other) is None


@given(st.binary(min_size=16, max_size=16), st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1), st.binary())
def test_a_completion_names_the_row_that_it_completes(journal: bytes, frame: int, position: int, rest: bytes) -> None:
    address = Address(journal.hex(), frame, position)
    assert unpack_target(pack_target(address) + rest) == (address, rest)


def test_the_layout_is_the_documented_one() -> None:
    frame = pack_header(bytes.fromhex(JOURNAL), 3, 60, 5, 2, Kind.OPEN, b"payload") + b"payload"
    assert len(frame) == FRAME_HEADER_BYTES + 7 == 64 + 7
    assert frame[:4] == b"TwF1"
    assert frame[4:20].hex() == JOURNAL
    numbers = [int.from_bytes(frame[a:b], "little") for a, b in ((20, 28), (28, 36), (36, 44), (44, 48), (48, 52))]
    assert numbers == [3, 60, 5, 7, 2]
    assert frame[52:56] == bytes([Kind.OPEN, 0, 0, 0])
    assert HEADER[:12] == b"TORIJRN1\x01\x00\x01\x00"
    assert HEADER[12:44].hex() == STORE + JOURNAL


def test_many_random_cuts_and_flips_at_once_still_give_a_prefix() -> None:
    rng = random.Random(0)
    names = [b"%d" % n for n in range(8)]
    whole = b"".join(packed(rows(*names)))
    for _ in range(300):
        data = bytearray(whole[: rng.randint(60, len(whole))])
        for _ in range(rng.randint(0, 3)):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        found = scan(bytes(data), JOURNAL)
        assert payloads(bytes(data), found) == names[: len(found.frames)]
        saved = [data[frame.offset : frame.offset + frame.length] for frame in found.salvaged]
        assert saved == [names[frame.number - 1] for frame in found.salvaged]
