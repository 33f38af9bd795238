"""The program behind ``python -m toriwork.monitors.origin_sentry``: spectra from a file or stdin, one a line.

Findings go to the log: the terminal, and ``logs/alan.log`` below the working directory.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import ArrayLike

from toriwork.errors import BadInput, ToriworkError
from toriwork.printed import one_line
from toriwork.registry.spectral import SpectralDB
from toriwork.synthesis import get_observer_synthesis

_LOG = logging.getLogger("toriwork.monitors.origin_sentry")
LOG_FILE = Path("logs") / "alan.log"
_LOG_BYTES, _LOG_FILES = 50 * 2**20, 3
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
INTERRUPTED = 130  #: exit status after Ctrl-C, as shells have it


class Sentry(Protocol):
    """The parts of an OriginSentry that the program uses: the sentry's module knows this one, not the reverse."""

    spectral_db: SpectralDB

    def classify(self, eigenvalues: ArrayLike) -> dict[str, Any]: ...

    def flush(self) -> None: ...

    @property
    def metrics(self) -> dict[str, int]: ...


def main(open_sentry: Callable[[str], Sentry], arguments: Sequence[str] | None = None) -> int:
    """0; 1 when a line was refused or the store failed; 130 after Ctrl-C. Whatever was classified is flushed."""
    options = _parser().parse_args(arguments)
    with logging_to(LOG_FILE), _opened(options.file) as lines:
        if lines is None:
            return 1
        try:
            sentry = open_sentry(options.name)
            try:
                return 1 if watch(lines, sentry) else 0
            finally:
                _flush(sentry)
        except KeyboardInterrupt:  # wherever it came, also while the registry opened
            _LOG.info("Interrupted")
            return INTERRUPTED
        except (ToriworkError, OSError) as error:
            _LOG.error("%s", error)  # the message has the remedy, a traceback adds nothing
            return 1


def watch(lines: Iterable[str], sentry: Sentry) -> int:
    """How many lines were refused; every other one that holds a spectrum was classified.

    Raises
    ------
    StoreError
        The registry or the token log refused.
    """
    refused = 0
    for number, line in enumerate(lines, 1):
        try:
            spectrum = read_spectrum(line)
            if spectrum:
                _log_result(sentry.classify(spectrum))
        except BadInput as error:
            refused += 1
            _LOG.warning("line %d: %s", number, error)
    return refused


def read_spectrum(line: str) -> list[complex] | list[float]:
    """The eigenvalues of one line, apart by blanks or commas, brackets around them or not; ``#`` begins a remark.

    Raises
    ------
    BadInput
        A word is no number.
    """
    words = line.split("#", 1)[0].replace(",", " ").replace("[", " ").replace("]", " ").split()
    try:
        numbers = [complex(word) for word in words]
    except ValueError as error:
        raise BadInput(f"eigenvalues: expected numbers, got {line.strip()!r:.80}") from error
    return numbers if any(number.imag for number in numbers) else [number.real for number in numbers]


def _log_result(found: dict[str, Any]) -> None:
    _LOG.info(
        "OriginSentry: %s, novelty=%.3f, lambda_max=%g, unseen_modes=%d%s%s",
        found["coherence"],
        found["novelty_score"],
        found["lambda_max"],
        found["unseen_modes"],
        ", gap birth" if found["gap_birth"] else "",
        ", coherence transition" if found["coherence_transition"] else "",
    )


def _flush(sentry: Sentry) -> None:
    sentry.flush()
    get_observer_synthesis().flush()
    path = one_line(str(sentry.spectral_db.registry.path))
    _LOG.info("Flushed to %s: %s", path, json.dumps(sentry.metrics))


@contextlib.contextmanager
def _opened(file: str) -> Iterator[Iterable[str] | None]:
    """The lines of a file as they come, of stdin for ``-``; None when it cannot be read."""
    source = sys.stdin.fileno() if file == "-" else file
    try:  # a byte that is no text spoils its line, not the run
        lines = open(source, encoding="utf-8", errors="replace", closefd=file != "-")  # noqa: SIM115 - closed below
    except OSError as error:
        _LOG.error("%s", error)
        yield None
        return
    with lines:
        yield lines


@contextlib.contextmanager
def logging_to(file: Path) -> Iterator[None]:
    """Send the log of toriwork to stderr and to a file, made where it is missing, until the context ends."""
    logger = logging.getLogger("toriwork")
    before = logger.level
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    trouble = None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(RotatingFileHandler(file, maxBytes=_LOG_BYTES, backupCount=_LOG_FILES, encoding="utf-8"))
    except OSError as error:
        trouble = error
    for handler in handlers:
        handler.setFormatter(logging.Formatter(_FORMAT))
        logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    if trouble is not None:
        _LOG.warning("logging to the terminal alone: %s", trouble)
    try:
        yield
    finally:
        logger.setLevel(before)
        for handler in handlers:
            logger.removeHandler(handler)
            handler.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m toriwork.monitors.origin_sentry",
        description="Classify spectra as they come: one a line, eigenvalues apart by blanks or commas.",
        epilog=f"Findings go to the log: the terminal and {LOG_FILE}. Ctrl-C flushes and ends.",
    )
    parser.add_argument("file", nargs="?", default="-", help="file of spectra; standard input when not given")
    parser.add_argument("--name", default="origin_sentry", help="of the sentry: its own stream in the registry")
    return parser
