"""Trees over rows: those of RFC 9162 with another hash, grown leaf by leaf."""

from __future__ import annotations

from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toriwork.synthesis.merkle import NO_HEAD, Fold, Tree, head, leaf, node


def hashed(data: bytes) -> bytes:
    return blake2b(data, digest_size=20, person=b"toriwork.tree.1").digest()


def tree_hash(rows: list[bytes]) -> bytes:
    """RFC 9162, sect. 2.1.1, word by word."""
    if not rows:
        return hashed(b"")
    if len(rows) == 1:
        return hashed(b"\x00" + rows[0])
    k = 1
    while 2 * k < len(rows):
        k *= 2
    return hashed(b"\x01" + tree_hash(rows[:k]) + tree_hash(rows[k:]))


rows = st.lists(st.binary(max_size=4), max_size=40)


@given(rows)
def test_the_root_is_that_of_the_rfc(found):
    tree = Tree()
    for row in found:
        tree.add(leaf(row))
    assert tree.root() == tree_hash(found)
    assert len(tree.peaks) == len(found).bit_count()


@given(rows, st.integers(0, 40))
def test_a_tree_goes_on_from_what_was_noted_of_it(found, at):
    first, second = Tree(), Tree()
    for row in found[:at]:
        first.add(leaf(row))
    second = Tree(first.n_leaves, list(first.peaks))
    for row in found[at:]:
        second.add(leaf(row))
    assert second.root() == tree_hash(found)


def test_a_leaf_cannot_pose_as_a_node_nor_as_a_head():
    left, right = leaf(b"a"), leaf(b"b")
    assert leaf(left + right) != node(left, right)
    assert head(left, 0, 0, right)[:20] not in (leaf(left + right), node(left, right))


@given(st.lists(st.tuples(st.integers(1, 4), st.binary(max_size=3)), max_size=30).map(sorted))
def test_rows_fold_into_the_heads_of_their_generations(numbered):
    fold, found = Fold(), []
    for number, row in numbered:
        found += [done] if (done := fold.add(number, row)) is not None else []
    found += [done] if (done := fold.close()) is not None else []
    before = NO_HEAD
    for number in sorted({number for number, _ in numbered}):
        of_it = [row for other, row in numbered if other == number]
        before = hashed(
            b"\x02" + before + number.to_bytes(8, "little") + len(of_it).to_bytes(8, "little") + tree_hash(of_it)
        )
        done = found.pop(0)
        assert (done.number, done.n_rows, done.head) == (number, len(of_it), before)
    assert not found


@pytest.mark.parametrize(
    "change", [lambda r: r[::-1], lambda r: r[:-1], lambda r: [*r, b"d"], lambda r: [b"x", *r[1:]]]
)
def test_another_order_number_or_content_is_another_root(change):
    assert tree_hash([b"a", b"b", b"c"]) != tree_hash(change([b"a", b"b", b"c"]))
