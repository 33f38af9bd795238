"""The token log: an emission that returned is in the file, whatever happens to the process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from toriwork.errors import NotFound, StoreError
from toriwork.synthesis import (
    ObserverSynthesis,
    emit_token,
    get_observer_synthesis,
    integrate_with_eigensentry,
    integrate_with_origin_sentry,
    token_id,
)
from toriwork.synthesis.identity import digest_of, identify, parse
from toriwork.synthesis.log import TokenLog

ROOT = Path(__file__).resolve().parents[2]
SPECTRAL = {"type": "origin_spectral", "source": "origin_sentry", "lambda_max": 0.05}


@pytest.fixture
def shared():
    yield get_observer_synthesis()
    get_observer_synthesis().close()


@pytest.fixture
def observers(tmp_path):
    observers = ObserverSynthesis(5, path=tmp_path / "tokens.parquet")
    yield observers
    observers.close()


def test_the_shared_synthesis_logs_under_the_state_root(shared, state_root):
    assert not state_root.exists()
    token = emit_token({**SPECTRAL, "timestamp": "yesterday", "subject": "shape_1", "refs": ["t1:b", "t1:a"]})
    shared.log.flush(publish=True)
    row = pd.read_parquet(state_root / "observer_tokens.parquet").iloc[0]
    assert row["token_id"] == token
    assert row["type"] == "origin_spectral"
    assert (row["source"], row["subject"], list(row["refs"])) == ("origin_sentry", "shape_1", ["t1:a", "t1:b"])
    assert row["given_timestamp"] == "yesterday"
    assert str(row["timestamp"].tz) == "UTC"
    assert "t1:" + digest_of(row["body"].encode()).hex() == token


class Guard:
    synthesis = None


@pytest.mark.parametrize("helper", [integrate_with_eigensentry, integrate_with_origin_sentry])
def test_a_monitor_can_be_bound_to_the_shared_synthesis(shared, helper):
    assert helper(Guard()).synthesis is shared


def test_there_is_one_shared_synthesis_per_state_root(shared, tmp_path, monkeypatch):
    assert get_observer_synthesis() is shared
    monkeypatch.setenv("TORI_STATE_ROOT", str(tmp_path / "elsewhere"))
    other = get_observer_synthesis()
    assert other is not shared
    emit_token(SPECTRAL)
    other.close()
    assert (tmp_path / "elsewhere" / "observer_tokens.parquet").exists()
    monkeypatch.setenv("TORI_STATE_ROOT", str(tmp_path / "down" / ".." / "elsewhere"))
    (tmp_path / "down").mkdir()
    assert get_observer_synthesis() is other


def test_without_a_setting_the_capsule_of_the_folder_decides(tmp_path, monkeypatch):
    monkeypatch.delenv("TORI_STATE_ROOT")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "capsule.yml").write_text("state_path: state\n")
        monkeypatch.chdir(tmp_path / name)
        emit_token(SPECTRAL)
        get_observer_synthesis().close()
        assert (tmp_path / name / "state" / "observer_tokens.parquet").exists()


def test_every_emission_is_a_row_in_order(observers):
    tokens = [observers.emit_token({"n": n % 3}) for n in range(10)]
    rows = observers.log.rows()
    assert rows["token_id"].to_pylist() == tokens
    assert rows["sequence"].to_pylist() == list(range(10))
    assert len(set(rows["row_id"].to_pylist())) == 10


def test_a_token_that_memory_forgot_is_verified_from_the_log(observers):
    token = observers.emit_token(SPECTRAL)
    for n in range(10):
        observers.emit_token({"n": n})
    assert not observers.add_to_context(token)
    assert observers.verify(token)
    observers.log.flush(publish=True)
    assert observers.verify(token)
    with pytest.raises(NotFound):
        observers.verify("t1:" + "0" * 40)


def test_a_row_whose_body_was_changed_is_not_verified(observers):
    token = observers.emit_token(SPECTRAL)
    other = token_id({"x": 1})
    body = observers._memory.get(token).identity.body
    observers.log.append(bytes.fromhex(other[3:]), 0.0, None, body)
    assert observers.verify(token)
    assert not observers.verify(other)
    observers.log.append(bytes.fromhex(other[3:]), 0.0, None, identify({"x": 1}).body)
    assert not observers.verify(other)  # one good row makes up for no bad one


def test_a_log_goes_on_after_closing(observers):
    observers.emit_token({"n": 1})
    observers.close()
    observers.emit_token({"n": 2})
    assert observers.log.rows().num_rows == 2


def test_what_the_log_refuses_was_not_emitted(observers, monkeypatch):
    observers.emit_token({"n": 1})
    monkeypatch.setattr(observers._log, "append", lambda *_: (_ for _ in ()).throw(StoreError("disk full")))
    with pytest.raises(StoreError):
        observers.emit_token({"n": 2})
    assert observers.metrics["tokens_generated"] == 1
    assert not observers.add_to_context(token_id({"n": 2}))


def test_odd_timestamps_and_texts_survive(observers):
    observers.emit_token({"text": "zeile\n\x00😀", "timestamp": "\ud800 odd"})
    observers.emit_token({"type": 3, "source": ["a"], "timestamp": ""})
    rows = observers.log.rows().to_pylist()
    assert [row["given_timestamp"] for row in rows] == ["\\ud800 odd", ""]
    assert (rows[1]["type"], rows[1]["source"], rows[1]["subject"]) == ("3", '["a"]', None)


@pytest.mark.parametrize(
    "parts",
    [
        {"source": {"a": 1, "refs": ["x"]}},
        {"source": {"a": 2, "refs": ["x"]}},
        {"type": [{"refs": []}], "refs": ["t1:a"]},
        {"subject": ',"refs":[', "type": 1e20},
        {"m": {"refs": [], "source": 1, "subject": 2, "type": 3, "v": 1}},
        {"source": "s", "type": "t", "refs": ["t1:b", "t1:a"]},
    ],
)
def test_the_columns_are_those_of_the_body_whatever_stands_in_it(observers, parts):
    others = {"source": {"a": 3, "refs": ["x"]}}  # ends like another one, and is before it
    observers.emit_token(others)
    observers.emit_token(parts)
    rows = observers.log.rows().to_pylist()
    cores = [parse(row["body"].encode()) for row in rows]
    assert [(row["type"], row["source"], row["subject"], row["refs"]) for row in rows] == [
        (core.type, core.source, core.subject, list(core.refs)) for core in cores
    ]


def test_kill_9_loses_no_token_that_was_returned(tmp_path):
    program = (
        "import sys, os\n"
        "from toriwork.synthesis import emit_token\n"
        "n = 0\n"
        "while True:\n"
        "    os.write(1, (emit_token({'n': n, 'who': os.getpid()}) + '\\n').encode()); n += 1\n"
    )
    told = tmp_path / "told"
    writers = []
    for k in range(2):
        with (tmp_path / f"told{k}").open("wb") as out:
            writers.append(subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=out))
    told = [tmp_path / f"told{k}" for k in range(2)]
    while any(path.stat().st_size < 44 * 300 for path in told):
        assert all(writer.poll() is None for writer in writers)
        time.sleep(0.01)
    for writer in writers:
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    returned = [line for path in told for line in path.read_text().splitlines() if len(line) == 43]
    log = TokenLog(Path(os.environ["TORI_STATE_ROOT"]) / "observer_tokens.parquet")
    try:
        found = log.rows()["token_id"].to_pylist()
    finally:
        log.close()
    assert set(returned) <= set(found)
    assert len(found) == len(set(found))
    assert len(found) - len(returned) <= 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_parent_and_child_log_side_by_side(observers):
    mine = observers.emit_token({"n": 0})
    child = os.fork()
    if child == 0:
        observers.emit_token({"n": 1})
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    after = observers.emit_token({"n": 2})
    assert sorted(observers.log.rows()["token_id"].to_pylist()) == sorted([mine, token_id({"n": 1}), after])


def test_importing_synthesis_loads_neither_pandas_nor_pyarrow():
    program = "import sys, toriwork.synthesis as s; s.ObserverSynthesis().emit_token({}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert not {"pandas", "pyarrow", "gudhi", "matplotlib"} & set(done.stdout.split())
