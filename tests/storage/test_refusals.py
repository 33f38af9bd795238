"""What the system refuses is told as an error of the store, whichever call of it meets that, at whichever step."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import pytest

from tests.storage.faulty import Fault, FaultyFiles, Trouble
from tests.storage.memdisk import MemDisk
from tests.storage.rows import BASE, BY_HAND, SPEC, add, names_of, still
from toriwork.errors import NotPermitted, StoreError
from toriwork.storage import ParquetTable
from toriwork.storage.access import typed

CALLS: dict[str, Callable[[ParquetTable], Any]] = {
    "flush": lambda table: table.flush(),
    "sync": lambda table: table.sync(),
    "publish": lambda table: table.flush(publish=True),
    "verify": lambda table: table.verify(),
    "read": names_of,
    "unpublished": lambda table: table.unpublished(table.own_frames()),
    "pending_age": lambda table: table.pending_age,
    "close": lambda table: table.close(),
}


def opened(disk: MemDisk, trouble: Trouble, **options: bool) -> ParquetTable:
    files: Any = FaultyFiles(disk.files(), trouble)
    return still(ParquetTable(BASE, SPEC, files=files, policy=BY_HAND, **options))


@pytest.fixture
def disk() -> MemDisk:
    return made()


def made() -> MemDisk:
    """A disk with a public file, and a journal of somebody who was killed."""
    found = MemDisk()
    with opened(found, Trouble(found)) as table:
        add(table, "a1")
        table.flush(publish=True)
    add(opened(found, Trouble(found)), "b1")
    found.kill_processes()
    return found


def refused(call: Callable[[MemDisk, Trouble], Any], way: str) -> list[StoreError]:
    """What each step of a call raises when it fails."""
    found = []
    for at in range(1, 500):
        disk = made()
        trouble = Trouble(disk)
        trouble.fault = Fault(at, way)
        try:
            call(disk, trouble)
        except OSError as error:
            assert isinstance(error, StoreError), f"{trouble.hit}: {error!r}"  # noqa: PT017 - not each step raises
            found.append(error)
        if trouble.hit is None:
            return found
    raise AssertionError("more steps than any call has")


@pytest.mark.parametrize("way", ["EIO", "EMFILE"])
@pytest.mark.parametrize("call", CALLS)
def test_no_call_raises_a_bare_error_of_the_system(call: str, way: str) -> None:
    def run(disk: MemDisk, trouble: Trouble) -> None:
        table = opened(disk, trouble)
        add(table, "c1")
        trouble.on = True
        CALLS[call](table)

    for error in refused(run, way):
        assert "/state/" in str(error)
        assert error.row_ids == ()


@pytest.mark.parametrize("read_only", [True, False])
def test_opening_raises_none_either(read_only: bool) -> None:
    def run(disk: MemDisk, trouble: Trouble) -> None:
        trouble.on = True
        opened(disk, trouble, read_only=read_only)

    found = refused(run, "EIO")
    assert len(found) > 5
    for error in found:
        assert error.errno == errno.EIO
        assert error.filename


def test_an_error_of_the_store_is_passed_on_as_it_is() -> None:
    for given in (StoreError("so"), NotPermitted("not for you")):
        with pytest.raises(StoreError) as told, typed(BASE):
            raise given
        assert told.value is given
    with pytest.raises(KeyError), typed(BASE):
        raise KeyError("no error of the system")


def test_a_journal_that_cannot_be_removed_is_given_up_all_the_same(disk: MemDisk) -> None:
    """Its first row found no room and its file could not be removed: the next who publishes does it."""
    healthy = Trouble(dry := made())
    table = opened(dry, healthy)
    healthy.on = True
    add(table, "c1")
    at = [str(step) for step in healthy.steps].index("write journal") + 1
    trouble = Trouble(disk)
    table = opened(disk, trouble)
    trouble.fault, trouble.on = Fault(at, "EIO", ever=True), True
    with pytest.raises(StoreError, match="may have been recorded"):
        add(table, "c1")
    with pytest.raises(StoreError):
        add(table, "c1")
    trouble.heal()
    add(table, "c1")
    table.flush(publish=True)
    table.close()
    assert sorted(names_of(opened(disk, Trouble(disk)))) == ["a1", "b1", "c1"]
    folder = disk.folders["/state/table.d"].now
    assert [name for name in folder if name.endswith(".journal")] == []


def test_closing_gives_up_every_journal_though_one_cannot_be_removed(disk: MemDisk) -> None:
    trouble = Trouble(disk)
    table = opened(disk, trouble)
    add(table, "c1")
    table.flush()
    writer = table._writer
    assert writer is not None
    writer.freeze()
    writer._open_next()  # a journal without a row, which closing removes
    trouble.fault, trouble.on = Fault(1, "EIO", ever=True), True
    with pytest.raises(StoreError):
        table.close()
    assert table.closed
    trouble.heal()
    with opened(disk, Trouble(disk)) as other:
        other.flush(publish=True)
        assert sorted(names_of(other)) == ["a1", "b1", "c1"]
    assert [name for name in disk.folders["/state/table.d"].now if name.endswith(".journal")] == []
