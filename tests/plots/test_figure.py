"""A picture shows itself with alt text and numbers, the same bytes each time, and leaves nothing behind."""

from __future__ import annotations

import html
import re
import subprocess
import sys
import threading
from html.parser import HTMLParser

import matplotlib as mpl
import numpy as np
import pytest

from toriwork import plots
from toriwork.errors import BadInput
from toriwork.plots import Panel, TextAlternative, picture, plot_cloud, plot_diagram, style
from toriwork.topology import Diagram

SQUARE = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])


class Balance(HTMLParser):
    """Collects tags and complains when they do not nest."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.images: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag == "img":
            self.images.append(dict(attrs))
        else:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parsed(text: str) -> Balance:
    parser = Balance()
    parser.feed(text)
    assert parser.open == []
    return parser


def test_every_plot_function_has_a_describe_function() -> None:
    for name in plots.__all__:
        if name.startswith("plot_"):
            plot, describe = getattr(plots, name), getattr(plots, name.replace("plot_", "describe_"))
            assert plot.__module__ == describe.__module__


def test_a_picture_shows_html_with_alt_text_caption_and_tables(diagram: Diagram) -> None:
    shown = picture(Panel(plot_cloud, SQUARE, "Cloud"), Panel(plot_diagram, diagram, "Diagram"), caption="A <square>")
    bundle = shown._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    tree = parsed(bundle["text/html"])
    assert tree.seen[:3] == ["figure", "img", "figcaption"]
    assert tree.seen.count("table") == tree.seen.count("caption") == 2
    assert tree.images[0]["alt"] == shown.alt
    assert "Diagram: Persistence diagram of 6 bars" in shown.alt
    assert "<figcaption>A &lt;square&gt;</figcaption>" in bundle["text/html"]
    assert 'scope="col"' in bundle["text/html"]
    assert 'scope="row"' in bundle["text/html"]


def test_the_plain_text_carries_the_same_numbers_as_the_tables(diagram: Diagram) -> None:
    shown = picture(Panel(plot_diagram, diagram), caption="x")
    cells = re.findall(r"<(?:td|th)[^>]*>([^<]*)</", shown.to_html())
    assert cells
    for cell in cells:
        assert html.unescape(cell) in repr(shown)


def test_the_bundle_gives_a_bare_picture_when_it_is_asked_for_and_leaves_out_what_is_not_wanted() -> None:
    shown = picture(Panel(plot_cloud, SQUARE), caption="x")
    assert shown._repr_mimebundle_(include={"image/png"}) == {"image/png": shown.png()}
    assert set(shown._repr_mimebundle_(exclude={"text/html"})) == {"text/plain"}


def test_the_png_is_the_same_each_time_and_whatever_the_users_settings(diagram: Diagram) -> None:
    first = picture(Panel(plot_diagram, diagram), caption="x").png()
    assert first.startswith(b"\x89PNG")
    with mpl.rc_context({"font.size": 30, "savefig.dpi": 20, "axes.facecolor": "red", "lines.linewidth": 9}):
        again = picture(Panel(plot_diagram, diagram), caption="x")
        assert again.png() == again.png() == first


def test_neither_a_picture_nor_a_plot_with_axes_loads_pyplot() -> None:
    code = (
        "import sys, numpy as np, toriwork.plots as p\n"
        "assert 'matplotlib' not in sys.modules\n"
        "p.picture(p.Panel(p.plot_cloud, np.eye(3)), caption='x').png()\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_axes_pyplots_current_ones_are_used(diagram: Diagram) -> None:
    from matplotlib import pyplot as plt

    plt.switch_backend("agg")
    figure, (left, right) = plt.subplots(1, 2)
    try:
        plt.sca(left)
        assert plot_diagram(diagram) is left
        plt.sca(right)
        assert plot_cloud(SQUARE) is right
    finally:
        plt.close(figure)


def test_the_style_gives_the_settings_back_even_after_an_error() -> None:
    before = dict(mpl.rcParams)
    with pytest.raises(ZeroDivisionError), style():
        _ = 1 / int(mpl.rcParams["axes.spines.top"])  # False in the house style
    assert dict(mpl.rcParams) == before


def test_pictures_made_in_several_threads_do_not_mix_their_settings(diagram: Diagram) -> None:
    alone = picture(Panel(plot_diagram, diagram), caption="x").png()
    made: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: made.append(picture(Panel(plot_diagram, diagram), caption="x").png()))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [alone] * 4


def test_a_plot_function_of_the_users_own_needs_words(diagram: Diagram) -> None:
    def plot_nothing(data: object, *, ax: object) -> object:
        return ax

    with pytest.raises(BadInput, match="expected describe="):
        picture(Panel(plot_nothing, None), caption="x")
    own = Panel(plot_nothing, None, describe=lambda data: TextAlternative("Nothing.", ("a",), ()))
    assert picture(own, caption="x").alt == "Nothing."
    with pytest.raises(BadInput, match="at least one panel"):
        picture(caption="x")


def test_options_reach_both_the_picture_and_its_words(diagram: Diagram) -> None:
    shown = picture(Panel(plot_diagram, diagram, options={"min_persistence": 0.1}), caption="x")
    assert "Not shown: bars up to 0.1 long" in shown.alt
    assert any("not shown" in text.get_text() for text in shown.figure.axes[0].texts)
