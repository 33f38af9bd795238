"""The base of all widgets: one output that is live while its kernel lives, and a still picture ever after."""

from __future__ import annotations

import hashlib
import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from html import escape
from typing import TYPE_CHECKING, Any, Self

from toriwork.errors import Closed
from toriwork.plots.figure import figure_html
from toriwork.plots.text_alternative import TextAlternative

if TYPE_CHECKING:
    from toriwork.widgets.front import Front

_numbers = itertools.count()


class LiveView(ABC):
    """A thing that a notebook shows live, and as a still picture where there is no kernel.

    Its output is one piece of HTML that holds the still picture, and no view of a widget: a front end that is told of
    one shows an error message once the kernel is gone. In JupyterLab and Notebook the module of the widget finds that
    HTML by its key, takes its place on the page, and leaves a picture of the moment in it when the notebook is saved.
    """

    def __init__(self) -> None:
        self._front: Front | None = None
        self._closed = False

    @property
    def widget(self) -> Any:
        """The anywidget, made when it is first asked for; it can be shown by itself, laid out and linked as any.

        Raises
        ------
        Closed
            ``close()`` was called.
        """
        if self._closed:
            raise Closed(f"{type(self).__name__}: it was closed; make a new one")
        if self._front is None:
            self._front = self._make_front(_next_key(f"{type(self).__name__} {self.caption} {self.text.sentence}"))
        return self._front

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
    def _make_front(self, key: str) -> Front:
        """The model with its observers; its outputs are found by ``key``."""

    def to_html(self) -> str:
        """The still picture with alt text, a caption and its numbers as a table; needs no widget and no kernel."""
        return figure_html(self.png(), self.text.sentence, self.caption, self.text.to_html(self.caption))

    def close(self) -> None:
        """Free the widget; the object shows its still picture from now on."""
        if self._front is not None:
            self._front.close()
        self._front, self._closed = None, True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}: {self.text.to_text()}"

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, Any]:
        """HTML and plain text; a bare PNG too when it is asked for by name (for converters without HTML)."""
        asked = {"text/html", "text/plain"} if include is None else set(include)
        makers: dict[str, Callable[[], Any]] = {
            "text/html": self._output,
            "text/plain": self.__repr__,
            "image/png": self.png,
        }
        return {kind: make() for kind, make in makers.items() if kind in asked - set(exclude or ())}

    def _output(self) -> str:
        """The still picture, marked as the place of the live view while there is one."""
        if self._closed:
            return self.to_html()
        return f'<toriwork-live data-key="{self.widget.key}" style="display:block">{self.to_html()}</toriwork-live>'


def section(caption: str, *parts: str) -> str:
    """Parts of a still picture as one HTML section that screen readers name."""
    return f'<section aria-label="{escape(caption)}">{"".join(parts)}</section>'


def _next_key(content: str) -> str:
    """The same keys in every run of a notebook: random ones would be a difference in each saved copy.

    What is shown goes into a key, or the first view of a new kernel would take the places that others left.
    """
    return hashlib.blake2b(f"{next(_numbers)} {content}".encode(), digest_size=16).hexdigest()
