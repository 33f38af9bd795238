"""The explorer of tokens and contexts in a notebook: :class:`ContextState` with filters and a budget."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING, Any

from toriwork.plots.figure import Panel, Picture, picture
from toriwork.plots.text_alternative import TextAlternative
from toriwork.plots.tokens import describe_context, plot_context, plot_tokens
from toriwork.widgets.base import LiveView, action_runner, live_text, section, text_field
from toriwork.widgets.context_state import UNITS, ContextState, Sought

if TYPE_CHECKING:
    from toriwork.synthesis import ObserverSynthesis, Rules

EVERY = "every"
LIST_CAPTION = "Emissions, the newest first"
SIZE_MM = (132.0, 86.0)


class TokenContextExplorer(LiveView):
    """The tokens of an ObserverSynthesis, the tokens that a budget chooses, and why others are left out.

    A slider sets the budget; the text that a language model would be given stands below in its fence, as it is. The
    filters say which emissions are listed, never what is chosen; what closes a loop is marked. In a notebook it shows
    itself as a widget and as a still picture with the same tables and text; ``close()`` frees the widget.

    Parameters
    ----------
    synthesis : ObserverSynthesis
        It is only read.
    sought : Sought, optional
        The emissions to list at first; all of them unless given.
    rules : Rules, optional
        The rules of choice.
    """

    def __init__(
        self, synthesis: ObserverSynthesis, *, sought: Sought | None = None, rules: Rules | None = None
    ) -> None:
        super().__init__()
        self.state = ContextState(synthesis, sought=sought, rules=rules)

    @property
    def caption(self) -> str:
        """The budget for which the still picture was made."""
        return f"Tokens, and a context of at most {self.state.limit} {self.state.unit}"

    @property
    def text(self) -> TextAlternative:
        """The emissions that are listed, and in words what was chosen."""
        tokens = self.state.text
        return replace(tokens, sentence=f"{describe_context(self.state.selection).sentence} {tokens.sentence}")

    def png(self) -> bytes:
        """The budget and the emissions that are listed."""
        return self._picture().png()

    def to_html(self) -> str:
        """Picture, chosen and omitted tokens with reasons, the text in its fence; needs no widget and no kernel."""
        tokens = self.state.text
        sentence = f"<p>{escape(tokens.sentence)}</p>"
        parts = self._picture().to_html(), sentence, tokens.to_html(LIST_CAPTION), self._context_html()
        return section(self.caption, *parts)

    def _context_html(self) -> str:
        """The selection with its text laid open."""
        return self.state.selection._repr_html_().replace("<details>", "<details open>")  # texts in it are escaped

    def _picture(self) -> Picture:
        state = self.state
        context = Panel(plot_context, state.selection, "context")
        tokens = Panel(plot_tokens, state.listed, "emissions", {"along": "number"})
        return picture(context, tokens, caption=self.caption, size_mm=SIZE_MM)

    def _make_box(self, model_id: str) -> Any:
        import ipywidgets

        state = self.state
        unit = ipywidgets.ToggleButtons(
            options=UNITS, value=state.unit, description="Budget", tooltips=[f"Limit the {name}" for name in UNITS],
            style={"button_width": "7em"},
        )  # fmt: skip
        slider = ipywidgets.IntSlider(
            value=state.limit, min=0, max=state.highest, description="at most", continuous_update=False,
            tooltip="What the text may cost; arrow keys move it by one step", layout={"width": "50%"},
        )  # fmt: skip
        source, kind = (
            ipywidgets.Dropdown(description=name, tooltip=f"{name} of the emissions that are listed")
            for name in ("Source", "Type")
        )
        since, until = (
            text_field(name, "", f"{words}, like 2026-01-31T12:00, in UTC")
            for name, words in (("Since", "First time to list"), ("Until", "Time before which emissions are listed"))
        )
        refresh = ipywidgets.Button(description="refresh", tooltip="Look at what was emitted meanwhile")
        image = ipywidgets.Image(format="png", layout={"max_width": "100%"})
        text, tokens, context = (ipywidgets.HTML() for _ in range(3))

        def show() -> None:
            slider.max, slider.step = state.highest, max(1, state.highest // 100)
            slider.value, unit.value = state.limit, state.unit
            for control, names, chosen in (
                (source, state.sources, state.sought.source),
                (kind, state.types, state.sought.type),
            ):
                control.options = [EVERY, *sorted({*names, *([chosen] if chosen else [])})]
                control.value = chosen or EVERY
            since.value, until.value = (str(time or "") for time in (state.sought.since, state.sought.until))
            image.value = self.png()
            text.value = live_text(self.text.sentence)
            tokens.value = state.text.to_html(LIST_CAPTION)
            context.value = self._context_html()

        def sought() -> Sought:
            observer, name = (None if control.value == EVERY else control.value for control in (source, kind))
            first, end = (time.value.strip() or None for time in (since, until))
            return Sought(observer, name, first, end)

        act = action_runner(text, show)
        slider.observe(lambda change: act(lambda: state.set_budget(change["new"])), names="value")
        unit.observe(lambda change: act(lambda: state.set_budget(None, change["new"])), names="value")
        for control in (source, kind, since, until):
            control.observe(lambda _: act(lambda: state.filter(sought())), names="value")
        refresh.on_click(lambda _: act(state.refresh))
        act(lambda: None)
        budget = ipywidgets.HBox([unit, slider], layout={"flex_flow": "row wrap"})
        filters = ipywidgets.HBox([source, kind, since, until, refresh], layout={"flex_flow": "row wrap"})
        return ipywidgets.VBox([budget, filters, image, text, tokens, context], model_id=model_id)
