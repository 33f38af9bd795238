"""Every figure takes the same style options, and each changes what it names and nothing else."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from toriwork import plots
from toriwork.errors import BadInput
from toriwork.plots import Panel, picture, plot_barcode, plot_betti_curves, plot_cloud, plot_diagram, plot_image
from toriwork.plots.options import STYLE_OPTIONS, TITLE_PAD
from toriwork.plots.style import LOOKS, look
from toriwork.topology import Diagram

FIGURES = [name for name in plots.__all__ if name.startswith("plot_")]


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_says_that_it_takes_them(name: str) -> None:
    plot = getattr(plots, name)
    parameters = inspect.signature(plot).parameters
    first, ax, *_ = parameters.values()
    assert (first.kind, ax.name, ax.default) == (first.POSITIONAL_OR_KEYWORD, "ax", None)
    assert [name for name in STYLE_OPTIONS if parameters[name].default is None] == list(STYLE_OPTIONS)
    assert "``colours``" in plot.__doc__


def test_title_and_names_of_axes_are_those_that_were_given(diagram: Diagram, axes: Axes) -> None:
    assert plot_diagram(diagram, ax=axes, title="Mine", xlabel="from", ylabel="to") is axes
    assert (axes.get_title("left"), axes.get_xlabel(), axes.get_ylabel()) == ("Mine", "from", "to")
    plot_diagram(diagram=diagram, ax=axes)
    assert axes.get_xlabel() == "birth (diameter)"


def test_a_colour_each_and_the_last_for_all_that_follow(diagram: Diagram, axes: Axes) -> None:
    plot_betti_curves(diagram, ax=axes, colours=["black", "#D55E00"])
    assert [to_hex(line.get_color()) for line in axes.get_lines()] == ["#000000", "#d55e00", "#d55e00"]
    assert look(0) == LOOKS[0]  # the house has its own back


def test_one_colour_does_for_clouds_and_images(diagram: Diagram) -> None:
    cloud, image = Figure().subplots(1, 2)
    plot_cloud(np.eye(2), ax=cloud, colours="green")
    assert to_hex(cloud.collections[0].get_facecolor()[0]) == "#008000"
    plot_image(diagram, ax=image, colours="green")
    colour_map = image.collections[0].get_cmap()
    assert [to_hex(colour_map(end)) for end in (0.0, 1.0)] == ["#ffffff", "#008000"]


@pytest.mark.parametrize("colours", ["blau", [], ["black", "blau"], [1, 2], [None]])
def test_what_is_no_colour_is_refused_and_the_house_has_its_own_back(diagram: Diagram, colours: Any) -> None:
    with pytest.raises(BadInput, match="colours: expected colours that matplotlib knows"):
        plot_barcode(diagram, ax=Figure().add_subplot(), colours=colours)
    assert look(1) == LOOKS[1]


def test_an_option_of_none_is_refused_by_python(diagram: Diagram, axes: Axes) -> None:
    with pytest.raises(TypeError, match="color"):
        plot_diagram(diagram, ax=axes, color="red")


def test_panels_take_them_and_the_text_alternative_stays(diagram: Diagram) -> None:
    plain = picture(Panel(plot_diagram, diagram), caption="x")
    own = picture(Panel(plot_diagram, diagram, options={"title": "T", "colours": "black", "ylabel": "y"}), caption="x")
    assert repr(own) == repr(plain)
    assert own.figure.axes[0].get_title("left") == "T"
    assert TITLE_PAD > 0
