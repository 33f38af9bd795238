"""Laws of merging: every byte of theirs stays, a parser reads theirs and ours, and once is as good as twice."""

from __future__ import annotations

import configparser

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from toriwork.migrate.generated.merging import Unmergeable, add_item, add_key, add_section

ITEM = "- repo: local  # ours\n  hooks:\n    - id: ours\n"
OURS = {"repo": "local", "hooks": [{"id": "ours"}]}

words = st.text("abcdefgh", min_size=1, max_size=6)
comments = st.sampled_from(["", "", "  # why", "  # a: b", "  #"])
blanks = st.sampled_from(["", "", "\n", "# alone\n", "   # set in\n", "\n\n# two\n"])
scalars = st.one_of(
    words,
    st.integers(-99, 99).map(str),
    st.sampled_from(["'it''s'", '"a: \\n # b"', "~", "true", "1e3", "[a, b]", "{x: 1}", "2024-01-02", "''", ".nan"]),
)
ends = st.sampled_from(["\n", "\n\n", "", "\n# the end\n", "\n# the end"])
newlines = st.sampled_from(["\n", "\r\n"])


@st.composite
def blocks(draw: st.DrawFn) -> str:
    """A literal or folded text below a key."""
    sign = draw(st.sampled_from(["|", ">", "|-", "|+", ">-"]))
    return f"{sign}\n" + "".join(f"    {word} # no comment\n" for word in draw(st.lists(words, min_size=1, max_size=3)))


@st.composite
def mappings(draw: st.DrawFn, taken: str) -> str:
    """A YAML mapping as people write it: comments, blank lines, quotes, lists, texts in blocks."""
    names = draw(st.lists(words.filter(lambda word: word != taken), unique=True, max_size=5))
    text = draw(blanks)
    for name in names:
        kind = draw(st.sampled_from(["scalar", "list", "block"]))
        if kind == "scalar":
            text += f"{name}: {draw(scalars)}{draw(comments)}\n"
        elif kind == "list":
            pad = draw(st.sampled_from(["", "  "]))
            text += f"{name}:{draw(comments)}\n"
            text += "".join(f"{pad}- {draw(scalars)}{draw(comments)}\n" for _ in range(draw(st.integers(1, 3))))
        else:
            text += f"{name}: {draw(blocks())}"
        text += draw(blanks)
    return text.rstrip("\n") + draw(ends) if text else text


@st.composite
def hooks(draw: st.DrawFn) -> str:
    """A mapping with a list of mappings under ``repos`` somewhere in it."""
    pad = draw(st.sampled_from(["", "  ", "    "]))
    dash = draw(st.sampled_from(["- ", "-   "]))
    text = draw(mappings("repos"))
    text += "" if not text or text.endswith("\n") else "\n"
    text += f"repos:{draw(comments)}\n"
    for _ in range(draw(st.integers(1, 3))):
        inner = pad + " " * len(dash)
        text += draw(blanks) + f"{pad}{dash}repo: {draw(scalars)}{draw(comments)}\n"
        text += draw(st.sampled_from(["", f"{inner}rev: v1{draw(comments)}\n", f"{inner}hooks:\n{inner}- id: x\n"]))
    tail = draw(st.sampled_from(["", "fail_fast: true\n", "# end\nci: {skip: [a]}\n", "\n\n", "exclude: |\n    ^x\n"]))
    return (text + tail).rstrip("\n") + draw(ends)


def same_but_for_one_piece(before: str, after: str) -> bool:
    """Whether taking one piece out of ``after`` gives ``before``."""
    extra = len(after) - len(before)
    starts = (n for n in range(len(before) + 1) if after[:n] + after[n + extra :] == before)
    return extra >= 0 and next(starts, None) is not None


@given(text=mappings("ours"), newline=newlines)
def test_a_key_is_added_and_nothing_else_changes(text: str, newline: str) -> None:
    text = text.replace("\n", newline)
    before = yaml.safe_load(text) or {}
    after = add_key(text, "ours", "# why\nours:\n  - 1\n", newline)
    assert same_but_for_one_piece(text, after)
    assert repr(yaml.safe_load(after)) in (repr({**before, "ours": [1]}), repr({"ours": [1], **before}))


@given(text=hooks(), newline=newlines)
def test_an_item_is_added_behind_the_others_and_nothing_else_changes(text: str, newline: str) -> None:
    text = text.replace("\n", newline)
    before = yaml.safe_load(text)
    after = add_item(text, "repos", ITEM, newline)
    assert same_but_for_one_piece(text, after)
    assert repr(yaml.safe_load(after)) == repr({**before, "repos": [*before["repos"], OURS]})


@pytest.mark.parametrize(
    "text",
    [
        "repos:\n",
        "repos: []\n",
        "repos: []  # none yet\nfail_fast: true\n",
        "repos: [{repo: local, hooks: []}]\n",
        "repos: [\n  {repo: local, hooks: []}\n]\n",
        "repos:   # soon\nother: 1\n",
    ],
)
def test_lists_of_other_forms_get_the_item_too(text: str) -> None:
    before = yaml.safe_load(text)
    after = add_item(text, "repos", ITEM, "\n")
    assert same_but_for_one_piece(text, after)
    assert yaml.safe_load(after) == {**before, "repos": [*(before["repos"] or []), OURS]}


options = st.dictionaries(words, st.lists(st.text("xyz={}:/ ", min_size=1, max_size=8).map(str.strip), max_size=3))


@given(sections=st.dictionaries(words, options, max_size=4), remark=blanks, end=ends, newline=newlines)
def test_a_section_is_added_at_the_end_and_nothing_else_changes(
    sections: dict[str, dict[str, list[str]]], remark: str, end: str, newline: str
) -> None:
    text = remark.lstrip()
    for name, values in sections.items():
        text += f"[{name}]\n" + "".join(
            f"{key} = {chr(10).join(['', *lines]).replace(chr(10), chr(10) + '    ')}\n"
            for key, lines in values.items()
        )
        text += remark.lstrip()
    text = (text.rstrip("\n") + end).replace("\n", newline) if text else text
    after = add_section(text, "testenv:guard", "# why\n[testenv:guard]\ncommands = ours\n", newline)
    assert after.startswith(text)
    one, other = (configparser.RawConfigParser(default_section="\0") for _ in range(2))
    one.read_string(text)
    other.read_string(after)
    assert {name: dict(other[name]) for name in one.sections()} == {name: dict(one[name]) for name in one.sections()}
    assert other["testenv:guard"]["commands"] == "ours"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("repos: [a,]\n", id="a comma at its end"),
        pytest.param("repos:\n  - &a {repo: x, hooks: []}\n  - *a\n", id="another name of an item at its end"),
    ],
)
def test_a_list_that_cannot_take_an_item_is_refused(text: str) -> None:
    with pytest.raises(Unmergeable, match="repos"):
        add_item(text, "repos", ITEM, "\n")
