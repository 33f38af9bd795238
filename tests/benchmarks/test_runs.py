"""Each benchmark runs in its smallest form, says its lines, and leaves nothing behind."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import pytest

from benchmarks.__main__ import NAMES, main
from benchmarks.child import ROOT, call
from benchmarks.paired_rounds import take_turns
from benchmarks.report import HEADINGS

#: benchmark -> a name in its lines, and the peers that it must show
EXPECTED = {
    "import": ("import toriwork", {"python -c pass"}),
    "single": (
        "record_shape",
        {"SQLite WAL/NORMAL", "SQLite WAL/OFF", "SQLite WAL/FULL", "LMDB sync=False", "LMDB sync=True"}
        | {"DuckDB", "Delta", "legacy"},
    ),
    "batches": ("record_shapes of 10 clouds", {"tobytes + BLAKE2b + CRC32 + write", "SQLite, one transaction"}),
    "power": ("power, 1 thread", {"write + fdatasync", "write + fdatasync, 1 thread"}),
    "loop": (
        "record, compute, flush, publish: independent clouds",
        {"bare gudhi, n_jobs=1", "bare gudhi, n_jobs=2"},
    ),
    "diagrams": (
        "second run, gudhi",
        {
            "bare gudhi",
            "redzed on their distances",
            "ripser.py",
            "one thread",
            "first run",
            "computed",
            "whole run",
            "one large cloud",
        },
    ),
    "cluster": ("60 clouds of 100 points on 2 workers", {"at work on diagrams", "two threads"}),
    "flat": ("200 rows into 400 rows", {"into none", "write + fdatasync of 1,000 rows", "of clouds", "at none"}),
    "opening": ("open 400 rows, 40 pending", {"empty", "in all"}),
    "lookup": ("one cloud of 400", {"SQLite, indexed", "DuckDB, indexed"}),
    "columns": ("a range of times, 400 rows", {"DuckDB", "in the file"}),
    "publish": ("one row into 1 MB", {"copy + fsync", "in the file"}),
    "alpha": ("alpha, H0 to H2, 200 points of a torus", {"bare gudhi"}),
    "betti": ("estimated Betti numbers of 12 clouds, 100 points of a circle", {"the diagrams"}),
    "large": ("H0 and H1, 250 points of a torus", {"bare gudhi"}),
    "many": ("H0 to H1, 1,000 points of a square", {"alpha, gudhi"}),
    "files": ("klein bottle, 49 points, H2", {"fastest of gudhi, ripser.py, redzed"}),
    "memory": ("predicted bytes, H0 to H1, 200 points of a torus", {"measured", "the largest", "allowed"}),
    "nearest": ("nearest: 2 queries x 200: equal", {"by Hera", "by brute force", "brute force"}),
    "tokens": (
        "emit_token, 3 keys",
        {
            "json.dumps(sort_keys=True)",
            "OpenTelemetry span, to a file",
            "span, to memory",
            "span, batches to nowhere",
            "json.dumps(sort_keys=True) of them",
            "40",
        },
    ),
    "explorer": ("one move of the explorer, 400 points", {"plain matplotlib"}),
    "mover": ("export of 2,000 rows, written", {"pandas.read_sql + to_parquet"}),
    "guard": ("guard of 20 files", {"ruff TID251, hardened"}),
    "migrate": ("plan of 60 files", {"ast.parse of every file"}),
}


def test_every_benchmark_is_expected():
    assert tuple(EXPECTED) == NAMES


#: half a minute and more each
LONG = ("tokens", "migrate", "mover")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.long) if name in LONG else name for name in NAMES]
)
def test_the_smallest_form(name, tmp_path, capsys):
    assert main([name, "--size", "smallest", "--json", "--state", str(tmp_path)]) == 0
    told = capsys.readouterr()
    lines = json.loads(told.out)["lines"]
    wanted, peers = EXPECTED[name]
    assert wanted in {line["name"] for line in lines}
    assert {line["peer_name"] for line in lines} == peers
    assert all(math.isfinite(line["ratio"]) and line["ratio"] >= 0 for line in lines)
    assert {"met", "missed"} & {line["verdict"] for line in lines}
    assert f"{name}: begins" in told.err
    assert ("the targets speak of a million" in told.err) == (name in ("flat", "opening"))
    assert list(tmp_path.iterdir()) == []


def test_the_command_prints_a_table(tmp_path, capsys):
    main(["import", "--size", "smallest", "--state", str(tmp_path)])
    about, headings, _, line, summary = capsys.readouterr().out.splitlines()
    assert "cores" in about
    assert headings.split() == list(HEADINGS)
    assert line.startswith("import toriwork")
    assert summary.startswith("1 lines")


def test_an_unknown_name_is_refused(tmp_path):
    command = [sys.executable, "-m", "benchmarks", "nonsense", "--state", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "nonsense" in done.stderr


def test_turns_begin_with_another_contestant_each_round():
    order = []
    take_turns({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 2)
    assert "".join(order) == "abbaab"


def test_a_child_answers_with_what_its_function_returned(tmp_path):
    assert call("benchmarks.growth:percentile", values=[3.0, 1.0, 2.0], share=0.5) == 2.0
