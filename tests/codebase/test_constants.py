"""A folded constant is what Python makes of it; nothing large or harmful is made."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toriwork.codebase.constants import MAX_SIZE, ConstantEvaluator

texts = st.text("aBc%{}3é", max_size=5).map(repr)


def compound(inner):
    """Larger expressions of smaller ones, some of which raise."""
    return st.one_of(
        st.tuples(inner, inner).map(lambda p: f"({p[0]} + {p[1]})"),
        inner.map(lambda e: f"({e})[::-1]"),
        st.tuples(inner, st.integers(-3, 3)).map(lambda p: f"({p[0]})[{p[1]}:]"),
        st.tuples(inner, st.integers(-3, 3)).map(lambda p: f"({p[0]})[{p[1]}]"),
        st.tuples(inner, inner).map(lambda p: f"({p[0]}).join([{p[1]}, 'x', {p[1]}])"),
        st.tuples(inner, inner).map(lambda p: f"({p[0]}).format({p[1]})"),
        st.tuples(inner, inner).map(lambda p: f"({p[0]}) % ({p[1]})"),
        st.tuples(inner, inner, inner).map(lambda p: f"({p[0]}).replace({p[1]}, {p[2]})"),
        st.tuples(inner, st.sampled_from(["lower", "upper", "strip", "title", "encode", "split"])).map(
            lambda p: f"({p[0]}).{p[1]}()"
        ),
        st.tuples(inner, inner).map(lambda p: "f'" + "{" + f"str({p[0]!s}).lower()".replace("'", '"') + "}-x'"),
    )


@given(st.recursive(texts, compound, max_leaves=6))
def test_a_folded_constant_is_what_python_makes_of_it(source):
    try:
        tree = ast.parse(source, mode="eval").body
    except SyntaxError:
        return
    folded = ConstantEvaluator().values(tree)
    try:
        meant = eval(source)
    except (TypeError, ValueError, LookupError, AttributeError):
        return  # what the program would never get
    assert len(folded) <= 1
    if folded:
        assert (type(folded[0]), folded[0]) == (type(meant), meant)


@pytest.mark.parametrize(
    "source",
    [
        "'sql' + 'ite3'",
        "'{}{}'.format('sql', 'ite3')",
        "'%s%d' % ('sqlite', 3)",
        "f\"{'SQLITE3'.lower()}\"",
        "'-'.join(['sqlite3'])",
        "{'a': 'sqlite3'}['a']",
        "'x sqlite3 y'.split()[1]",
    ],
)
def test_these_ways_to_spell_it_are_folded(source):
    assert ConstantEvaluator().values(ast.parse(source, mode="eval").body) == ("sqlite3",)


@pytest.mark.parametrize(
    "source",
    [
        "'{:>999999999}'.format('a')",
        "'%999999999d' % 1",
        "f'{1:>999999999}'",
    ],
)
def test_nothing_large_is_made(source):
    values = ConstantEvaluator().values(ast.parse(source, mode="eval").body)
    assert all(len(value) <= MAX_SIZE for value in values)
