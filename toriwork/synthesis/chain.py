"""The chain of a writer: every emission carries a hash over the one before it, so that none can be taken out unseen.

A writer is one open log in one process. What an emission is packed into is what its link is the hash of.
"""

from __future__ import annotations

import secrets
import struct
from hashlib import blake2b
from typing import NamedTuple

LAYOUT = 2
LINK_BYTES = 20
FIRST_LINK = bytes(LINK_BYTES)  #: what the first emission of a writer is linked to
# layout, token digest, writer, sequence, microseconds since 1970, bytes of the given time (-1: none), of the body
HEAD = struct.Struct("<B20s8sQqiI")
_WRITER_BYTES = 8
_hash = blake2b(digest_size=LINK_BYTES, person=b"toriwork.chain.1").copy  # a copy costs less than a new one
_pack = HEAD.pack


class Emission(NamedTuple):
    """One emission of a writer."""

    digest: bytes  #: of the token
    writer: bytes
    sequence: int  #: from 0, without gaps
    time_us: int  #: microseconds since 1970
    given_time: bytes | None
    n_body: int  #: bytes of the body

    def link(self, before: bytes) -> bytes:
        """The link of this emission behind another: BLAKE2b-160 of that link, this head and the given time."""
        given = self.given_time or b""
        n_given = -1 if self.given_time is None else len(given)
        link = _hash()
        link.update(before + HEAD.pack(LAYOUT, *self[:4], n_given, self.n_body) + given)
        return link.digest()


class Chain:
    """Where a writer's chain stands; not locked, its owner is."""

    __slots__ = ("forks", "link", "sequence", "writer")

    def __init__(self, forks: int = 0) -> None:
        self.forks = forks  #: of the process that the writer belongs to
        self.writer = secrets.token_bytes(_WRITER_BYTES)
        self.sequence = 0  #: of the next emission
        self.link = FIRST_LINK

    def pack(self, digest: bytes, time_us: int, given_time: bytes | None, body: bytes) -> tuple[bytes, bytes]:
        """The next emission as the payload of a frame, and its link; its owner takes note of both behind it."""
        # written out, not by calls: every emission comes through here
        link = _hash()
        if given_time is None:
            head = _pack(LAYOUT, digest, self.writer, self.sequence, time_us, -1, len(body))
            link.update(self.link + head)
            found = link.digest()
            return b"".join((head, found, body)), found
        head = _pack(LAYOUT, digest, self.writer, self.sequence, time_us, len(given_time), len(body))
        link.update(self.link + head + given_time)
        found = link.digest()
        return b"".join((head, found, given_time, body)), found
