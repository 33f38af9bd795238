"""Live views whose every answer comes from the kernel: a request, an action on the state, what is shown then."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from toriwork.errors import ToriworkError
from toriwork.widgets.live import LiveView

if TYPE_CHECKING:
    from toriwork.widgets.front import AskedFront

Action = Callable[[Any], object]


class AskedView(LiveView):
    """A live view whose picture is that of its still form."""

    def __init__(self) -> None:
        super().__init__()
        self._drawing = threading.RLock()  # requests, the notebook, and a thread that follows

    @property
    @abstractmethod
    def _actions(self) -> Mapping[str, Action]:
        """Name of a request -> what it does with its value."""

    @abstractmethod
    def _shown(self) -> dict[str, Any]:
        """The data of the front end beside its sentence."""

    @abstractmethod
    def _front_class(self) -> type[AskedFront]:
        """The model; it is imported here, and with it anywidget."""

    def _make_front(self, key: str) -> AskedFront:
        front = self._front_class()(model_id=key, key=key, **self._traits())
        front.on_msg(lambda _, request, __: self._act(request))
        return front

    def _act(self, request: Mapping[str, Any]) -> None:
        """Carry out a request and show the result, or say why it was refused: an error would be silent here."""
        refused = ""
        try:
            self._actions[request["do"]](request.get("with"))
        except ToriworkError as error:
            refused = f"Not possible: {error}"
        self._push(refused)

    def _push(self, refused: str = "") -> None:
        """Send the present state to the browser, where there is a widget."""
        with self._drawing:
            if self._front is None:
                return
            with self._front.hold_sync():
                for name, value in self._traits(refused).items():
                    self._front.set_trait(name, value)

    def _traits(self, refused: str = "") -> dict[str, Any]:
        data = {**self._shown(), "sentence": self.text.sentence, "refused": refused}
        return {"still": self.to_html(), "plain": repr(self), "data": data}
