"""Moves of the DiagramExplorer in a browser, by the page's own clock, against a matplotlib figure drawn anew."""

from __future__ import annotations

import base64
import shutil
import statistics
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.paired_rounds import seconds
from benchmarks.report import Line, Target, compare, progress
from benchmarks.sizes import Size
from benchmarks.topology import circle
from toriwork.plots.explorer import explorer_png
from toriwork.widgets import DiagramExplorer

#: number of points -> milliseconds that a move may take: a frame of the screen, and what still follows a hand
BOUNDS = {400: 16.0, 2000: 50.0}
MOVES = 200
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

PAGE = """<body style="background:#fff"><toriwork-live data-key="KEY"></toriwork-live></body>"""
#: a model as anywidget hands it to a module, without a kernel behind it
START = """async ([source, state, binary]) => {
    for (const [name, text] of Object.entries(binary))
        state.data[name] = new DataView(Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0)).buffer);
    const set = (name, value) => (state[name] = value);
    const model = {get: (name) => state[name], set, save_changes() {}, on() {}, off() {}};
    const url = URL.createObjectURL(new Blob([source], {type: "text/javascript"}));
    (await import(url)).default.initialize({model});
    await new Promise((next) => setTimeout(next, 300));
}"""
#: reading a pixel makes the browser finish what it only wrote down
MOVE = """async (moves) => {
    const {view, shadowRoot} = document.querySelector("toriwork-live");
    const slider = shadowRoot.querySelector("input.scale");
    const found = [];
    for (let i = 0; i < moves; i++) {
        slider.value = (i * 7) % 500;
        slider.dispatchEvent(new Event("input"));
        await new Promise((next) => requestAnimationFrame(() => setTimeout(next)));
        const begun = performance.now();
        for (const canvas of view.node.querySelectorAll("canvas")) canvas.getContext("2d").getImageData(0, 0, 1, 1);
        found.push(view.milliseconds + performance.now() - begun);
    }
    return found;
}"""


def run(folder: Path, size: Size) -> tuple[Line, ...]:
    """A line per number of points: milliseconds of one move of the slider; none where there is no Chromium."""
    del folder  # nothing is written
    if CHROMIUM is None:
        progress("explorer: no Chromium here, nothing was measured")
        return ()
    from playwright.sync_api import sync_playwright

    rounds, moves = max(size.rounds, 2), MOVES if size.rounds > 1 else MOVES // 10
    lines = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for n_points, bound in BOUNDS.items() if size.rounds > 1 else list(BOUNDS.items())[:1]:
            cloud = circle(np.random.default_rng(0), n_points)
            with DiagramExplorer(cloud) as explorer:
                page = browser.new_page(viewport={"width": 1100, "height": 900})
                start(page, explorer)
                page.evaluate(MOVE, moves)
                before = held(page)
                ours = [statistics.median(page.evaluate(MOVE, moves)) for _ in range(rounds)]
                growth = held(page) - before
                page.close()
                state = explorer.state
                draw = partial(explorer_png, state.points, state.diagram, state.moment)
                plain = [1000 * seconds(draw) for _ in range(rounds)]
            title = f"one move of the explorer, {n_points} points"
            target = Target("at most", bound, of="ours")
            lines.append(compare(title, ours, "plain matplotlib", plain, "ms", target))
            progress(f"{title}: {rounds * moves} moves left {growth / 1000:.0f} kB more in the page's heap")
        browser.close()
    return tuple(lines)


def start(page: Any, explorer: DiagramExplorer) -> None:
    """Show the explorer on an empty page, as its module draws it."""
    front = explorer.widget
    binary = {name: base64.b64encode(value).decode() for name, value in front.data.items() if isinstance(value, bytes)}
    data = {name: value for name, value in front.data.items() if name not in binary}
    state = {"key": "KEY", "styles": front.styles, "data": data, "scale": front.scale, "selection": [], "highlight": {}}
    page.set_content(PAGE)
    source = front._esm  # noqa: SLF001 - the module as the browser gets it
    page.evaluate(START, [source, state, binary])


def held(page: Any) -> float:
    """The bytes of the page's heap after a collection."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    session.send("HeapProfiler.collectGarbage")
    found = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    session.detach()
    return float(found["JSHeapUsedSize"])
