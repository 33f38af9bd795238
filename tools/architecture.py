"""Draw the rooms of toriwork for docs/architecture.md, as their imports say; ``python tools/architecture.py``.

The page keeps its own words; the table between the two marks is written anew, and so is docs/images/rooms.svg.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "architecture.md"
PICTURE = ROOT / "docs" / "images" / "rooms.svg"
BEGIN, END = "<!-- drawn by tools/architecture.py -->\n", "<!-- end of the drawing -->\n"
Graph = dict[str, set[str]]


def import_graph(package: Path) -> Graph:
    """Each module below a package and those that it imports: at any nesting, for type checkers only as well.

    The front door ``toriwork`` itself is left out: it names everything and loads nothing.
    """
    files = {".".join(file.relative_to(package.parent).with_suffix("").parts): file for file in package.rglob("*.py")}
    modules = {name.removesuffix(".__init__"): file for name, file in files.items()}
    del modules[package.name]
    return {name: {known for known in _imported(file, modules) if known != name} for name, file in modules.items()}


def _imported(file: Path, modules: Mapping[str, Path]) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield from [name for name in (full, node.module) if name in modules][:1]


def circles(graph: Mapping[str, set[str]]) -> list[frozenset[str]]:
    """The groups of two or more modules that import each other, directly or not."""
    reach = {name: _reachable(graph, name) for name in graph}
    groups = {frozenset({name, *(other for other in found if name in reach[other])}) for name, found in reach.items()}
    return sorted((group for group in groups if len(group) > 1), key=sorted)


def _reachable(graph: Mapping[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    left = list(graph[start])
    while left:
        name = left.pop()
        if name not in seen:
            seen.add(name)
            left += graph[name]
    return seen


def room_graph(package: Path) -> Graph:
    """Each room and the rooms that it imports; modules that stand alone and import no room are one, ``ground``."""
    graph = import_graph(package)
    rooms = {name.split(".")[1] for name in graph}
    known: Graph = {room: set() for room in rooms}
    for name, imported in graph.items():
        room = name.split(".")[1]
        known[room] |= {other.split(".")[1] for other in imported} - {room}
    ground = {room for room in rooms if not (package / room).is_dir() and not _knows_a_folder(room, known, package)}
    drawn = {room: {"ground" if other in ground else other for other in known[room]} for room in rooms - ground}
    return {**drawn, "ground": set()}


def _knows_a_folder(room: str, known: Graph, package: Path) -> bool:
    return any((package / other).is_dir() for other in _reachable(known, room))


def arrows(rooms: Graph) -> list[tuple[str, str]]:
    """The arrows to draw: an import that is also a way over another room is left out."""
    return [
        (room, other)
        for room in sorted(rooms)
        for other in sorted(rooms[room])
        if not any(other in _reachable(rooms, between) for between in rooms[room] - {other})
    ]


def drawing(package: Path) -> str:
    """A table: what each room holds and which rooms it imports."""
    rooms = room_graph(package)
    lines = ["| room | holds | imports |", "|---|---|---|"]
    lines += [
        f"| {room} | {_first_sentence(package, room)} | {', '.join(sorted(rooms[room])) or '-'} |"
        for room in sorted(rooms, key=lambda name: (-len(_reachable(rooms, name)), name))
        if room != "ground"
    ]
    alone = sorted(file.stem for file in package.glob("*.py") if file.stem not in rooms and file.stem != "__init__")
    lines.append(f"| ground | Modules that every room may import: {', '.join(alone)}. | - |")
    return "\n".join(lines) + "\n"


def svg(rooms: Graph) -> str:
    """A picture of the rooms: each below all that import it, with the arrows of :func:`arrows`."""
    floor: dict[str, int] = {}
    for room in sorted(rooms, key=lambda name: -len(_reachable(rooms, name))):
        floor[room] = max((floor[above] + 1 for above in rooms if room in rooms[above]), default=0)
    at: dict[str, tuple[float, float]] = {}
    for level in range(max(floor.values()) + 1):
        row = {room: [at[above][0] for above in at if room in rooms[above]] for room in rooms if floor[room] == level}
        ordered = sorted(row, key=lambda room: (sum(row[room]) / max(len(row[room]), 1), room))  # below its importers
        at |= {room: (720 * (n + 1) / (len(row) + 1), 40 + 78 * level) for n, room in enumerate(ordered)}
    height = 78 * (max(floor.values()) + 1) + 2
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 {height}" font-family="sans-serif" font-size="14">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">',
        '<path d="M0 0 L8 4 L0 8 z" fill="#767676"/></marker></defs>',
        f'<rect width="720" height="{height}" rx="8" fill="#ffffff"/>',
    ]
    for room, other in arrows(rooms):
        (x, y), (to_x, to_y) = at[room], at[other]
        lines.append(
            f'<path d="M{x:.0f} {y + 16:.0f} C{x:.0f} {y + 50:.0f} {to_x:.0f} {to_y - 50:.0f} '
            f'{to_x:.0f} {to_y - 17:.0f}" fill="none" stroke="#767676" marker-end="url(#tip)"/>'
        )
    for room, (x, y) in at.items():
        lines.append(
            f'<rect x="{x - 46:.0f}" y="{y - 16:.0f}" width="92" height="32" rx="6" fill="#e8f1f8" stroke="#0072b2"/>'
            f'<text x="{x:.0f}" y="{y + 5:.0f}" text-anchor="middle" fill="#222222">{room}</text>'
        )
    return "\n".join([*lines, "</svg>"]) + "\n"


def _first_sentence(package: Path, room: str) -> str:
    file = package / room / "__init__.py" if (package / room).is_dir() else package / f"{room}.py"
    words = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return " ".join(words.split("\n\n")[0].split()).replace("|", "\\|")


def page(text: str) -> str:
    """The text of the page with the drawing of today."""
    before, rest = text.split(BEGIN)
    return before + BEGIN + "\n" + drawing(ROOT / "toriwork") + "\n" + END + rest.split(END)[1]


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    PICTURE.write_text(svg(room_graph(ROOT / "toriwork")), encoding="utf-8")
