"""The base of all widgets: made when first shown, a still picture beside them, freed by ``close()``."""

from __future__ import annotations

import hashlib
import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from html import escape
from typing import Any, Self

from toriwork.errors import Closed, ToriworkError
from toriwork.plots.figure import figure_html
from toriwork.plots.text_alternative import TextAlternative

VIEW = "application/vnd.jupyter.widget-view+json"

_numbers = itertools.count()


class LiveView(ABC):
    """A thing that a notebook shows twice: as a widget, and as a still picture that needs no kernel.

    The picture stands in an output of its own: a front end that knows widgets shows nothing else of the output that
    holds one, and once the kernel is gone that is an error message.
    """

    def __init__(self) -> None:
        self._box: Any = None
        self._closed = False

    @property
    def widget(self) -> Any:
        """The ipywidgets box, made when it is first asked for.

        Raises
        ------
        Closed
            ``close()`` was called.
        """
        if self._closed:
            raise Closed(f"{type(self).__name__}: it was closed; make a new one")
        if self._box is None:
            self._box = self._make_box(_next_id(type(self).__name__))
        return self._box

    @property
    @abstractmethod
    def caption(self) -> str:
        """The caption of the still picture."""

    @property
    @abstractmethod
    def text(self) -> TextAlternative:
        """The present state in words and numbers."""

    @abstractmethod
    def png(self) -> bytes:
        """The present state as a picture."""

    @abstractmethod
    def _make_box(self, model_id: str) -> Any:
        """The widget with its callbacks; its view is known by ``model_id``."""

    def to_html(self) -> str:
        """The still picture with alt text, a caption and its numbers as a table; needs no widget and no kernel."""
        return figure_html(self.png(), self.text.sentence, self.caption, self.text.to_html(self.caption))

    def close(self) -> None:
        """Free the widget and everything in it; the object shows its still picture from now on."""
        if self._box is not None:
            for part in _parts(self._box):
                part.close()
        self._box, self._closed = None, True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}: {self.text.to_text()}"

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, Any]:
        """The widget's view, a bare picture and plain text: for converters, which show the best that they know."""
        bundle: dict[str, Any] = {"image/png": self.png(), "text/plain": repr(self)}
        if not self._closed:
            bundle[VIEW] = {"version_major": 2, "version_minor": 0, "model_id": self.widget.model_id}
        asked = set(bundle if include is None else include) - set(exclude or ())
        return {kind: content for kind, content in bundle.items() if kind in asked}

    def _ipython_display_(self) -> None:
        from IPython.display import publish_display_data

        publish: Any = publish_display_data  # it has no types
        if not self._closed:
            live = self._repr_mimebundle_(include={VIEW})
            publish({**live, "text/plain": f"{type(self).__name__}: its picture follows"})
        publish({"text/html": self.to_html(), "text/plain": repr(self)})


def section(caption: str, *parts: str) -> str:
    """Parts of a still picture as one HTML section that screen readers name."""
    return f'<section aria-label="{escape(caption)}">{"".join(parts)}</section>'


def live_text(sentence: str) -> str:
    """A sentence as HTML that screen readers announce when it changes."""
    return f'<p role="status" aria-live="polite" style="line-height:1.4">{escape(sentence)}</p>'


def text_field(name: str, value: str, tooltip: str, width: str = "17em") -> Any:
    """A field for a text that counts once it is finished, by Enter or by leaving it."""
    import ipywidgets

    return ipywidgets.Text(
        value=value, description=name, tooltip=tooltip, continuous_update=False, layout={"width": width}
    )


def action_runner(text: Any, show: Callable[[], None]) -> Callable[[Callable[[], object]], None]:
    """A function that runs an action and shows the result, or says in ``text`` why the action was refused.

    A callback that raises would be silent in a notebook. Controls that ``show`` sets start no action of their own.
    """
    showing = False

    def act(action: Callable[[], object]) -> None:
        nonlocal showing
        if showing:
            return
        showing = True
        try:
            action()
            show()
        except ToriworkError as error:
            text.value = live_text(f"Not possible: {error}")
        finally:
            showing = False

    return act


def _parts(widget: Any) -> Iterator[Any]:
    """A widget with all that it brought along; closing a box alone leaves its children registered."""
    for child in getattr(widget, "children", ()):
        yield from _parts(child)
    yield from (part for name in ("layout", "style") if (part := getattr(widget, name, None)) is not None)
    yield widget


def _next_id(name: str) -> str:
    """The same ids in every run of a notebook: random ones would be a difference in each saved copy."""
    return hashlib.blake2b(f"{name} {next(_numbers)}".encode(), digest_size=16).hexdigest()
