"""Functions compared with written shapes: the same code, where words in capitals stand for names of any kind.

``ROWS`` and ``self.CONN`` stand for one name each, the same wherever the word is; ``ANY_X`` stands for an expression.
``{table}`` in a text stands for one name of SQL, which is compared without regard to spaces and case. Docstrings,
annotations and remarks do not count.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from toriwork.codebase.source import tree_of

Bound = dict[str, Any]  #: word of a shape -> the name or the expression that it stands for
_PASSED_OVER = frozenset("annotation returns type_comment type_params kind".split())


def bind(shape: str, function: ast.stmt, known: Bound) -> Bound | None:
    """Return what the words of a shape stand for in a function, ``known`` included; None when it is of another."""
    found = dict(known)
    return found if _same(_parsed(shape), function, found) else None


def bind_sql(shape: str, text: str, known: Bound) -> Bound | None:
    """As :func:`bind`, of SQL."""
    pattern = re.escape(_one_line(shape))
    for word in dict.fromkeys(re.findall(r"\\{(\w+)\\}", pattern)):
        front, behind = pattern.split(rf"\{{{word}\}}", 1)
        pattern = front + rf"(?P<{word}>\w+)" + behind.replace(rf"\{{{word}\}}", rf"(?P={word})")
    told = re.fullmatch(pattern, _one_line(text))
    if told is None or any(known.get(word, name) != name for word, name in told.groupdict().items()):
        return None
    return known | told.groupdict()


def is_text(child: ast.stmt) -> bool:
    """Tell a docstring."""
    return isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)


def texts(shape: str) -> Iterator[str]:
    """The constant texts in a shape."""
    for part in ast.walk(_parsed(shape)):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


def _one_line(sql: str) -> str:
    return re.sub(r"\s*([(),])\s*", r"\1", " ".join(re.sub(r"--.*", "", sql).split())).strip("; ").lower()


@cache
def _parsed(shape: str) -> ast.stmt:
    return tree_of(shape).body[0]


def _same(shape: Any, node: Any, found: Bound) -> bool:
    if isinstance(shape, ast.Name) and shape.id.startswith("ANY_"):
        return ast.dump(found.setdefault(shape.id, node)) == ast.dump(node)
    if type(shape) is not type(node):
        return False
    if isinstance(shape, list):
        nodes = [_plain(one) for one in node if not (isinstance(one, ast.stmt) and is_text(one))]
        return len(shape) == len(nodes) and all(
            _same(one, other, found) for one, other in zip(shape, nodes, strict=True)
        )
    if isinstance(shape, ast.AST):
        fields = [name for name in shape._fields if name not in _PASSED_OVER]
        return all(_same(getattr(shape, name), getattr(node, name), found) for name in fields)
    return _same_word(shape, node, found) if isinstance(shape, str) else bool(shape == node)


def _same_word(shape: str, word: str, found: Bound) -> bool:
    if shape.isupper():
        return bool(found.setdefault(shape, word) == word)
    if "{" not in shape:
        return shape == word
    told = bind_sql(shape, word, found)
    found |= told or {}
    return told is not None


def _plain(node: Any) -> Any:
    """An assignment without its annotation."""
    if isinstance(node, ast.AnnAssign) and node.value is not None:
        return ast.Assign([node.target], node.value)
    return node
