"""A disk that is full from its n-th write on: half of that write arrives, then ENOSPC, until somebody makes room."""

from __future__ import annotations

import builtins
import errno
import io
import os
from collections.abc import Callable
from types import TracebackType
from typing import Any

import pyarrow.parquet as pq


class FullDisk:
    """Every write of this process, counted and cut where it is armed; files, names and reading are the real ones."""

    def __init__(self, at: int = 0) -> None:
        self.at, self.n = at, 0  #: 0: there is room
        self._kept: list[tuple[Any, str, Any]] = []

    def refuses(self) -> bool:
        """Count a write and tell if it is one too many."""
        self.n += 1
        return bool(self.at) and self.n >= self.at

    def __enter__(self) -> FullDisk:
        disk, write, sendfile, group = self, os.write, os.sendfile, pq.ParquetWriter.write_table

        class Raw(io.FileIO):
            def write(self, data: Any, /) -> int:
                if disk.refuses():
                    super().write(bytes(data)[: len(data) // 2])
                    raise no_room()
                return super().write(data)

        opened = io.open

        def open_(file: Any, mode: str = "r", buffering: int = -1, *more: Any, **others: Any) -> Any:
            if not set(mode) & set("wxa+") or buffering == 0:
                return opened(file, mode, buffering, *more, **others)
            raw = Raw(file, mode.replace("b", "").replace("t", ""), closefd=others.pop("closefd", True))
            binary = (io.BufferedRandom if "+" in mode else io.BufferedWriter)(raw)
            return binary if "b" in mode else io.TextIOWrapper(binary, *more, **others)

        def written(handle: int, data: Any) -> int:
            if disk.refuses():
                write(handle, bytes(data)[: len(data) // 2])
                raise no_room()
            return write(handle, data)

        def sent(*given: Any) -> int:
            if disk.refuses():
                raise no_room()
            return sendfile(*given)

        def grouped(writer: pq.ParquetWriter, *given: Any, **others: Any) -> None:
            if disk.refuses():
                raise no_room()
            group(writer, *given, **others)

        for place, name, call in (
            (io, "open", open_),
            (builtins, "open", open_),
            (os, "write", written),
            (os, "sendfile", sent),
            (pq.ParquetWriter, "write_table", grouped),
        ):
            self._kept.append((place, name, getattr(place, name)))
            setattr(place, name, call)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for place, name, call in self._kept:
            setattr(place, name, call)


def no_room() -> OSError:
    return OSError(errno.ENOSPC, "No space left on device")


def n_writes(work: Callable[[], object]) -> int:
    """How many writes some work takes."""
    with FullDisk() as disk:
        work()
    return disk.n
