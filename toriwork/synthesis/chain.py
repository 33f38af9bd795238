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
_PERSON = b"toriwork.chain.1"


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
        return _link(before, HEAD.pack(LAYOUT, *self[:4], n_given, self.n_body), given)


class Chain:
    """Where a writer's chain stands; not locked, its owner is."""

    def __init__(self) -> None:
        self.writer = secrets.token_bytes(_WRITER_BYTES)
        self.sequence = 0  #: of the next emission
        self.link = FIRST_LINK

    def pack(self, digest: bytes, time_us: int, given_time: bytes | None, body: bytes) -> tuple[bytes, bytes]:
        """The next emission as the payload of a frame, and its link; nothing has moved yet."""
        given, n_given = (b"", -1) if given_time is None else (given_time, len(given_time))
        head = HEAD.pack(LAYOUT, digest, self.writer, self.sequence, time_us, n_given, len(body))
        link = _link(self.link, head, given)
        return head + link + given + body, link

    def move(self, link: bytes) -> None:
        """Take note that the emission with this link was appended."""
        self.link = link
        self.sequence += 1


def _link(before: bytes, head: bytes, given_time: bytes) -> bytes:
    return blake2b(before + head + given_time, digest_size=LINK_BYTES, person=_PERSON).digest()
