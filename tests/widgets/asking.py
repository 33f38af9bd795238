"""A request as the browser sends it."""

from __future__ import annotations

from typing import Any

from toriwork.widgets.asked import AskedView


def ask(view: AskedView, what: str, value: Any = None) -> dict[str, Any]:
    """Ask the widget of a view for something, and return what it shows then."""
    return send(view, {"do": what, "with": value})


def send(view: AskedView, content: Any) -> dict[str, Any]:
    """Send the widget of a view whatever it is, and return what it shows then."""
    message = {"method": "custom", "content": content}
    view.widget._handle_msg({"content": {"data": message}, "buffers": []})
    shown: dict[str, Any] = view.widget.data
    return shown
