"""How Sphinx makes the site of README, docs and notebooks; ``make docs``.

The folder of the sources is the repository itself, so that links between docs, notebooks and README are the same files
on the site as in the checkout.  Nothing is fetched: no fonts, scripts or inventories from elsewhere.  No notebook is
executed: the committed outputs are shown.
"""

from __future__ import annotations

import inspect
import re
from enum import Enum
from importlib import import_module
from pathlib import Path
from types import ModuleType

from sphinx.application import Sphinx

import toriwork

project = "toriwork"
author = "The toriwork maintainers"
version = release = toriwork.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "docs/index"
include_patterns = [
    "docs/**.md",
    "notebooks/*.ipynb",
    "research/README.md",
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
]
# what the search for pages need not walk through
exclude_patterns = [
    ".*",
    "**/.*",
    "out",
    "build",
    "dist",
    "tests",
    "toriwork",
    "benchmarks",
    "data_samples",
    "**/node_modules",
]

suppress_warnings = ["toc.not_included"]  # decisions are in no menu; tests/house/test_docs.py looks at all other pages

nb_execution_mode = "off"
# a saved widget view needs a script from elsewhere; the still picture beside it needs none
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]
nb_ipywidgets_js: dict[str, dict[str, str]] = {}
smartquotes_action = "De"  # dashes and dots; quotes stay: "rips" is typed as it stands
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "attrs_inline"]

toc_object_entries = False  # hundreds of names, copied for the navigation of every page, take half of the time
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # shapes, units and ranges stand in the docstrings
autodoc_class_signature = "mixed"
napoleon_google_docstring = False
napoleon_use_param = False  # a type is text: "path" is no reference to every attribute of that name
napoleon_use_rtype = False
napoleon_custom_sections = ["Sources", ("Attributes", "params_style")]  # else a name that ends in _ loses it

html_theme = "furo"
html_title = f"toriwork {version}"
html_static_path = ["_static"]
html_css_files = ["toriwork.css"]
html_extra_path = ["_extra"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False  # LICENSE says it
html_theme_options = {
    "navigation_with_keys": True,
    "light_css_variables": {"color-brand-primary": "#0b63a5", "color-brand-content": "#0b63a5"},
    "dark_css_variables": {"color-brand-primary": "#6db3ea", "color-brand-content": "#6db3ea"},
}
pygments_style = "tango"
pygments_dark_style = "monokai"

_DECISIONS = Path(__file__).parent / "decisions"


def _list_decisions(_app: Sphinx, name: str, source: list[str]) -> None:
    """Write the titles of all decisions below their index; in the navigation of every page they would be half of it."""
    if name == "docs/decisions/index":
        files = sorted(_DECISIONS.glob("[0-9]*.md"))
        titles = [(file.name, file.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")) for file in files]
        source[0] += "\n" + "\n".join(f"- [{title}]({name})" for name, title in titles) + "\n"


def _list_names(_app: Sphinx, name: str, source: list[str]) -> None:
    """Put a table of its names, with the first sentence of each, in front of every module of an API page."""
    if not name.startswith("docs/api/"):
        return

    def with_table(found: re.Match[str]) -> str:
        module = import_module(found[1])
        left_out = found[0].partition(":exclude-members:")[2].partition("\n")[0]
        names = [word for word in getattr(module, "__all__", vars(module)) if _is_listed(module, word, left_out)]
        rows = [
            f"| {{py:obj}}`~{module.__name__}.{word}` | {_first_sentence(getattr(module, word))} |" for word in names
        ]
        return "\n".join(["| name | what it is |", "|---|---|", *rows, "", found[0]])

    source[0] = re.sub(r"```\{eval-rst\}\n\.\. automodule:: (\S+)\n.*?```", with_table, source[0], flags=re.DOTALL)


def _is_listed(module: ModuleType, word: str, left_out: str) -> bool:
    value = getattr(module, word)
    ours = callable(value) and not word.startswith("_") and str(value.__module__).startswith("toriwork")
    ours = ours and bool(inspect.getdoc(value))
    return bool(ours) and word not in left_out and (hasattr(module, "__all__") or value.__module__ == module.__name__)


def _first_sentence(value: object) -> str:
    words = " ".join((inspect.getdoc(value) or "").split("\n\n")[0].split())
    sentence = re.split(r"(?<=[a-z0-9`)])\. ", words)[0].rstrip(".")
    return re.sub(r":\w+:`~?(?:\w+\.)*(\w+)`", r"`\1`", sentence.replace("``", "`")).replace("|", "\\|")


def _keep_colons(_app: Sphinx, what: str, _name: str, _value: object, _options: object, lines: list[str]) -> None:
    """Begin what an attribute is with an empty comment: napoleon takes words in front of a colon there for a type."""
    if what in ("attribute", "property", "data"):
        lines[:0] = ["..", ""]


def _with_members(_app: Sphinx, _what: str, _name: str, value: object, _skip: bool, _options: object) -> bool | None:
    """Show the members of an enumeration: their values say what they are."""
    return False if isinstance(value, Enum) else None


def _plain_signature(
    _app: Sphinx, _what: str, _name: str, value: object, _options: object, arguments: str | None, _returns: object
) -> tuple[str, str] | None:
    """The signature as a reader needs it: none of what nobody calls, functions by their names, ... for a new object."""
    if arguments is None:
        return None
    if isinstance(value, type) and (getattr(value, "_is_protocol", False) or issubclass(value, Enum)):
        return "", ""
    return re.sub(r"<(?:built-in )?function (\w+)>", r"\1", arguments).replace("<factory>", "..."), ""


def setup(app: Sphinx) -> None:
    """Connect what this file adds to Sphinx."""
    app.connect("source-read", _list_decisions)
    app.connect("source-read", _list_names)
    app.connect("autodoc-process-docstring", _keep_colons, priority=400)  # napoleon has 500
    app.connect("autodoc-skip-member", _with_members)
    app.connect("autodoc-process-signature", _plain_signature)
