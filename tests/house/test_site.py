"""The site is built without a warning, and asks nothing of any other machine."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import toriwork

ROOT = Path(__file__).resolve().parents[2]
#: what a browser fetches by itself: scripts, styles, fonts, pictures, frames
FETCHED = re.compile(
    r"""<(?:script|img|iframe|source|video|audio)[^>]*\ssrc=["'](?P<src>[^"']*)"""
    r"""|<link[^>]*\bhref=["'](?P<href>[^"']*)|url\(["']?(?P<url>[^)"']*)|@import\s+["'](?P<sheet>[^"']*)"""
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; the line is that of ``make docs``, which a warning ends."""
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-j", "2", "-c", "docs", ".", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), "`make docs` shows the same; each warning names its page"
    return out


def fetched(site: Path) -> Iterator[tuple[str, str]]:
    for file in (*site.rglob("*.html"), *site.rglob("*.css")):
        for found in FETCHED.finditer(file.read_text(encoding="utf-8")):
            yield str(file.relative_to(site)), next(filter(None, found.groups()), "")


def test_every_page_and_notebook_is_there_and_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    pages = [*ROOT.glob("docs/**/*.md"), *ROOT.glob("notebooks/*.ipynb"), ROOT / "README.md"]
    assert [page.name for page in pages if not (site / page.relative_to(ROOT)).with_suffix(".html").exists()] == []
    assert [(page, link) for page, link in fetched(site) if link.startswith(("http:", "https:", "//"))] == []


def test_the_search_knows_names_pages_and_decisions(site: Path) -> None:
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    assert all(word in index for word in ("howto/backup", "decisions/010", "notebooks/00", "persistence_many"))


def test_the_reference_has_every_public_name(site: Path) -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in site.glob("docs/api/*.html"))
    asked = [f"{home}.{name}" for name, home in toriwork._HOMES.items()]
    assert [name for name in asked if f'id="{name}"' not in text] == [], "name its room in a page of docs/api"


#: what a page of the API holds where a docstring was taken for something else than it is
LEAKED = {
    "words in front of a colon are no type": r">Type<span",
    "a field without words": r"Alias for field number",
    "what an object calls itself": r"&lt;(?:built-in |factory|function|class|\w+ object)",
    "the signature of a protocol": r">kwargs<",
    "attributes taken for variables of an instance": r">Variables<",
    "quotes that cannot be typed": r"[“”’]",
    "a private name in a table": r'<tr[^>]*><td><p>(?:<a[^>]*>)?<code[^>]*><span class="pre">_',
    "markup": r":(?:func|class|meth|mod|attr):`|\]\(\w|<p>[^<]*``",
}


@pytest.mark.parametrize("leak", LEAKED)
def test_the_reference_shows_docstrings_as_they_are_meant(site: Path, leak: str) -> None:
    pages = sorted(site.glob("docs/api/*.html"))
    texts = {page.name: page.read_text(encoding="utf-8").partition("<article")[2] for page in pages}
    found = {name: re.findall(f".{{0,80}}(?:{LEAKED[leak]})", text) for name, text in texts.items()}
    assert {name: places[:3] for name, places in found.items() if places} == {}


#: what somebody comes for -> the page that tells it, and the heading of its place there
TASKS = {
    "ask a registry for rows": ("howto/record_and_query", "Ask"),
    "read the file with DuckDB": ("howto/other_readers", "DuckDB"),
    "read the file with Polars": ("howto/other_readers", "Polars"),
    "see that a backup comes back": ("howto/backup", "See that it comes back"),
    "move a registry": ("howto/backup", "Move"),
    "watch the file grow": ("howto/production", "Watch the file grow"),
    "watch the rate of tokens": ("howto/production", "Watch the token rate"),
    "decide to go on after a migration": ("howto/go_no_go", "2. After the migration"),
    "find out why a registry is refused": ("howto/troubleshooting", "A registry that is refused"),
    "take a migration back": ("howto/migrate", "Roll back"),
    "compute many diagrams in many processes": ("howto/processes", "Many diagrams"),
    "save a figure of several panels": ("howto/figures", "Several panels"),
    "compare my own notebooks in CI": ("howto/nbval", "nbval in your own CI"),
    "write a filtration": ("howto/extend", "A filtration of your own"),
    "start with my own CSV file": ("first_half_hour", "A table of your own"),
}


@pytest.mark.parametrize("task", TASKS)
def test_a_task_is_found_with_two_clicks(site: Path, task: str) -> None:
    page, heading = TASKS[task]
    start = (site / "docs" / "index.html").read_text(encoding="utf-8")
    answers = start[start.index("<article") : start.index("</article>")]
    assert f'href="{page}.html"' in answers, "name it in the first table of docs/index.md"  # one click
    found = (site / "docs" / f"{page}.html").read_text(encoding="utf-8")
    contents = re.findall(r'<a class="reference internal" href="#[^"]*">([^<]*)</a>', found)
    assert heading in contents or f"<h1>{heading}" in found  # two: of the contents beside the page
