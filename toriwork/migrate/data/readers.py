"""Places that spell the name of a database, in any file of a code base, whatever its language: each may be a reader.

One pass over the bytes of the tree. A file is cut into words, and the words are looked up: how many databases there are
makes no difference. Files that are no text are passed over; a large one is read to its end, in pieces.
"""

from __future__ import annotations

import codecs
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from toriwork.codebase.index import CodebaseIndex

_PIECE, _OVERLAP = 2**24, 2**12  #: bytes of a file that are searched together, and that two pieces share
_WORD = re.compile(rb"[\w.\-\x80-\xff]+")
_SIDES = re.compile(rb"-(journal|wal|shm)$")
_WIDE = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
#: a stem alone is a name only where it stands as one: in quotes or behind a slash, and as a value where none are needed
_QUOTED = rb"""["'`/\\]%s["'`{%%$+]"""
_BARE = rb"""(?:[=:]\s*|^\s*-\s+|/)%s\s*(?:[,;#)\]}].*)?$"""
_NEEDS_QUOTES = frozenset(
    ".py .pyw .ipynb .r .rmd .jl .m .c .cc .cpp .cxx .h .hpp .js .ts .java .kt .rs .go .rb .pl .lua .scala .f90 .tex "
    ".md .rst .html .css .sql".split()
)


def find_readers(
    index: CodebaseIndex, names: Mapping[str, Sequence[str]], changed: Mapping[str, bytes] | None = None
) -> dict[str, list[tuple[str, int]]]:
    """Return database -> file and line of each place that spells its name, or its stem as a name; first lines alone.

    Parameters
    ----------
    index : CodebaseIndex
    names : mapping
        Database -> every name that it has: its own path, and links to it.
    changed : mapping, optional
        File -> the bytes that it will have: only these are searched.
    """
    words: defaultdict[bytes, dict[str, bool]] = defaultdict(dict)  # word -> database -> it is a stem
    data = set()
    for database, paths in names.items():
        for place in map(PurePosixPath, paths):
            data |= {str(place), *(f"{place}{side}" for side in ("-journal", "-wal", "-shm"))}
            words[_plain(place.stem)].setdefault(database, True)
            words[_plain(place.name)][database] = place.name == place.stem
    odd = [word for word in words if not _WORD.fullmatch(word)]  # names with blanks and the like are no word
    found: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    for path in (path for path in (index.files if changed is None else changed) if names and path not in data):
        first: dict[str, int] = {}
        for text, n_before in _texts(index, path) if changed is None else [(_text(changed[path]), 0)]:
            here: defaultdict[str, list[int]] = defaultdict(list)
            hits = {_bare(word) for word in set(_WORD.findall(text))} & words.keys()
            for word in [*hits, *(word for word in odd if word in text)]:
                for database, is_stem in words[word].items():
                    if (at := _stem_at(text, word, path) if is_stem else _name_at(text, word)) >= 0:
                        here[database].append(n_before + text.count(b"\n", 0, at) + 1)
            first = {database: min(lines) for database, lines in here.items()} | first
        for database, line in first.items():
            found[database].append((path, line))
    return {database: sorted(places) for database, places in found.items()}


def _plain(name: str) -> bytes:
    return name.lower().encode("utf-8", "surrogateescape")


def _texts(index: CodebaseIndex, path: str) -> Iterator[tuple[bytes, int]]:
    """The text of a file, piece by piece, and how many lines end before each."""
    try:
        data = index.head(path, _PIECE)
        text = _text(data)
        yield text, 0
        if not text or len(data) < _PIECE:
            return
        mark, n_before = data[:2] if data[:2] in _WIDE else b"", 0
        with (index.root / path).open("rb") as stream:
            stream.seek(_PIECE)
            while more := stream.read(_PIECE):
                n_before += _text(mark + data[:-_OVERLAP]).count(b"\n")
                data = data[-_OVERLAP:] + more
                yield _text(mark + data, told=True), n_before
    except OSError:  # unreadable: the guard and the plan name it
        return


def _text(data: bytes, *, told: bool = False) -> bytes:
    """The text of a file in lower case; nothing for one that is no text, unless it was ``told`` to be one."""
    if (wide := _WIDE.get(data[:2])) is not None:
        data = data.decode(wide, "replace").encode()
    return b"" if not told and b"\0" in data[:8192] else data.lower()


def _bare(word: bytes) -> bytes:
    """A word without what may stand around a name: the end of a sentence, the suffix of a side file."""
    return _SIDES.sub(b"", word.strip(b".-"))


def _name_at(text: bytes, word: bytes) -> int:
    """Where a name stands in a text."""
    found = (hit.start() for hit in _WORD.finditer(text) if _bare(hit[0]) == word)
    return next(found, text.find(word))


def _stem_at(text: bytes, word: bytes, path: str) -> int:
    """Where a stem stands as a name in a text; -1 where it does not."""
    patterns = [_QUOTED] if PurePosixPath(path).suffix.lower() in _NEEDS_QUOTES else [_QUOTED, _BARE]
    hits = [re.search(pattern % re.escape(word), text, re.MULTILINE) for pattern in patterns]
    return min((hit.start() for hit in hits if hit is not None), default=-1)
