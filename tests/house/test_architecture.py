"""The picture of the rooms in docs/architecture.md is that of the imports."""

from __future__ import annotations

import re

from tools.architecture import PAGE, PICTURE, ROOT, arrows, room_graph, svg


def test_the_picture_is_that_of_the_imports():
    drawn = svg(room_graph(ROOT / "toriwork"))
    assert PICTURE.read_text(encoding="utf-8") == drawn, "run: python tools/architecture.py"


def test_every_room_is_drawn_and_arrows_go_down():
    rooms = room_graph(ROOT / "toriwork")
    text = PAGE.read_text(encoding="utf-8")
    drawn = {name for arrow in arrows(rooms) for name in arrow}
    assert drawn == set(rooms)
    missing = [room for room in rooms if f"| {room} |" not in text]
    assert missing == [], "run: python tools/architecture.py"
    assert not any((other, room) in arrows(rooms) for room, other in arrows(rooms))


def test_the_modules_that_the_page_names_are_there():
    named = set(re.findall(r"`([a-z_]+/[a-z_]+\.py)`", PAGE.read_text(encoding="utf-8")))
    assert named
    gone = [name for name in named if not (ROOT / "toriwork" / name).exists()]
    assert gone == [], "docs/architecture.md names it, from toriwork/ on; name the module that took its place"
