"""The browser of a registry in a notebook: :class:`BrowserState` with filters, pages and a preview."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING, Any

from toriwork.checks import BANDS
from toriwork.plots.browser import Preview, preview_picture
from toriwork.plots.figure import Picture
from toriwork.plots.text_alternative import TextAlternative
from toriwork.widgets.base import LiveView, action_runner, live_text, section, text_field
from toriwork.widgets.browser_state import BrowserState
from toriwork.widgets.rows import Span, Wanted

if TYPE_CHECKING:
    from toriwork.registry import TorusRegistry

EVERY = "every"


class RegistryBrowser(LiveView):
    """The rows of a registry, filtered and page by page, with a picture of the chosen one.

    It only reads, and shows the rows that were there at the last refresh. Of a cloud the preview has the cloud and its
    diagram (of at most 300 of its points, and it says so), of a spectrum the spectrum. In a notebook it shows itself as
    a widget and as a still picture with the page as a table; ``close()`` frees the widget.

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
        """The page as a table and below it the preview with alt text; needs no widget and no kernel."""
        page = self.state.text
        sentence = f"<p>{escape(page.sentence)}</p>"
        return section(self.caption, sentence, page.to_html(self.caption), self._picture.to_html())

    @property
    def _picture(self) -> Picture:
        preview = self.state.preview
        if self._drawn is None or self._drawn[0] is not preview:
            self._drawn = preview, preview_picture(preview)
        return self._drawn[1]

    def _told(self) -> str:
        """The preview in words."""
        note = self.state.preview.note
        return f"{self._picture.caption}. {self._picture.alt}" + (f" {note[0].upper()}{note[1:]}." if note else "")

    def _make_box(self, model_id: str) -> Any:
        import ipywidgets

        state = self.state
        filters = _filters(state.wanted)
        refresh, newer, older = (
            ipywidgets.Button(description=name, tooltip=words)
            for name, words in (
                ("refresh", "Read the registry again"),
                ("newer rows", "Go to the page before"),
                ("older rows", "Go to the next page"),
            )
        )
        chooser = ipywidgets.Dropdown(
            description="Row", tooltip="The row to preview; arrow keys go from row to row", layout={"width": "24em"}
        )
        table, text = ipywidgets.HTML(), ipywidgets.HTML()
        image = ipywidgets.Image(format="png", layout={"max_width": "100%"})

        def show() -> None:
            ids = state.page_ids
            rows = state.text.rows
            chooser.options = [
                (f"{row[0].split()[0]}: {row[2]}, {row[3]}", row_id) for row, row_id in zip(rows, ids, strict=True)
            ]
            chooser.value = state.row_id
            newer.disabled, older.disabled = state.page == 0, state.page == state.n_pages - 1
            table.value = state.text.to_html(self.caption)
            image.value = self.png()
            text.value = live_text(self.text.sentence)

        act = action_runner(text, show)
        for control in filters:
            control.observe(lambda _: act(lambda: state.filter(_wanted(filters))), names="value")
        chooser.observe(lambda change: act(lambda: state.choose(change["new"])), names="value")
        refresh.on_click(lambda _: act(state.refresh))
        newer.on_click(lambda _: act(lambda: state.go_to(state.page - 1)))
        older.on_click(lambda _: act(lambda: state.go_to(state.page + 1)))
        act(lambda: None)
        above = ipywidgets.HBox(filters, layout={"flex_flow": "row wrap"})
        moves = ipywidgets.HBox([chooser, newer, older, refresh], layout={"flex_flow": "row wrap"})
        return ipywidgets.VBox([above, moves, table, image, text], model_id=model_id)


def _filters(wanted: Wanted) -> list[Any]:
    """The controls of a filter: band, since, until, b0, b1, b2."""
    import ipywidgets

    band = ipywidgets.Dropdown(
        options=[EVERY, *BANDS], value=wanted.band or EVERY, description="Band",
        tooltip="Coherence band of the rows to show", layout={"width": "13em"},
    )  # fmt: skip
    since, until = (
        text_field(name, "" if value is None else str(value), f"{words}, like 2026-01-31 or 2026-01-31T12:00, in UTC")
        for name, value, words in (
            ("Since", wanted.since, "First time to show"),
            ("Until", wanted.until, "Time before which rows are shown"),
        )
    )
    numbers = [
        text_field(
            f"b{k}",
            str(wanted.betti.get(k, "")),
            f"Betti number {k}: 2, 1-3, 1- (and more), unknown, or empty for every",
            width="11em",
        )
        for k in range(3)
    ]
    return [band, since, until, *numbers]


def _wanted(filters: list[Any]) -> Wanted:
    """The filter that the controls say; BadInput where they say none."""
    band, *texts = (control.value.strip() for control in filters)
    since, until, *numbers = texts
    spans = {k: span for k, number in enumerate(numbers) if (span := Span.read(number)) is not None}
    return Wanted(None if band == EVERY else band, since or None, until or None, spans)
