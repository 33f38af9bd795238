"""Draw the pictures of README and docs/explanation: first_look.png and three_numbers.png in docs/images."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from toriwork.plots import Panel, picture, plot_barcode, plot_betti_curves, plot_cloud, plot_diagram, style
from toriwork.samples import load_sample
from toriwork.topology import persistence

IMAGES = Path(__file__).parent.parent / "docs" / "images"


def first_look() -> None:
    """Two sample clouds, their diagrams and bars."""
    panels = []
    for name in ("figure_eight", "two_circles"):
        cloud = load_sample(name)
        diagram = persistence(cloud, max_dimension=1)
        panels.append(Panel(plot_cloud, cloud, name.replace("_", " ")))
        panels.append(Panel(plot_diagram, diagram, "diagram"))
        panels.append(Panel(plot_barcode, diagram, "bars"))
    drawn = picture(*panels, caption="two sample clouds, their persistence diagrams and barcodes")
    (IMAGES / "first_look.png").write_bytes(drawn.png())


def three_numbers() -> None:
    """A cloud, its Betti curves with two scales r, and its bars with a threshold t."""
    cloud = load_sample("figure_eight")
    diagram = persistence(cloud, max_dimension=1)
    with style():
        figure = Figure(figsize=(9.6, 3.2), layout="constrained")
        left, middle, right = figure.subplots(1, 3)
        plot_cloud(cloud, ax=left).set_title("the cloud: a space with two loops")
        plot_betti_curves(diagram, ax=middle, dimensions=(1,)).set_title("loops alive at the scale r", pad=18)
        plot_barcode(diagram, ax=right, dimensions=(1,)).set_title("bars longer than t = 0.1", pad=18)
    middle.set_yscale("linear")
    middle.set_yticks(range(4), ["0", "1", "2", "3"])
    if legend := middle.get_legend():
        legend.remove()
    for scale, height in ((0.17, 2.7), (0.5, 0.5)):
        middle.axvline(scale, color="#222222", linewidth=1, linestyle=":")
        middle.annotate(
            f"r = {scale}: {diagram.betti(scale)[1]}", (scale, height), xytext=(4, 0), textcoords="offset points"
        )
    figure.savefig(IMAGES / "three_numbers.png", dpi=150, bbox_inches="tight")


if __name__ == "__main__":
    first_look()
    three_numbers()
