"""The lines that answer a method of a spectral class from the registry; None where none can."""

from __future__ import annotations

import ast
import re

from toriwork.migrate.recipes import spectral_distance
from toriwork.migrate.recipes.detect import ADDING, DISTANCE, Function, names_in
from toriwork.migrate.recipes.rows import RowClass
from toriwork.monitors.legacy import CALLED

_COUNT = re.compile(r"^(get_)?(count|size|n_\w+|num_\w+|total\w*|number_of\w*)$")
_FLUSH = re.compile(r"^(close|flush|save\w*|commit|sync|dump\w*|persist\w*|disconnect|write\w*)$")
NOTHING = re.compile(
    r"^(load\w*|open\w*|connect\w*|init\w*|create\w*|vacuum|compact|checkpoint|reindex|optimi[sz]e|setup\w*|ensure\w*|"
    r"reload)$"
)
_RECENT = re.compile(
    r"^(get_|load_|fetch_|read_)?(recent|latest|last|newest|history|all|signatures|entries|records|spectra)\w*$"
)
_KNOWN = {name for names in CALLED.values() for name in names}


def answer(name: str, function: Function, row: RowClass | None) -> list[str] | None:
    """The lines of a new body; empty when the inherited method does; None when nothing answers."""
    decorators = {ast.unparse(decorator) for decorator in function.decorator_list}
    if name.startswith("_") or decorators & {"staticmethod", "classmethod"}:
        return None
    arguments = spectral_distance.arguments_of(function)
    if arguments and DISTANCE.search(name):
        found = spectral_distance.answer(function)
        same = name == "distance" and arguments == ["eigenvalues", "top_k"] and _is_ten(function)
        return None if found is None else [] if same else [found]
    if arguments and ADDING.match(name):
        return _added(name, function, arguments)
    if _RECENT.match(name):
        return _recent(function, arguments, row)
    if len(arguments) > len(function.args.defaults):
        return None
    answers = ((_COUNT, True, "return len(self)"), (_FLUSH, not returns(function), "self.flush()"))
    line = next((line for pattern, fits, line in answers if fits and pattern.match(name)), None)
    idle = NOTHING.match(name) and not returns(function)
    line = line or ("return  # the registry is there already" if idle else None)
    return None if line is None else [line]


def returns(function: Function) -> bool:
    """Whether a method hands something back."""
    return any(isinstance(part, ast.Return) and part.value is not None for part in ast.walk(function))


def _added(name: str, function: Function, arguments: list[str]) -> list[str] | None:
    """A signature, or its fields by name; switches behind a signature say nothing any more."""
    told = _told_of_arguments(function, arguments)
    if (name, arguments) == ("add", ["signature"]) and told is None:
        return []
    if len(arguments) > 1 and set(CALLED["eigenvalues"]) & set(arguments):
        line = f"super().add({', '.join(f'{one}={one}' for one in arguments)})"
    elif len(function.args.defaults) >= len(arguments) - 1:
        line = f"super().add({arguments[0]})"
    else:
        return None
    return [f"return {line}"] if told is None else [line, f"return {told}"]


def _told_of_arguments(function: Function, arguments: list[str]) -> str | None:
    """What an adding method hands back where that is an argument or a part of one, ``signature.hash_id``."""
    values = [part.value for part in ast.walk(function) if isinstance(part, ast.Return) and part.value is not None]
    if len(values) != 1 or not isinstance(values[0], ast.Name | ast.Attribute):
        return None
    changed = {part.id for part in ast.walk(function) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
    plain = names_in(values[0]) <= set(arguments) - changed
    return ast.unparse(values[0]) if plain else None


def _is_ten(function: Function) -> bool:
    defaults = function.args.defaults
    return len(defaults) == 1 and isinstance(defaults[0], ast.Constant) and defaults[0].value == 10


def _recent(function: Function, arguments: list[str], row: RowClass | None) -> list[str] | None:
    """A reader of the newest signatures, where what it makes of a record is the class that the registry hands out."""
    if len(arguments) > 1 or row is None or row.required or row.name not in names_in(function):
        return None
    code = ast.unparse(function)
    if re.search(r"\bWHERE\b|\bJOIN\b|\bGROUP BY\b", code):
        return None
    newest_first = re.search(r"\bDESC\b", code) and not re.search(r"reversed\(|\[::-1\]|\.reverse\(", code)
    return [f"return super().recent({', '.join(arguments)})" + ("" if newest_first else "[::-1]")]
