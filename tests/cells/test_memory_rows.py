"""Rows of remembered diagrams: whatever a diagram holds comes back, every bit of it."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toriwork.cells.diagrams import (
    SCHEMA,
    DiagramCodec,
    Rows,
    pack,
    question_of,
    representatives_from,
    representatives_text,
)
from toriwork.storage import Payload
from toriwork.topology import Diagram, Provenance, persistence
from toriwork.topology.diagram import SCALES

FLOATS = st.floats(allow_nan=False)
POSITIVE = st.floats(min_value=0.0, allow_nan=False) | st.just(-0.0)
WORDS = st.text(max_size=8)


@st.composite
def made_diagrams(draw: st.DrawFn) -> Diagram:
    """Any diagram with a provenance that fits."""
    top = draw(st.integers(0, 200))
    bars = draw(st.lists(st.tuples(st.integers(0, top), st.floats(-1e300, 1e300), POSITIVE), max_size=12))
    pairs = np.array([(k, birth, birth + length) for k, birth, length in bars]).reshape(-1, 3)
    scale, field = draw(st.sampled_from(SCALES)), draw(st.sampled_from([2, 3, 46327]))
    facts = [draw(WORDS) for _ in range(5)]
    provenance = Provenance(
        facts[0],
        facts[1],
        facts[2],
        field,
        scale,
        draw(st.integers(0, 8)),
        draw(FLOATS),
        draw(FLOATS),
        draw(st.integers(0, 2**60)),
        facts[3],
        facts[4],
        draw(FLOATS),
    )
    cut = draw(st.lists(st.booleans(), min_size=len(pairs), max_size=len(pairs)))
    censored = np.isinf(pairs[:, 2]) & np.array(cut, dtype=bool)
    return Diagram(
        pairs,
        top,
        draw(WORDS),
        scale,
        field,
        draw(FLOATS),
        draw(st.just(0.0) | POSITIVE.filter(math.isfinite)),
        censored,
        provenance,
    )


def packed(*diagrams: Diagram) -> Payload:
    rows = [pack(bytes([n]) * 16, bytes([n + 1]) * 16, "points", diagram) for n, diagram in enumerate(diagrams)]
    return Payload("ab" * 16, 3, 1_800_000_000_000_000_000, len(rows), memoryview(b"".join(rows)))


def bits(diagram: Diagram) -> list[object]:
    """Everything, so that -0.0 differs from 0.0."""
    facts = [part.hex() if isinstance(part, float) else part for part in diagram.convention()]
    return [diagram.pairs.tobytes(), diagram.censored.tobytes(), facts, repr(diagram.provenance), diagram.content_id]


@given(st.lists(made_diagrams(), max_size=5), st.data())
def test_every_bit_comes_back_from_columns_and_from_a_part_of_them(diagrams, data):
    batch = DiagramCodec().decode([packed(*diagrams)], {})
    assert batch.schema.equals(SCHEMA)
    batch.validate(full=True)
    start = data.draw(st.integers(0, len(diagrams)))
    rows = Rows(batch.slice(start))
    for number, diagram in enumerate(diagrams[start:]):
        found = rows.diagram(number)
        assert bits(found) == bits(diagram)
        assert found == diagram
        assert hash(found) == hash(diagram)
        assert not found.pairs.flags.writeable
        assert not found.censored.flags.writeable
        assert found.pairs.base is None  # nothing else is kept alive by it


@given(made_diagrams())
def test_a_diagram_read_from_a_row_answers_the_same_question(diagram):
    found = Rows(DiagramCodec().decode([packed(diagram)], {})).diagram(0)
    assert question_of(found, "points").seeded().digest() == question_of(diagram, "points").seeded().digest()


def test_rows_of_several_frames_have_ids_in_their_order():
    diagram = Diagram(
        np.array([[0, 0.0, math.inf]]), 0, provenance=Provenance("e", "1", "f", 2, "diameter", 0, 0, 0, 1)
    )
    one, two = packed(diagram, diagram), packed(diagram)._replace(time_ns=1_800_000_000_000_000_002)
    batch = DiagramCodec().decode([one, two], {})
    ids = batch["row_id"].to_pylist()
    assert ids == sorted(set(ids))
    assert batch["key"].to_pylist() == ["00" * 16, "01" * 16, "00" * 16]
    assert batch["cloud_hash"].to_pylist()[0] == "01" * 16


def test_an_older_table_gets_the_new_columns_as_nulls():
    diagram = Diagram(
        np.array([[0, 0.0, math.inf]]), 0, provenance=Provenance("e", "1", "f", 2, "diameter", 0, 0, 0, 1)
    )
    batch = DiagramCodec().decode([packed(diagram)], {})
    old = pa.Table.from_batches([batch]).drop_columns(["representatives"])
    new = DiagramCodec().upgrade(old)
    assert new.schema.equals(SCHEMA)
    (rows,) = map(Rows, new.to_batches())
    assert rows.diagram(0) == diagram
    assert rows.representatives(0) == ""


def test_rows_with_representatives_and_without_them_stand_in_one_journal():
    points = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    diagram = persistence(points)
    found = diagram.representatives(points=points) + diagram.representatives(0, points=points, n=2)
    texts = ["", representatives_text(found)]
    rows = [pack(bytes([n]) * 16, bytes(16), "points", diagram, text) for n, text in enumerate(texts)]
    batch = DiagramCodec().decode([Payload("ab" * 16, 3, 1_800_000_000_000_000_000, 2, memoryview(b"".join(rows)))], {})
    read = Rows(batch)
    assert [representatives_from(read.representatives(n), read.diagram(n)) for n in (0, 1)] == [[], list(found)]


@pytest.mark.parametrize("column", ["births", "deaths"])
def test_no_number_is_null(column):
    diagram = Diagram(
        np.array([[0, 0.0, math.inf]]), 0, provenance=Provenance("e", "1", "f", 2, "diameter", 0, 0, 0, 1)
    )
    assert DiagramCodec().decode([packed(diagram)], {})[column].flatten().null_count == 0
