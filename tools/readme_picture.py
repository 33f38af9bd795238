"""Draw docs/images/first_look.png: two sample clouds, their diagrams and bars, as the README shows them."""

from __future__ import annotations

from pathlib import Path

from toriwork.plots import Panel, picture, plot_barcode, plot_cloud, plot_diagram
from toriwork.samples import load_sample
from toriwork.topology import persistence

TARGET = Path(__file__).parent.parent / "docs" / "images" / "first_look.png"


def main() -> None:
    """Write the picture."""
    panels = []
    for name in ("figure_eight", "two_circles"):
        cloud = load_sample(name)
        diagram = persistence(cloud, max_dimension=1)
        panels.append(Panel(plot_cloud, cloud, name.replace("_", " ")))
        panels.append(Panel(plot_diagram, diagram, "diagram"))
        panels.append(Panel(plot_barcode, diagram, "bars"))
    drawn = picture(*panels, caption="two sample clouds, their persistence diagrams and barcodes")
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_bytes(drawn.png())


if __name__ == "__main__":
    main()
