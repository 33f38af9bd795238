"""A diagram draws itself, whoever computed it, and is saved for a paper."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import gudhi
import numpy as np
import pytest
import ripser
from matplotlib.figure import Figure

from toriwork import estimate_betti, persistence, plots
from toriwork.errors import BadInput
from toriwork.plots import describe_diagram, picture_of, plot_barcode
from toriwork.plots.kinds import KINDS
from toriwork.topology import as_diagram, to_frame, to_gudhi, to_ripser

ANGLES = np.linspace(0, 2 * np.pi, 30, endpoint=False)
CIRCLE = np.c_[np.cos(ANGLES), np.sin(ANGLES)]
MADE = persistence(CIRCLE)
SHOWN = MADE.plot()


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_the_figure_of_that_name(kind: str) -> None:
    shown = MADE.plot(kind, size_mm=(50, 50))
    assert shown.texts == (getattr(plots, f"describe_{kind}")(MADE),)
    assert "(rips, scale = diameter, Z/2)" in shown.caption


def test_size_and_options_reach_the_figure() -> None:
    shown = persistence(CIRCLE).plot(size_mm=(127, 50.8), rule="default", title="T", min_persistence=0.1)
    assert tuple(shown.figure.get_size_inches()) == (5.0, 2.0)
    assert shown.figure.axes[0].get_title("left") == "T"
    assert "features by rule" in shown.alt.lower()


def test_another_kind_is_refused_by_name() -> None:
    with pytest.raises(BadInput, match="expected one of diagram, barcode, betti_curves, landscape, image, got 'pie'"):
        persistence(CIRCLE).plot("pie")


INPUTS = {
    "a diagram": MADE,
    "an estimate": estimate_betti(CIRCLE),
    "a frame": to_frame(MADE),
    "an array for each dimension": to_ripser(MADE),
    "a tuple of lists": tuple(bars.tolist() for bars in to_ripser(MADE)),
    "gudhi's pairs": to_gudhi(MADE),
    "gudhi's own": gudhi.RipsComplex(points=CIRCLE).create_simplex_tree(2).persistence(),
    "ripser's dict": ripser.ripser(CIRCLE),
}


@pytest.mark.parametrize("given", INPUTS.values(), ids=INPUTS.keys())
def test_whatever_holds_a_diagram_is_drawn(given: Any) -> None:
    found = as_diagram(given)
    for k in (0, 1):
        np.testing.assert_allclose(np.sort(found.in_dimension(k), 0), np.sort(MADE.in_dimension(k), 0), atol=1e-6)
    for kind in KINDS:
        describe = getattr(plots, f"describe_{kind}")
        assert describe(given) == describe(found)
    plot_barcode(given, ax=Figure().add_subplot())


def test_where_nobody_tells_what_bars_are_of_nothing_is_claimed() -> None:
    assert "filtration and scale unknown" in describe_diagram(to_ripser(MADE)).sentence
    assert "Z/2" not in describe_diagram(to_gudhi(MADE)).sentence
    assert as_diagram(ripser.ripser(CIRCLE)).scale == "diameter"
    with pytest.raises(BadInput, match="got 'unknown'"):
        describe_diagram(to_ripser(MADE), rule="default")


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(CIRCLE, id="points"),
        pytest.param(np.zeros((4, 3)), id="a table of three columns"),
        pytest.param([np.zeros((4, 3))], id="arrays of three columns"),
        pytest.param([1, 2], id="numbers"),
        pytest.param([CIRCLE, 3], id="an array and a number"),
        pytest.param({"bars": []}, id="another dict"),
        pytest.param("diagram.npy", id="a name"),
        pytest.param(None, id="nothing"),
    ],
)
def test_anything_else_is_refused_in_one_sentence(given: Any) -> None:
    with pytest.raises(BadInput, match=r"diagram: expected a Diagram, a list .* persistence\(\) makes one"):
        picture_of(given)


def test_bars_that_are_none_are_refused_by_row() -> None:
    with pytest.raises(BadInput, match="dies before it is born"):
        as_diagram([(1, (2.0, 1.0))])
    assert len(as_diagram([])) == 0


@pytest.mark.parametrize("ending", [".pdf", ".svg", ".png"])
def test_a_saved_picture_is_the_same_bytes_each_time_and_says_what_it_shows(tmp_path: Path, ending: str) -> None:
    shown, before = SHOWN, SHOWN.png()
    made = shown.save(tmp_path / f"fig{ending}", width_mm=85)
    again = shown.save(tmp_path / f"again{ending}", width_mm=85)
    assert made.read_bytes() == again.read_bytes()
    assert shown.png() == before  # saving changes nothing
    assert shown.caption.encode() in made.read_bytes() or ending == ".pdf"  # which has it in UTF-16


def test_a_pdf_is_a_vector_as_wide_as_asked_with_its_fonts_inside(tmp_path: Path) -> None:
    content = SHOWN.save(tmp_path / "fig.pdf", width_mm=85).read_bytes()
    assert b"/FontFile2" in content
    assert b"/Type3" not in content
    assert b"/Subtype /Image" not in content
    assert re.search(rb"/MediaBox \[ ?0 0 240\.94\d* ", content)  # 85 mm in points


def test_letters_keep_their_size_and_the_height_follows(tmp_path: Path) -> None:
    from PIL import Image

    with Image.open(MADE.plot(size_mm=(100, 50)).save(tmp_path / "fig.png", width_mm=50.8)) as saved:
        assert saved.size == (600, 300)


@pytest.mark.parametrize(
    ("name", "width", "words"),
    [
        ("fig.doc", None, r"ends with \.pdf, \.svg, \.png, got 'fig\.doc'"),
        ("fig", None, "got 'fig'"),
        ("nowhere/fig.pdf", None, "expected a folder that exists"),
        ("fig.pdf", 39, "at least 40 for 1 panels in a row, got 39"),
        ("fig.pdf", float("nan"), "got nan"),
    ],
)
def test_what_cannot_be_saved_is_refused(tmp_path: Path, name: str, width: float | None, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        SHOWN.save(tmp_path / name, width_mm=width)
    assert list(tmp_path.iterdir()) == []


def test_panels_in_a_row_need_room_each(tmp_path: Path) -> None:
    row = plots.picture(*[plots.Panel(plots.plot_cloud, CIRCLE)] * 3, caption="x")
    with pytest.raises(BadInput, match="at least 120 for 3 panels in a row, got 85"):
        row.save(tmp_path / "x.pdf", width_mm=85)
    assert row.save(tmp_path / "x.pdf", width_mm=120).is_file()
