"""Set up a notebook: a state root of its own, and everything the same in each run."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import toriwork
from toriwork.lifetime import open_stores
from toriwork.state import ENV_NAME, REGISTRY_FILE

if TYPE_CHECKING:
    import numpy as np

PREFIX = "toriwork-notebook-"
#: one thread adds floats in one order
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

_current: list[Session] = []


@dataclass(frozen=True, slots=True)
class Session:
    """The surroundings of one notebook run; its text holds nothing that differs between two runs."""

    state_root: Path = field(repr=False)
    seed: int
    version: str

    @property
    def registry_path(self) -> Path:
        """Where the registry of this run goes."""
        return self.state_root / REGISTRY_FILE

    def rng(self, stream: int = 0) -> np.random.Generator:
        """A generator that gives the same numbers in each run; different streams are independent."""
        import numpy as np

        return np.random.default_rng([self.seed, stream])

    def __repr__(self) -> str:
        return f"toriwork {self.version}: temporary state root, seed {self.seed}"


def setup(seed: int = 0) -> Session:
    """The session of this kernel: a new temporary state root, removed when the kernel ends, and a seed.

    ``TORI_STATE_ROOT`` points there from now on, in this process and its children; what it named before is neither
    read nor written. Called a second time it starts over with an empty state root.

    Parameters
    ----------
    seed : int
        Seed of every generator of the session.
    """
    for name in THREAD_VARIABLES:
        os.environ.setdefault(name, "1")
    while _current:
        _remove(_current.pop())
    folder = Path(tempfile.mkdtemp(prefix=PREFIX)).resolve()
    os.environ[ENV_NAME] = str(folder)
    session = Session(folder, seed, toriwork.__version__)
    _current.append(session)
    atexit.register(_remove, session)
    return session


def _remove(session: Session) -> None:
    atexit.unregister(_remove)
    for store in open_stores():  # the stores' own exit handlers run later, when their files are gone
        if store.path.is_relative_to(session.state_root):
            store.close()
    shutil.rmtree(session.state_root, ignore_errors=True)
