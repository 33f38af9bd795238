"""``toriwork registry info | head | verify | publish | generations | add | export``: a registry from the shell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toriwork.cli.actions import COMMANDS, PATH, PROGRESS, TABLES, Actions
from toriwork.cli.terminal import say, say_json, say_table
from toriwork.errors import BadInput, NotFound
from toriwork.printed import one_line
from toriwork.state import REGISTRY_FILE, registry_path

if TYPE_CHECKING:
    from toriwork.registry import TorusRegistry

ACTIONS = Actions("registry", help="Look into a registry, add to it, export it.")
COMMANDS.add_command(ACTIONS)
FILE = click.option("--path", type=PATH, metavar="FILE", help="The registry; default: the one of the state root.")


@ACTIONS.action("info", "toriwork registry info --path runs.parquet")
@FILE
def info(path: Path | None, as_json: bool) -> int:
    """Print what the registry holds."""
    with _open(path) as registry:
        if as_json:
            say_json({"path": str(registry.path), **registry.get_statistics(), "columns": registry.columns})
        else:
            say(registry)
    return 0


@ACTIONS.action("head", "toriwork registry head -n 3")
@FILE
@click.option("-n", "n_rows", type=int, default=10, help="How many rows; default 10.")
def head(path: Path | None, n_rows: int, as_json: bool) -> int:
    """Print the newest rows, the newest first."""
    from toriwork.registry.rows import V1_COLUMNS

    with _open(path) as registry:
        rows = registry.query_recent(n_rows).iloc[::-1]
    typed = [name for name in rows.columns if name not in V1_COLUMNS]
    if as_json:
        say_json(_records(rows))
        return 0
    numbers = rows[["betti0", "betti1", "betti2"]].map(lambda number: f"{number:g}".replace("nan", "-"))
    shown = rows.assign(timestamp=rows.timestamp.dt.strftime("%Y-%m-%d %H:%M:%S"), **numbers)
    shown = shown.assign(**{name: rows[name].map(_cell) for name in typed})
    say_table(
        ("shape_id", "time (UTC)", "b0", "b1", "b2", "band", *typed, "metadata"),
        shown[["shape_id", "timestamp", *numbers, "coherence_band", *typed, "metadata"]].itertuples(index=False),
        empty="no rows",
    )
    return 0


@ACTIONS.action("verify", "toriwork registry verify --json")
@FILE
def verify(path: Path | None, as_json: bool) -> int:
    """Read and check every byte; changes nothing. Exit code 1: something is wrong."""
    with _open(path) as registry:
        report = registry.verify()
        if as_json:
            say_json({"path": str(registry.path), "clean": report.ok, "report": str(report)})
        else:
            say(report)
    return 0 if report.ok else 1


@COMMANDS.action("metrics", "toriwork metrics /var/lib/node_exporter/toriwork.prom")
@click.argument("file", type=PATH, metavar="FILE.prom")
@FILE
def metrics(file: Path, path: Path | None, as_json: bool) -> int:
    """Write the figures of a registry for Prometheus."""
    with _open(path) as registry:
        registry.write_metrics(file)
    say_json({"path": str(file)}) if as_json else say(one_line(f"{file}: written"))
    return 0


@ACTIONS.action("publish", "toriwork registry publish --to s3://lab/shapes")
@FILE
@click.option("--to", metavar="URI", help="Upload the public file too: s3://BUCKET/PREFIX or a folder.")
@PROGRESS
def publish(path: Path | None, to: str | None, as_json: bool) -> int:
    """Bring every pending row into the public file."""
    with _open(path, read_only=False) as registry:
        pending = registry.get_statistics()["pending_writes"]
        registry.flush(publish=True)
        n_rows = len(registry)
        uploaded = registry.upload(to) if to is not None else None
    if as_json:
        there = {} if uploaded is None else {"to": to, "generation": uploaded.generation}
        say_json({"path": str(registry.path), "published": pending, "n_rows": n_rows, **there})
    else:
        told = "" if uploaded is None else f" Generation {uploaded.generation} is in {to}."
        say(f"{pending} pending rows published; {one_line(str(registry.path))} holds {n_rows} rows.{told}")
    return 0


@ACTIONS.action("generations", "toriwork registry generations s3://lab/shapes")
@click.argument("uri", metavar="URI")
@click.option("-n", "n_newest", type=int, default=20, help="How many; default 20.")
@click.option("--table", default=Path(REGISTRY_FILE).stem, help="Another name than torus_registry.")
def generations(uri: str, n_newest: int, table: str, as_json: bool) -> int:
    """List the newest generations in a bucket or folder that a registry publishes to, the newest first."""
    from toriwork.storage.generations import Generations
    from toriwork.storage.objects import Objects

    there = Generations(Objects(uri), table)
    found = [there.read(number) for number in reversed(there.numbers()[-max(n_newest, 1) :])]
    names = ("generation", "published", "rows", "bytes", "name")
    rows = [(one.generation, one.created, one.n_rows, one.n_bytes, one.path.name) for one in found]
    if as_json:
        say_json([dict(zip(names, row, strict=True)) for row in rows])
    else:
        say_table(names, rows, empty="no generations")
    return 0


@ACTIONS.action("add", "toriwork registry add cloud.csv scan.npy --columns x,y,z --band global")
@click.argument("files", nargs=-1, required=True, type=PATH, metavar="FILE...")
@FILE
@click.option("--band", default="local", help="local, global or critical; default local.")
@TABLES
def add(
    files: tuple[Path, ...], path: Path | None, band: str, columns: str | None, drop_missing: bool, as_json: bool
) -> int:
    """Record the cloud of each file, a point a row, and its Betti numbers: all of them, or none.

    FILE: CSV or other text, .npy, .npz with one array, Parquet. The registry is made where there is none.
    """
    from toriwork.checks import metadata_text
    from toriwork.cli.clouds import read_cloud
    from toriwork.registry import TorusRegistry

    clouds = [read_cloud(file, columns=columns, drop_missing=drop_missing) for file in files]
    notes = [{"file": one_line(file.name)} for file in files]
    with TorusRegistry(path or registry_path()) as registry:
        ids = registry.record_shapes(clouds, coherence_band=band, metadata=notes)
        registry.flush(publish=True)
        found = registry.to_pandas(where=[("shape_id", "in", list(set(ids)))])  # the newest may be others' rows
    keys = [(shape, metadata_text(note)) for shape, note in zip(ids, notes, strict=True)]
    by_key = found.drop_duplicates(["shape_id", "metadata"], keep="last").set_index(
        ["shape_id", "metadata"], drop=False
    )
    added = by_key.loc[keys]
    if as_json:
        say_json({"path": str(registry.path), "rows": _records(added)})
    else:
        rows = zip(files, ids, clouds, added.betti0, added.betti1, strict=True)
        say_table(
            ("file", "shape_id", "points", "b0", "b1"),
            [(file, shape, len(cloud), f"{b0:g}", f"{b1:g}") for file, shape, cloud, b0, b1 in rows],
            empty="",
        )
    return 0


@ACTIONS.action("retract", "toriwork registry retract shape_3f2a... --reason 'wrong sensor'")
@click.argument("row", metavar="ID")
@click.option("--reason", required=True, help="Why; it is kept.")
@FILE
def retract(row: str, reason: str, path: Path | None, as_json: bool) -> int:
    """Mark the rows of a shape id, or the one of a row id, as retracted.

    Nothing is removed; readers of toriwork leave them out.
    """
    with _open(path, read_only=False) as registry:
        n_rows = registry.retract(row, reason)
        registry.flush(publish=True)
    say_json({"path": str(registry.path), "retracted": n_rows}) if as_json else say(f"{n_rows} rows retracted")
    return 0


@ACTIONS.action("export", "toriwork registry export rows.csv")
@click.argument("to", type=PATH, metavar="OUT", required=False)
@FILE
@click.option("--to-delta", metavar="URI", help="Into a Delta table: delta+s3://BUCKET/TABLE or delta:FOLDER.")
@click.option("--from-delta", metavar="URI", help="Out of a Delta table, into a new registry.")
@PROGRESS
def export(to: Path | None, path: Path | None, to_delta: str | None, from_delta: str | None, as_json: bool) -> int:
    """Write all rows, published or not, into a new .csv or .jsonl file, without the vertices, the newest first.

    The registry itself is Parquet, which DuckDB, Polars and pandas open. A Delta table gets the rows that it has not.
    """
    if sum(one is not None for one in (to, to_delta, from_delta)) != 1:
        raise BadInput("expected one of OUT, --to-delta and --from-delta")
    if to is not None:
        return _export_text(to, path, as_json=as_json)
    from toriwork.registry.delta import DeltaRegistry
    from toriwork.registry.exchange import bring_back, deliver

    if to_delta is not None:
        with _open(path, read_only=False) as registry, DeltaRegistry(to_delta) as table:
            registry.flush(publish=True)
            n_rows, place = deliver(registry, table.rows), to_delta
    else:
        made = bring_back(str(from_delta), path or registry_path())
        n_rows, place = made.n_rows, str(made.path)
    say_json({"to": place, "n_rows": n_rows}) if as_json else say(f"{n_rows} rows written to {place}")
    return 0


@ACTIONS.action("follow", "toriwork registry follow delta+s3://lab/shapes")
@click.argument("uri", metavar="URI")
@FILE
@click.option("--every", type=float, default=10.0, help="Seconds between two looks; default 10.")
@click.option("--once", is_flag=True, help="One look.")
def follow(uri: str, path: Path | None, every: float, once: bool, as_json: bool) -> int:
    """Bring what a registry publishes into a Delta table, each row once, until it is stopped."""
    from toriwork.registry.exchange import follow

    n_rows = follow((path or registry_path()).absolute(), uri, every=every, over=lambda: once)
    say_json({"to": uri, "n_rows": n_rows}) if as_json else say(f"{n_rows} rows delivered to {uri}")
    return 0


def _export_text(to: Path, path: Path | None, *, as_json: bool) -> int:
    from toriwork.progress import progress_bar

    if to.suffix not in (".csv", ".jsonl"):
        raise BadInput(f"{to}: expected the name of a new file that ends in .csv or .jsonl")
    with _open(path) as registry:
        rows = registry.df.iloc[::-1]
    try:
        with to.open("x", encoding="utf-8", newline="") as out, progress_bar("export", len(rows), unit=" rows") as done:
            for number in range(0, max(len(rows), 1), 10_000):
                piece = rows.iloc[number : number + 10_000]
                if to.suffix == ".csv":
                    piece.to_csv(out, index=False, header=number == 0)
                else:
                    piece.to_json(out, orient="records", lines=True, date_format="iso")
                done(len(piece))
    except FileExistsError as error:
        raise BadInput(f"{to}: expected a name that is free; it was left as it is") from error
    say_json({"to": str(to), "n_rows": len(rows)}) if as_json else say(f"{len(rows)} rows written to {to}")
    return 0


def _open(given: Path | None, *, read_only: bool = True) -> TorusRegistry:
    """The registry that is meant; NotFound where there is none."""
    path = (given or registry_path()).absolute()
    if not path.exists() and not path.with_suffix(".d").exists():
        raise NotFound(f"{path}: there is no registry; `toriwork demo` makes one to look at")
    from toriwork.registry import TorusRegistry

    return TorusRegistry(path, read_only=read_only)


def _cell(value: Any) -> str:
    if value is None or value != value:  # noqa: PLR0124 - NaN and NaT are not equal to themselves
        return "-"
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _records(rows: Any) -> Any:
    """Rows of a DataFrame as JSON has them."""
    import json

    return json.loads(rows.to_json(orient="records", date_format="iso"))
