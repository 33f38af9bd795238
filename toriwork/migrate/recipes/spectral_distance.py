"""Whether the distance that a class computes is the one that the registry answers with; never a guess."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from toriwork.migrate.recipes.detect import Function, methods

_HOW_MANY = re.compile(r"^(top_?k|k|n|limit|last|window|count|recent|max_\w+|n_\w+|num_\w+|depth|lookback)$")
_LIMIT = re.compile(r"\bLIMIT\s+(\d+)", re.IGNORECASE)
#: signs of another distance than the mean of absolute differences
_OTHER = re.compile(
    r"^(norm|sqrt|square|power|hypot|dot|vdot|inner|matmul|einsum|corr\w*|cos|cosine\w*|exp|log|log\d+|log1p|weights|"
    r"average|euclid\w*|cdist|pdist|kl|kl_div|entropy|jensen\w*|chebyshev|minkowski|mahalanobis|median|rmse?|mse|dist)$"
)
_MEAN = frozenset({"mean", "nanmean", "fmean", "wasserstein_distance", "L1"})
_NUMBERS = frozenset({"min", "float", "mean", "sum", "abs", "item", "nanmin", "fmin", "round", "max"})
_ENDLESS = ("float('inf')", "np.inf", "numpy.inf", "math.inf", "inf", "float('Inf')", "float('infinity')")


def arguments_of(function: Function) -> list[str]:
    """What a method takes beside ``self``, those by keyword alone behind."""
    return [one.arg for one in (*function.args.args[1:], *function.args.kwonlyargs)]


def answer(function: Function) -> str | None:
    """The line that asks the registry for the same number; None where the method gives or takes something else."""
    arguments = arguments_of(function)
    if not arguments or len(arguments) > 2 or function.args.vararg or function.args.kwarg or not _is_number(function):
        return None
    if len(arguments) == 1:
        return f"return super().distance({arguments[0]}{_reach(function)})"
    if not _HOW_MANY.match(arguments[1]):
        return None
    return f"return super().distance({', '.join(arguments)})"


def _reach(function: Function) -> str:
    """How far back a method looks that is not told: as far as a number in it says, else at everything."""
    for part in ast.walk(function):
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and (found := _LIMIT.search(part.value)):
            return f", {found[1]}"
        if isinstance(part, ast.Slice) and part.upper is None and isinstance(part.lower, ast.UnaryOp):
            return f", {ast.unparse(part.lower.operand)}"
    return ", self.max_entries"


def _is_number(function: Function) -> bool:
    """Whether all that a method returns may be one number, and something surely is."""
    if function.returns is not None and ast.unparse(function.returns).strip("'\"") == "float":
        return True
    returned = [part.value for part in ast.walk(function) if isinstance(part, ast.Return) and part.value is not None]
    if any(isinstance(value, ast.Tuple | ast.List | ast.Dict | ast.ListComp | ast.DictComp) for value in returned):
        return False
    return any(_counts(value, function) for value in returned)


def _counts(value: ast.expr, function: Function) -> bool:
    if isinstance(value, ast.Name):
        assigned = [
            part.value
            for part in ast.walk(function)
            if isinstance(part, ast.Assign) and any(ast.unparse(one) == value.id for one in part.targets)
        ]
        return any(not isinstance(one, ast.Name) and _counts(one, function) for one in assigned)
    if isinstance(value, ast.IfExp):
        return _counts(value.body, function) or _counts(value.orelse, function)
    if isinstance(value, ast.Call):
        return ast.unparse(value.func).rpartition(".")[2] in _NUMBERS
    return isinstance(value, ast.BinOp | ast.Compare) or (
        isinstance(value, ast.Constant) and isinstance(value.value, float)
    )


def other_distance(
    function: Function, node: ast.ClassDef, tree: ast.Module, elsewhere: Mapping[str, Function]
) -> str | None:
    """Why what a method computes is not, for sure, the mean absolute difference of magnitudes; None when it is."""
    parts = list(_closure(function, node, tree, elsewhere))
    words = {word for part in parts for word in _words(part)}
    own = {part.name for part in parts}
    strange = sorted(word for part in parts for word in _called(part) if _OTHER.match(word) and word not in own)
    if any(isinstance(part, ast.Pow | ast.MatMult) for one in parts for part in ast.walk(one)):
        strange.append("a power or product")
    if strange:
        return f"it computes with {', '.join(strange)}"
    averages = bool(words & _MEAN) or any(isinstance(part, ast.Div) for one in parts for part in ast.walk(one))
    if not averages or not words & {"abs", "absolute", "fabs", "wasserstein_distance"}:
        return "what it computes cannot be told"
    empty = _of_nothing(function)
    return None if empty is None else f"it says {empty} when it holds nothing, the registry says inf"


def _closure(
    function: Function, node: ast.ClassDef, tree: ast.Module, elsewhere: Mapping[str, Function]
) -> Iterator[Function]:
    """A method and the functions of the code base that it calls, each once."""
    known: dict[str, Function] = {
        **elsewhere,
        **{child.name: child for child in tree.body if isinstance(child, Function)},
        **methods(node),
    }
    pending, seen = [function], set()
    while pending:
        one = pending.pop()
        if one.name in seen:
            continue
        seen.add(one.name)
        yield one
        called = {word for part in ast.walk(one) if isinstance(part, ast.Call) for word in _words(part.func)}
        pending += [known[name] for name in sorted(called) if name in known]


def _words(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            yield part.id
        elif isinstance(part, ast.Attribute):
            yield part.attr


def _called(function: Function) -> Iterator[str]:
    """The last word of everything that is called, and what weighs."""
    for part in ast.walk(function):
        if isinstance(part, ast.Call):
            yield ast.unparse(part.func).rpartition(".")[2]
        elif isinstance(part, ast.Name) and part.id in ("weights", "weight"):
            yield "weights"


def _of_nothing(function: Function) -> str | None:
    """What a method says when nothing is held, where that is a number and not infinity."""
    given = set(arguments_of(function))
    for part in ast.walk(function):
        if isinstance(part, ast.If) and len(part.body) == 1 and isinstance(part.body[0], ast.Return):
            told = part.body[0].value
            if isinstance(told, ast.Constant | ast.UnaryOp) and not given & set(_words(part.test)):
                return ast.unparse(told)
    for part in ast.walk(function):
        if isinstance(part, ast.keyword) and part.arg == "default" and ast.unparse(part.value) not in _ENDLESS:
            return ast.unparse(part.value)
    return None
