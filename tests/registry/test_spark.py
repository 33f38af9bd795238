"""Spark reads what other readers do. Long: it needs Java and PySpark (``pip install pyspark``), else it is skipped."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from toriwork import TorusRegistry, open_registry

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(shutil.which("java") is None, reason="there is no Java here"),
]
TYPED = {"at": "timestamp", "name": "string", "noise": "float64", "run": "int64", "used": "bool"}
CLOUDS = [np.arange(6.0).reshape(3, 2) + k for k in range(4)]
AT = dt.datetime(2026, 3, 29, 1, 30, 0, 250, tzinfo=dt.UTC)  # an hour that Central Europe does not have
VALUES = [
    {"at": AT, "name": "é\n", "noise": -0.0, "run": 2**62, "used": True},
    {"noise": 1e-300},
    {"run": -1, "used": False, "name": ""},
    {},
]


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A session of its own, on one core, which leaves nothing behind."""
    sql = pytest.importorskip("pyspark.sql")
    place = tmp_path_factory.mktemp("spark")
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    options = {
        "spark.ui.enabled": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.warehouse.dir": str(place / "warehouse"),
        "spark.local.dir": str(place),
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
    }
    builder = sql.SparkSession.builder.master("local[1]")
    for name, value in options.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    yield session
    session.stop()


def record(registry: Any) -> None:
    """Rows with every kind of value, and one that is retracted."""
    for cloud, values in zip(CLOUDS, VALUES, strict=True):
        registry.record_shape(cloud, (1, 0), metadata=values)
    registry.retract(registry.df.shape_id[3], "wrong")


def plain(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows as both readers give them: times without a zone, in UTC, and only those columns that users see."""
    found = []
    for row in rows:
        one = {name: list(value) if isinstance(value, list | np.ndarray) else value for name, value in row.items()}
        for name, value in one.items():
            if isinstance(value, dt.datetime) and value.tzinfo is not None:
                one[name] = value.astimezone(dt.UTC).replace(tzinfo=None)
        found.append(one)
    return sorted(found, key=lambda row: row["row_id"])


def as_utc(frame: Any) -> list[dict[str, Any]]:
    """All rows of a frame of Spark's; its times come back in the zone of this machine."""
    rows = [row.asDict() for row in frame.collect()]
    for row in rows:
        for name, value in row.items():
            if isinstance(value, dt.datetime):
                row[name] = value.astimezone(dt.UTC)
    return plain(rows)


def test_spark_reads_every_value_of_the_public_file(spark: Any, tmp_path: Path) -> None:
    path = tmp_path / "r.parquet"
    with TorusRegistry(path, columns=TYPED) as registry:
        record(registry)
        registry.flush(publish=True)
        expected = registry.scan(retracted=True).read_all().to_pylist()
    frame = spark.read.parquet(str(path))
    assert as_utc(frame) == plain(expected)
    assert len(expected) == 5
    assert [row.run for row in frame.filter(frame.run > 5).collect()] == [2**62]
    assert frame.filter(frame.noise == 1e-300).count() == 1


def test_spark_reads_the_files_of_a_delta_table(spark: Any, tmp_path: Path) -> None:
    """As the table lists them: Spark's own reader of Delta is a jar that PyPI does not have."""
    from deltalake import DeltaTable

    with open_registry(f"delta:{tmp_path}/table", columns=TYPED) as registry:
        record(registry)
        registry.compact()
        expected = registry.scan(retracted=True).read_all().to_pylist()
    files = DeltaTable(str(tmp_path / "table")).file_uris()
    assert as_utc(spark.read.parquet(*files)) == plain(expected)
    assert len(expected) == 5
