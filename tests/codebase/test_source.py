"""Source as text and as trees: exact and lenient decoding, broken source line by line."""

from __future__ import annotations

import ast
import gc

import pytest

from toriwork.codebase.source import decoded, parse, parsed, read, salvaged, words_of, write
from toriwork.errors import Unsure


@pytest.mark.parametrize(
    "content", [b"x = 1\r\n", "\ufeffx = 'é'\n".encode(), "# coding: latin-1\nx = 'é'\n".encode("latin-1")]
)
def test_what_is_read_exactly_is_written_back_byte_for_byte(content):
    assert write(*read(content)) == content


class Parses:
    """Garbage whose finalizer parses a source, as the printing of a traceback does."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        ast.parse("x = 1")


@pytest.mark.parametrize("parser", [parsed, lambda source: parse(source.encode())], ids=["parsed", "parse"])
def test_finalizers_that_parse_are_not_in_the_way(parser):
    source = "\n".join(f"def f{n}(a, b):\n    return [a + {n}, (b, {n})]" for n in range(300))
    before = gc.get_threshold()
    gc.set_threshold(50, 2, 2)
    try:
        for _ in range(10):
            for _ in range(20):
                Parses()
            assert len(parser(source).body) == 300
        assert gc.isenabled()
    finally:
        gc.set_threshold(*before)


@pytest.mark.parametrize("content", [b"x = '\xff'\n", b"# coding: no-such\n"])
def test_an_encoding_that_lies_is_refused_by_the_exact_reader_and_read_by_the_lenient_one(content):
    with pytest.raises(Unsure, match="encoding"):
        read(content)
    assert decoded(content)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import a\nx = (\nimport b\n", ["a", "b"]),
        ('x = """\nimport a\n"""\nimport b\n)', ["b"]),
        ('import a\nx = """' + "\\d" * 20_000, ["a"]),
        ("if x:\n    import a\n  )\n", ["a"]),
        ("from a import (b,\n)", ["a"]),
    ],
    ids=["open bracket", "long text", "open quote and backslashes", "indented", "goes on"],
)
def test_broken_source_is_read_line_by_line(source, names):
    nodes = list(ast.walk(salvaged(source)))
    found = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    assert found + [node.module for node in nodes if isinstance(node, ast.ImportFrom)] == names


def test_words_are_spelled_as_python_reads_them():
    assert words_of("import ｓｑｌite3, a_b") == {"import", "sqlite3", "a_b"}
