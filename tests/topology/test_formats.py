"""A diagram goes to other formats and back, and nothing is lost that they can hold."""

from __future__ import annotations

import io
import json
import math

import gudhi
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ripser import ripser

from tests.topology import oracles
from tests.topology.clouds import circle
from toriwork.errors import BadInput
from toriwork.topology import (
    Diagram,
    Provenance,
    from_columns,
    from_frame,
    from_gudhi,
    from_ripser,
    header_of,
    persistence,
    to_columns,
    to_frame,
    to_gudhi,
    to_ripser,
)

INF = math.inf
CLOUD = circle(30, 0.1, seed=4)
DIAGRAMS = {
    "a loop": persistence(CLOUD, max_dimension=2),
    "cut": persistence(CLOUD, threshold=0.3),
    "thinned": persistence(CLOUD, min_persistence=0.05),
    "no point": persistence(np.empty((0, 2))),
    "one point": persistence([[1.0, 2.0]]),
    "without provenance": Diagram([[0, 0.0, INF], [1, 0.1, 0.30000000000000004]], 1, field=3, scale="radius"),
}
every = pytest.mark.parametrize("diagram", DIAGRAMS.values(), ids=DIAGRAMS)


def test_gudhis_own_list_is_read() -> None:
    tree = gudhi.RipsComplex(points=CLOUD).create_simplex_tree(max_dimension=2)
    bars = tree.persistence(homology_coeff_field=2)
    wanted = persistence(CLOUD)
    found = from_gudhi(bars, scale="diameter", field=2, max_dimension=1)
    assert np.allclose(found.pairs, wanted.pairs, atol=1e-12)


def test_ripsers_own_list_is_read() -> None:
    bars = ripser(oracles.euclidean(CLOUD), distance_matrix=True, maxdim=2)["dgms"]
    wanted = persistence(CLOUD, max_dimension=2)
    found = from_ripser(bars)
    assert found.max_dimension == 2
    assert np.allclose(found.pairs, wanted.pairs, atol=1e-6)


@pytest.mark.parametrize("name", ["a loop", "no point", "one point"])
def test_foreign_formats_give_back_what_they_can_hold(name: str) -> None:
    diagram = DIAGRAMS[name]
    highest = diagram.max_dimension
    assert from_gudhi(to_gudhi(diagram), scale="diameter", field=2, max_dimension=highest) == diagram
    assert from_ripser(to_ripser(diagram)) == diagram


def test_gudhis_list_has_the_longest_bar_first() -> None:
    lengths = [death - birth for _, (birth, death) in to_gudhi(DIAGRAMS["a loop"])]
    assert lengths == sorted(lengths, reverse=True)


def assert_the_same(found: Diagram, wanted: Diagram) -> None:
    assert found == wanted
    assert found.content_id == wanted.content_id
    assert found.provenance == wanted.provenance
    assert found.pairs.tobytes() == wanted.pairs.tobytes()


@every
def test_columns_and_header_round_trip_bit_for_bit(diagram: Diagram) -> None:
    assert_the_same(from_columns(to_columns(diagram), header_of(diagram)), diagram)


@every
def test_an_arrow_table_round_trips_bit_for_bit_through_parquet(diagram: Diagram) -> None:
    table = pa.table(diagram)
    assert table.schema.names == ["dimension", "birth", "death", "censored"]
    assert [str(t) for t in table.schema.types] == ["int64", "double", "double", "bool"]
    file = io.BytesIO()
    pq.write_table(table, file)
    assert_the_same(from_frame(pq.read_table(io.BytesIO(file.getvalue()))), diagram)
    frame = pd.read_parquet(io.BytesIO(file.getvalue()))
    assert frame["death"].tolist() == diagram.pairs[:, 2].tolist()
    assert_the_same(from_frame(frame), diagram)


@every
def test_a_frame_round_trips_through_its_own_parquet(diagram: Diagram) -> None:
    file = io.BytesIO()
    to_frame(diagram).to_parquet(file)
    assert_the_same(from_frame(pd.read_parquet(io.BytesIO(file.getvalue()))), diagram)


def test_the_header_is_plain_json() -> None:
    facts = json.loads(header_of(DIAGRAMS["cut"]))
    assert float.fromhex(facts["threshold"]) == 0.3
    assert facts["provenance"]["engine"] == DIAGRAMS["cut"].provenance.engine


@pytest.mark.parametrize(
    ("call", "word"),
    [
        pytest.param(lambda: from_frame(pd.DataFrame({"birth": [0.0]})), "attrs", id="a frame of somebody else"),
        pytest.param(lambda: from_columns({}, header_of(DIAGRAMS["cut"])), "dimension", id="a column is missing"),
        pytest.param(lambda: from_columns({}, "{"), "JSON", id="a torn header"),
        pytest.param(lambda: from_columns({}, '{"format": 3}'), "format 1 or 2", id="a header of the future"),
    ],
)
def test_what_is_no_diagram_of_ours_is_refused(call: object, word: str) -> None:
    with pytest.raises(BadInput, match=word):
        call()


def without_seal(header: str) -> str:
    """The header as releases of format 1 wrote it."""
    facts = json.loads(header) | {"format": 1}
    return json.dumps({name: fact for name, fact in facts.items() if name not in ("n_pairs", "content_id")})


@pytest.mark.parametrize("sealed", [True, False])
@pytest.mark.parametrize("form", ["frame", "arrow"])
def test_rows_of_two_diagrams_or_of_a_part_are_refused(sealed: bool, form: str) -> None:
    frame = to_frame(DIAGRAMS["a loop"])
    if not sealed:
        frame.attrs["toriwork"] = without_seal(frame.attrs["toriwork"])
        assert from_frame(frame) == DIAGRAMS["a loop"]
    twice = pd.concat([frame, frame], ignore_index=True)
    dying = frame[frame["death"] < INF]
    loops = frame[frame["dimension"] == 1]
    for other in (twice, dying, loops, frame[:0]):
        assert other.attrs == frame.attrs
        with pytest.raises(BadInput, match="filtered or concatenated"):
            from_frame(pa.Table.from_pandas(other) if form == "arrow" else other)
    shuffled = frame.sample(frac=1, random_state=0)
    assert from_frame(shuffled) == DIAGRAMS["a loop"]


def test_rows_that_were_changed_or_exchanged_are_refused() -> None:
    first, second = (to_frame(persistence(circle(20, 0.1, seed))) for seed in (1, 2))
    assert len(first) == len(second)
    second.attrs = first.attrs
    moved = to_frame(DIAGRAMS["a loop"])
    moved.loc[3, "death"] *= 1.0 + 2**-50
    head, tail = first[: len(first) // 2], second[len(first) // 2 :]
    for other in (second, moved, pd.concat([head, tail])):
        with pytest.raises(BadInput, match="the header was written for"):
            from_frame(other)
    with pytest.raises(BadInput, match=f"expected the {len(first)} rows"):
        from_columns(
            {name: column[:-1] for name, column in to_columns(DIAGRAMS["cut"]).items()}, first.attrs["toriwork"]
        )


finite = st.floats(-1e300, 1e300)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), finite, finite)), st.floats(0, 1e300), st.text(max_size=5))
def test_any_diagram_round_trips(rows: list[tuple[int, float, float]], seconds: float, reason: str) -> None:
    made = Provenance("x", "1", "rips", 2, "diameter", 2, INF, seconds, 3, reason)
    pairs = [(k, min(a, b), max(a, b)) for k, a, b in rows]
    diagram = Diagram(pairs, 2, provenance=made)
    assert_the_same(from_columns(to_columns(diagram), header_of(diagram)), diagram)
    assert_the_same(from_frame(to_frame(diagram)), diagram)
