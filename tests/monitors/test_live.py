"""The live program: spectra in, the log that users grep for out, and a Ctrl-C that loses nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from toriwork.errors import BadInput
from toriwork.monitors import live

COMMAND = [sys.executable, "-m", "toriwork.monitors.origin_sentry"]


def run(folder, *arguments, text=""):
    return subprocess.run(
        [*COMMAND, *arguments], cwd=folder, input=text, capture_output=True, text=True, check=False, timeout=60
    )


def test_a_first_run_says_what_users_of_the_backend_look_for(tmp_path, state_root):
    done = run(tmp_path, text="0.05 0.03 0.02\n")
    log = (tmp_path / "logs" / "alan.log").read_text()
    assert done.returncode == 0
    for words in (
        f"TorusRegistry loaded 0 rows (schema v1) from {state_root / 'torus_registry.parquet'}",
        "OriginSentry: critical, novelty=0.700",
        "Emitted token: ",
        "added to reasoning context",
    ):
        assert words in done.stderr
        assert words in log
    assert "Traceback" not in done.stderr
    assert "RuntimeWarning" not in done.stderr  # runpy's, when the package imports the module before


def test_a_second_run_goes_on_where_the_first_ended_and_adds_to_the_log(tmp_path):
    spectra = tmp_path / "spectra.txt"
    spectra.write_text("# a run\n[0.05, 0.03, 0.02]\n\n0.05+0.01j 0.03\n")
    for seen in (2, 4):
        assert run(tmp_path, str(spectra)).returncode == 0
        log = (tmp_path / "logs" / "alan.log").read_text()
        assert f'"total_classifications": {seen}' in log
    assert "loaded 2 rows (schema v1)" in log
    assert log.count("novelty=0.000") == 2


def test_a_bad_line_is_named_and_the_others_count(tmp_path):
    spectra = tmp_path / "spectra.txt"
    spectra.write_bytes(b"0.1\nnan\none two \xff\n0.2\n")
    done = run(tmp_path, str(spectra), "--name", "mine")
    assert done.returncode == 1
    assert "line 2: eigenvalues: number 0 is not finite" in done.stderr
    assert "line 3: eigenvalues: expected numbers" in done.stderr
    assert '"total_classifications": 2' in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT], ids=["Ctrl-C"])
def test_an_interrupt_flushes_what_was_classified(tmp_path, state_root, number):
    child = subprocess.Popen(COMMAND, cwd=tmp_path, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    child.stdin.write("0.05 0.03\n0.5\n")
    child.stdin.flush()
    until, log = time.monotonic() + 60, tmp_path / "logs" / "alan.log"
    while not (log.exists() and log.read_text().count("OriginSentry: critical") == 2):
        assert time.monotonic() < until
        time.sleep(0.02)
    child.send_signal(number)
    _, told = child.communicate(timeout=60)
    assert child.returncode == live.INTERRUPTED
    assert "Traceback" not in told
    assert "Flushed to " in log.read_text()
    rows = pd.read_parquet(state_root / "torus_registry.parquet")
    assert rows["coherence_band"].tolist() == ["critical", "critical"]


def test_a_file_that_is_not_there_is_said_so(tmp_path):
    done = run(tmp_path, "nowhere.txt")
    assert done.returncode == 1
    assert "nowhere.txt" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_registry_that_cannot_be_used_is_said_so(tmp_path, state_root):
    state_root.mkdir(parents=True)
    (state_root / "torus_registry.parquet").write_bytes(b"no Parquet at all")
    done = run(tmp_path, text="0.1\n")
    assert done.returncode == 1
    assert "ERROR" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_leaves_the_terminal(tmp_path):
    sealed = tmp_path / "sealed"
    sealed.mkdir(0o500)
    done = run(sealed, text="0.1\n")
    assert done.returncode == 0
    assert "logging to the terminal alone" in done.stderr


def test_logging_leaves_no_handler_behind_and_needs_no_folder(tmp_path, caplog):
    (tmp_path / "logs").write_text("a file where the folder should be")
    import logging

    before = list(logging.getLogger("toriwork").handlers)
    with live.logging_to(tmp_path / "logs" / "alan.log"):
        assert len(logging.getLogger("toriwork").handlers) == len(before) + 1
    assert logging.getLogger("toriwork").handlers == before
    assert "the terminal alone" in caplog.text


@pytest.mark.parametrize(
    ("line", "spectrum"),
    [
        ("0.1 0.2", [0.1, 0.2]),
        ("[1, -2e-3]  # words", [1.0, -0.002]),
        ("1+2j,3", [1 + 2j, 3 + 0j]),
        ("", []),
        ("# nothing", []),
    ],
)
def test_a_line_is_read_with_blanks_commas_and_brackets(line, spectrum):
    assert live.read_spectrum(line) == spectrum
    assert all(type(value) is type(spectrum[0]) for value in live.read_spectrum(line))


def test_a_word_is_no_number():
    with pytest.raises(BadInput, match="'one two'"):
        live.read_spectrum("one two\n")


def test_the_program_is_told_by_its_help(tmp_path):
    done = run(tmp_path, "--help")
    assert "logs" in done.stdout
    assert not Path(tmp_path / "logs").exists()
