"""Live views whose every answer comes from the kernel: a request, an action on the state, what is shown then."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from toriwork.checks import shown
from toriwork.errors import BadInput, ToriworkError
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

    def _act(self, request: Any) -> None:
        """Carry out a request and show the result, or say why it was refused: an error would be silent here."""
        refused = ""
        try:
            action, value = self._read(request)
            action(value)
        except ToriworkError as error:
            refused = f"Not possible: {error}"
        self._push(refused)

    def _read(self, request: Any) -> tuple[Action, Any]:
        """The action that a request names, and its value; BadInput where it is no request."""
        actions = self._actions
        name = request.get("do") if isinstance(request, Mapping) else None
        if not isinstance(name, str) or name not in actions:
            raise BadInput(f"request: expected one of {', '.join(actions)}, got {shown(request)}")
        return actions[name], request.get("with")

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


def said(fields: Any, names: Collection[str]) -> dict[str, str]:
    """The fields of a filter that hold more than blanks; BadInput for what no fields of these names can say."""
    known = isinstance(fields, Mapping) and fields.keys() <= set(names)
    if not known or not all(text is None or isinstance(text, str) for text in fields.values()):
        raise BadInput(f"filter: expected texts of {', '.join(names)}, got {shown(fields)}")
    return {name: text.strip() for name, text in fields.items() if text is not None and text.strip()}
