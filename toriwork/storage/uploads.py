"""The way of published generations to an object store: in a thread, one at a time, the newest one.

Best effort: nothing here keeps a publish waiting, or lets it fail. ``UPLOADED`` in the private folder says how far it
got, for whoever looks.
"""

from __future__ import annotations

import _thread
import json
import logging
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from toriwork.errors import ToriworkError
from toriwork.printed import one_line
from toriwork.storage.files import write_whole
from toriwork.storage.generations import Generations
from toriwork.storage.json_checks import is_count, is_text, read_checked
from toriwork.storage.objects import Objects
from toriwork.threads import BackgroundThread

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from toriwork.storage.files import Files
    from toriwork.storage.manifest import Backup
    from toriwork.storage.paths import StorePaths

_LOG = logging.getLogger("toriwork.storage")
NAME = "UPLOADED"
_LOOK_SECONDS = 0.5  # between two looks of whoever waits, so that an interrupt is heard
_CHECKS = {"to": is_text, "generation": is_count, "error": is_text}
_CLOSE_SECONDS = 10.0
_MAX_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Uploaded:
    """How far the generations of a table got."""

    to: str
    generation: int  #: the newest one that is there; 0: none
    error: str = ""  #: why the last try failed


def read_uploaded(files: Files, paths: StorePaths) -> Uploaded | None:
    """How far the generations of a table got, whoever uploads them; None where nobody does."""
    try:
        with closing(files.open(paths.folder / NAME)) as handle:
            raw = read_checked(handle.read_at(0, min(handle.stat().size, _MAX_BYTES)), _CHECKS, frozenset(_CHECKS))
    except (FileNotFoundError, ValueError):  # not usable: the next upload writes it anew
        return None
    return Uploaded(**{name: raw[name] for name in _CHECKS})


class Uploads:
    """Brings each generation that a handle publishes to an object store.

    Parameters
    ----------
    to
        See :class:`toriwork.storage.objects.Objects`.
    """

    def __init__(self, files: Files, paths: StorePaths, to: str | os.PathLike[str]) -> None:
        self._files, self._paths = files, paths
        self._objects = Objects(to, make=True)
        self._generations = Generations(self._objects, paths.base.stem)
        self.reset()

    def reset(self) -> None:
        """Forget what was under way: in a child of a fork it is the parent's business."""
        self._turn = _thread.allocate_lock()  #: taken in background threads alone, so that no handler waits for it
        self._threads: list[BackgroundThread] = []
        self._asked = False  #: a thread was started that has not looked at the public file yet

    def wake(self) -> None:
        """Have the newest generation uploaded; return at once."""
        if not self._asked:
            self._asked = True
            self._start(self._try)

    def upload(self) -> Backup:
        """The newest generation, which is there when this returns; StoreError where it could not be uploaded."""
        done: list[Backup] = []
        failed: list[BaseException] = []

        def work() -> None:
            try:
                done.append(self._upload())
            except BaseException as error:  # noqa: BLE001 - raised below, where somebody waits for it
                failed.append(error)

        self._start(work)
        while not self.join(_LOOK_SECONDS):
            pass
        for error in failed:
            raise error
        return done[0]

    def join(self, timeout: float) -> bool:
        """True when nothing is under way, after so many seconds for each of two threads at most."""
        for thread in list(self._threads):
            thread.join(timeout)
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        return not self._threads

    def close(self) -> None:
        """Return when what is under way is over, or took too long, which is said."""
        if not self.join(_CLOSE_SECONDS):
            _LOG.warning("%s: closed while its newest generation is not in %s yet", self._paths.base, self._objects.uri)

    def _start(self, work: Callable[[], object]) -> None:
        turn = self._turn

        def run() -> None:
            with turn:
                work()

        thread = BackgroundThread(run, "toriwork-upload")
        self._threads = [*(one for one in self._threads if one.is_alive()), thread]
        try:
            thread.start()
        except RuntimeError:  # an interpreter that ends starts no more threads
            run()

    def _try(self) -> None:
        self._asked = False
        known = read_uploaded(self._files, self._paths)
        try:
            self._upload()
        except (ToriworkError, OSError) as error:
            text = one_line(str(error))
            if known is None or known.error != text:
                _LOG.warning("%s: was not uploaded, the next publish tries again: %s", self._paths.base, text)

    def _upload(self) -> Backup:
        known = read_uploaded(self._files, self._paths)
        if known is None or known.to != self._objects.uri:
            known = Uploaded(self._objects.uri, 0)
        try:
            made = self._generations.upload(self._files, self._paths)
        except (ToriworkError, OSError) as error:
            self._note(replace(known, error=one_line(str(error))), known)
            raise
        self._note(Uploaded(self._objects.uri, made.generation), known)
        return made

    def _note(self, new: Uploaded, known: Uploaded) -> None:
        if new != known:
            try:
                write_whole(self._files, self._paths.folder / NAME, json.dumps(asdict(new)).encode())
            except OSError as error:  # it is uploaded all the same
                _LOG.warning("%s: %s could not be written: %s", self._paths.base, NAME, error)
