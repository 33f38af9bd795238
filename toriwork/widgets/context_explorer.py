"""The explorer of tokens and contexts in a notebook: :class:`ContextState` with filters and a budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING, Any

from toriwork.plots.figure import Panel, Picture, picture
from toriwork.plots.text_alternative import TextAlternative
from toriwork.plots.tokens import describe_context, plot_context, plot_tokens
from toriwork.widgets.asked import Action, AskedView, said
from toriwork.widgets.context_state import UNITS, ContextState, Sought
from toriwork.widgets.live import section

if TYPE_CHECKING:
    from toriwork.synthesis import ObserverSynthesis, Rules
    from toriwork.widgets.front import ContextFront

LIST_CAPTION = "Emissions, the newest first"
SIZE_MM = (132.0, 86.0)
FIELDS = ("source", "type", "since", "until")  #: of a filter


class TokenContextExplorer(AskedView):
    """The tokens of an ObserverSynthesis, the tokens that a budget chooses, and why others are left out.

    A slider sets the budget; the text that a language model would be given stands below in its fence, as it is. The
    filters say which emissions are listed, never what is chosen; what closes a loop is marked. Where there is no kernel
    its output shows a still picture with the same tables and text; ``close()`` frees the widget.

    Parameters
    ----------
    synthesis : ObserverSynthesis
        It is only read.
    sought : Sought, optional
        The emissions to list at first; all of them unless given.
    rules : Rules, optional
        The rules of choice.

    Examples
    --------
    >>> from toriwork import ObserverSynthesis, TokenContextExplorer
    >>> observers = ObserverSynthesis()
    >>> for n in range(3):
    ...     token = observers.emit_token({"source": "probe", "subject": f"room {n}", "value": n})
    ...     added = observers.add_to_context(token)
    >>> with TokenContextExplorer(observers) as explorer:  # in a notebook: explorer
    ...     chosen = explorer.state.set_budget(2, "items")
    ...     [row[-1] for row in explorer.state.text.rows]
    ['yes', 'yes', 'no: the budget was used up by weightier ones']
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

    def _front_class(self) -> type[ContextFront]:
        from toriwork.widgets.front import ContextFront

        return ContextFront

    @property
    def _actions(self) -> Mapping[str, Action]:
        state = self.state
        return {
            "limit": state.set_budget,
            "unit": lambda unit: state.set_budget(None, unit),
            "filter": lambda fields: state.filter(Sought(**said(fields, FIELDS))),
            "refresh": lambda _: state.refresh(),
        }

    def _shown(self) -> dict[str, Any]:
        state, sought = self.state, self.state.sought
        tokens = state.text
        fields = {name: getattr(sought, name) for name in FIELDS}
        return {
            "caption": LIST_CAPTION,
            "header": list(tokens.header),
            "rows": [list(row) for row in tokens.rows],
            "unit": state.unit,
            "units": list(UNITS),
            "limit": state.limit,
            "highest": state.highest,
            "sources": sorted({*state.sources, *filter(None, [sought.source])}),
            "types": sorted({*state.types, *filter(None, [sought.type])}),
            "sought": {name: None if value is None else str(value) for name, value in fields.items()},
            "context": self._context_html(),
        }
