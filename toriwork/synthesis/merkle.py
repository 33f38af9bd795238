"""Merkle trees over the rows of the token log, and the chain of their roots over the generations.

Leaves, nodes and heads are hashed with different first bytes: none can be taken for another.

Sources: RFC 9162 (doi:10.17487/RFC9162), sect. 2.1.1 (tree hash, its prefixes 0x00 and 0x01) and 2.1.2 (the same root
from a stack of complete subtrees); BLAKE2b-160 in place of SHA-256.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import NamedTuple

HASH_BYTES = 20
NO_HEAD = bytes(HASH_BYTES)  #: the head in front of the first generation
_PERSON = b"toriwork.tree.1"


def leaf(row: bytes) -> bytes:
    """The hash of one row."""
    return _hash(b"\x00" + row)


def node(left: bytes, right: bytes) -> bytes:
    """The hash of two neighbouring subtrees."""
    return _hash(b"\x01" + left + right)


def head(before: bytes, generation: int, n_rows: int, root: bytes) -> bytes:
    """The hash of a generation and all generations before it."""
    return _hash(b"\x02" + before + generation.to_bytes(8, "little") + n_rows.to_bytes(8, "little") + root)


def _hash(data: bytes) -> bytes:
    return blake2b(data, digest_size=HASH_BYTES, person=_PERSON).digest()


class Tree:
    """A tree that grows leaf by leaf and keeps only the roots of its complete subtrees, at most 64 of them."""

    def __init__(self, n_leaves: int = 0, peaks: Iterable[bytes] = ()) -> None:
        self.n_leaves = n_leaves
        self.peaks = list(peaks)  #: roots of complete subtrees, the largest first: one for each bit of n_leaves

    def add(self, new: bytes) -> None:
        """Put one more leaf behind the others."""
        n_leaves = self.n_leaves
        while n_leaves & 1:
            new = node(self.peaks.pop(), new)
            n_leaves >>= 1
        self.peaks.append(new)
        self.n_leaves += 1

    def root(self) -> bytes:
        """The tree hash of all leaves; that of none is the hash of nothing."""
        if not self.peaks:
            return _hash(b"")
        found = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            found = node(peak, found)
        return found


class Generation(NamedTuple):
    """The rows that one publish brought into the public file."""

    number: int
    n_rows: int
    root: bytes  #: over its rows, in the order of the file
    head: bytes  #: over it and every generation before


class Fold:
    """Rows in the order of the file to generations: gives each one once its last row has passed."""

    def __init__(self, before: bytes = NO_HEAD, number: int = 0, tree: Tree | None = None) -> None:
        self.head = before  #: in front of the generation that is open
        self.number = number  #: of the open generation
        self.tree = tree or Tree()

    def add(self, number: int, row: bytes) -> Generation | None:
        """Take a row of a generation; the generation before it when that has ended now."""
        done = self.close() if number != self.number else None
        self.number = number
        self.tree.add(leaf(row))
        return done

    def close(self) -> Generation | None:
        """The open generation, which has ended; None when it has no rows."""
        if not self.tree.n_leaves:
            return None
        root = self.tree.root()
        self.head = head(self.head, self.number, self.tree.n_leaves, root)
        done = Generation(self.number, self.tree.n_leaves, root, self.head)
        self.tree = Tree()
        return done
