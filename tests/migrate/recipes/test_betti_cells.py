from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.migrate.recipes.code import after, rewritten

BODY = "    d = np.linalg.norm(vertices[:, None] - vertices[None], axis=-1)\n    b0 = int((d > 0).sum())\n"

RESULTS = [
    pytest.param("return [b0, 0]", "b0, b1, _", "return [b0, b1]", id="a list of two"),
    pytest.param("return b0, 0", "b0, b1, _", "return (b0, b1)", id="a tuple"),
    pytest.param("return (b0, 0, 0)", "b0, b1, b2", "return (b0, b1, b2)", id="three"),
    pytest.param("out = [b0, 1.0]\n    return out", "b0, b1, _", "return [b0, b1]", id="a name"),
    pytest.param("return np.array([b0, 1])", "b0, b1, _", "return np.array([b0, b1])", id="an array"),
]


@pytest.mark.parametrize(("result", "unpacked", "returned"), RESULTS)
def test_a_computation_out_of_distances_asks_the_cells_in_its_own_form(tmp_path, result, unpacked, returned):
    text = f'import numpy as np\n\n\ndef betti(vertices):\n    """Numbers."""\n{BODY}    {result}\n'
    still = "import numpy as np\n" if "np." in returned else ""  # what nothing uses any more goes
    assert after(tmp_path, text) == (
        f"{still}from python.core.torus_cells import get_torus_cells\n\n\n"
        'def betti(vertices):\n    """Numbers."""\n'
        f"    {unpacked} = get_torus_cells().compute_betti(vertices)  # toriwork: betti_cells\n    {returned}\n"
    )


def test_one_number_is_the_one_that_the_name_says(tmp_path):
    text = f"import numpy as np\n\n\ndef betti1(vertices):\n{BODY}    return b0\n"
    assert "b1 = get_torus_cells().compute_betti(vertices)[1]" in after(tmp_path, text)


def test_another_threshold_than_the_own_one_is_refused_from_now_on(tmp_path):
    text = f"import numpy as np\n\n\ndef betti(vertices, threshold=0.01):\n{BODY}    return [b0, 0]\n"
    body = after(tmp_path, text).partition("def betti")[2]
    assert body.startswith(
        "(vertices, threshold=0.01):\n    if threshold != 0.01:  # toriwork: betti_cells\n        raise Va"
    )
    space: dict[str, object] = {"get_torus_cells": lambda: SimpleNamespace(compute_betti=lambda _: (1.0, 0.0, 0.0))}
    exec(f"def betti{body}", space)
    assert space["betti"]([]) == [1.0, 0.0]
    with pytest.raises(ValueError, match=r"threshold: expected 0\.01"):
        space["betti"]([], threshold=0.5)


OWN_ARGUMENTS = [
    pytest.param("points, eps=0.1", "eps", id="a scale"),
    pytest.param("points, *, field=2", "field", id="a field"),
    pytest.param("points, max_dimension=1", "max_dimension", id="a dimension"),
    pytest.param("points, threshold=0.01, metric='euclidean'", "threshold", id="a metric beside a threshold"),
    pytest.param("points, threshold=EPS", "threshold", id="a threshold that is kept elsewhere"),
    pytest.param("points, **options", "options", id="options"),
    pytest.param("self, points", "self.eps", id="an attribute"),
]


@pytest.mark.parametrize(("arguments", "told"), OWN_ARGUMENTS)
def test_what_changes_the_answer_lets_a_function_stay_and_is_told(tmp_path, arguments, told):
    body = BODY.replace("vertices", "points").replace("d > 0", "d > self.eps" if "self" in arguments else "d > 0")
    found = rewritten(tmp_path, f"import numpy as np\n\n\ndef betti({arguments}):\n{body}    return [b0, 0]\n")
    assert (found.after, found.manual) == (found.before, ())
    assert [(note.line, f"betti stays: {told} changes" in note.why) for note in found.notes] == [(4, True)]


def test_guards_at_the_head_stay(tmp_path):
    guard = "    n = len(vertices)\n    if n < 3:\n        return [n, 0]\n"
    text = f"import numpy as np\n\n\ndef betti(vertices):\n{guard}{BODY}    return [b0, 0]\n"
    assert f"{guard}    b0, b1, _" in after(tmp_path, text)


LEFT_ALONE = [
    pytest.param("def betti(vertices):\n    return cells.compute_betti(vertices)\n", id="it asks already"),
    pytest.param("def betti_text(points):\n    return str(points)\n", id="nothing is computed"),
    pytest.param("def distances(points):\n    return norm(points)\n", id="no Betti numbers"),
    pytest.param("def betti(path):\n    return [norm(path), 0]\n", id="no points"),
]


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_what_computes_no_betti_numbers_is_left_alone(tmp_path, text):
    found = rewritten(tmp_path, text)
    assert (found.after, found.manual) == (found.before, ())


TOLD = [
    pytest.param("def betti(points):\n    d = norm(points)\n    return summary_of(d)\n", id="a form that nobody knows"),
    pytest.param(
        "def betti(points):\n    d = norm(points)\n    return [d, 0] if d else (d, 0)\n", id="two forms at once"
    ),
    pytest.param('def betti(points):\n    d = norm(points)\n    return {"b0": d}\n', id="a dict"),
    pytest.param(
        "def betti(points, scale):\n    d = norm(points)\n    return [d, 0]\n", id="a scale without a default"
    ),
]


@pytest.mark.parametrize("text", TOLD)
def test_what_cannot_be_told_is_reported_with_its_line(tmp_path, text):
    found = rewritten(tmp_path, text)
    assert found.after == found.before
    (finding,) = found.manual
    assert finding.recipe == "betti_cells"
    assert finding.line == 1
    assert "By hand: get_torus_cells().compute_betti(points)" in finding.why


@pytest.mark.parametrize(
    "call", ["betti(p, 0.5)", "module.betti(p, threshold=2)", "betti(*args)", "self.betti(p, **more)"]
)
def test_a_scale_that_somebody_hands_it_leaves_it_to_a_person(tmp_path, call):
    text = f"import numpy as np\n\n\ndef betti(points, threshold=0.1):\n{BODY}    return [b0, 0]\n"
    found = rewritten(tmp_path, text.replace("vertices", "points"), user=f"{call}\n")
    assert found.after == found.before
    (finding,) = found.manual
    assert (finding.line, "user.py hands it more than points" in finding.why) == (4, True)
