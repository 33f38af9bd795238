"""The browser of a registry in a notebook: :class:`BrowserState` with filters, a table, pages and a preview."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING, Any

from toriwork.checks import BANDS, check_integer, shown
from toriwork.errors import BadInput
from toriwork.plots.browser import Preview, preview_picture
from toriwork.plots.figure import Picture
from toriwork.plots.text_alternative import TextAlternative
from toriwork.widgets.asked import Action, AskedView, said
from toriwork.widgets.browser_state import BrowserState
from toriwork.widgets.live import section
from toriwork.widgets.rows import Span, Wanted

if TYPE_CHECKING:
    from toriwork.registry import TorusRegistry
    from toriwork.widgets.front import BrowserFront

FIELDS = ("band", "since", "until", "b0", "b1", "b2")  #: of a filter


class RegistryBrowser(AskedView):
    """The rows of a registry, filtered, sorted and page by page, with a picture of the chosen one and its metadata.

    It only reads, and shows the rows that were there at the last refresh. Of a cloud the preview has the cloud and its
    diagram (of at most 300 of its points, and it says so), of a spectrum the spectrum. Where there is no kernel its
    output shows a still picture with the page as a table; ``close()`` frees the widget.

    Parameters
    ----------
    registry : TorusRegistry
        May be opened with ``read_only=True``; it stays open when the browser is closed.
    wanted : Wanted, optional
        Which rows to begin with; all of them unless given.
    page_rows : int
        How many rows a page has.

    Raises
    ------
    BadInput
        A page has no rows, or a time is none.

    Examples
    --------
    >>> from toriwork import RegistryBrowser, TorusRegistry
    >>> from toriwork.samples import load_sample
    >>> registry = TorusRegistry("shapes.parquet")
    >>> for name in ("circle", "two_circles"):
    ...     shape = registry.record_shape(load_sample(name), metadata={"sample": name})
    >>> with RegistryBrowser(registry) as browser:  # in a notebook: browser
    ...     browser.state.sort(5, descending=True)  # by the number of loops
    ...     browser.state.facts()[-1], [row[5] for row in browser.state.text.rows]
    (('sample', 'two_circles'), ['2', '1'])
    >>> registry.close()
    """

    def __init__(self, registry: TorusRegistry, *, wanted: Wanted | None = None, page_rows: int = 12) -> None:
        super().__init__()
        self.state = BrowserState(registry, wanted, page_rows=page_rows)
        self._drawn: tuple[Preview, Picture] | None = None

    @property
    def caption(self) -> str:
        """The page that the still picture shows."""
        return f"Page {self.state.page + 1} of {self.state.n_pages} of {self.state.registry.path.name}"

    @property
    def text(self) -> TextAlternative:
        """The page as a table, and in words its place and the preview."""
        page = self.state.text
        return replace(page, sentence=f"{page.sentence} {self._told()}")

    def png(self) -> bytes:
        """The preview of the chosen row."""
        return self._picture.png()

    def to_html(self) -> str:
        """The page as a table, below it the preview with alt text, or why there is none; needs no kernel."""
        page = self.state.text
        sentence = f"<p>{escape(page.sentence)}</p>"
        below = self._picture.to_html() if self.state.preview.is_drawn else f"<p>{escape(self._told())}</p>"
        return section(self.caption, sentence, page.to_html(self.caption), below)

    @property
    def _picture(self) -> Picture:
        preview = self.state.preview
        if self._drawn is None or self._drawn[0] is not preview:
            self._drawn = preview, preview_picture(preview)
        return self._drawn[1]

    def _told(self) -> str:
        """The preview in words."""
        preview = self.state.preview
        note = f"{preview.note[0].upper()}{preview.note[1:]}." if preview.note else ""
        return " ".join(filter(None, [f"{preview.caption}.", self._picture.alt if preview.is_drawn else "", note]))

    def _front_class(self) -> type[BrowserFront]:
        from toriwork.widgets.front import BrowserFront

        return BrowserFront

    @property
    def _actions(self) -> Mapping[str, Action]:
        state = self.state
        return {
            "filter": lambda fields: state.filter(_wanted(fields)),
            "choose": state.choose,
            "sort": lambda order: state.sort(*_order(order)),
            "go": lambda pages: state.go_to(state.page + check_integer(pages, name="go")),
            "refresh": lambda _: state.refresh(),
        }

    def _shown(self) -> dict[str, Any]:
        state, wanted = self.state, self.state.wanted
        page = state.text
        fields = {"band": wanted.band, **{name: getattr(wanted, name) for name in ("since", "until")}}
        fields |= {f"b{k}": span for k, span in wanted.betti.items()}
        return {
            "caption": self.caption,
            "header": list(page.header),
            "rows": [[text.removesuffix(" (chosen)") for text in row] for row in page.rows],
            "keys": list(state.page_ids),
            "chosen": state.row_id,
            "order": state.order,
            "page": state.page,
            "n_pages": state.n_pages,
            "bands": list(BANDS),
            "fields": {name: None if value is None else str(value) for name, value in fields.items()},
            "facts": [list(fact) for fact in state.facts()],
        }


def _wanted(fields: Any) -> Wanted:
    """The filter that the fields of the browser say; BadInput where they say none."""
    found = said(fields, FIELDS)
    spans = {k: span for k in range(3) if (span := Span.read(found.get(f"b{k}", ""))) is not None}
    return Wanted(found.get("band"), found.get("since"), found.get("until"), spans)


def _order(given: Any) -> tuple[int, bool]:
    """A column and whether it falls, as the head of the table says it; BadInput where it says something else."""
    if not isinstance(given, list | tuple) or len(given) != 2 or not isinstance(given[1], bool):
        raise BadInput(f"sort: expected a column and true or false, got {shown(given)}")
    return given[0], given[1]
