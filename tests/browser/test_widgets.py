"""The widgets in a real JupyterLab: driven by mouse and keyboard, saved, reopened without a kernel, exported.

One server and one page for all; tests follow each other in the order of the file.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest

from tests.browser.lab import AXE, CHROMIUM, QUIET, Lab, command, running_lab, shot
from toriwork.samples import load_sample
from toriwork.widgets import ExplorerState

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: `apt-get install chromium` for these tests")

NOTEBOOK = "widgets.ipynb"
EXPLORER, SPACE, BROWSER, CONTEXT, PANEL, ASKED = range(6)
FIRST = """from toriwork import DiagramExplorer
from toriwork.samples import load_sample
explorer = DiagramExplorer(load_sample("figure_eight"))
explorer"""
REGISTRY = """import numpy as np
from toriwork import MonitorPanel, RegistryBrowser, TokenContextExplorer, TorusRegistry
registry = TorusRegistry("browser.parquet", compute_betti=False)
for n in range(30):
    cloud = np.random.default_rng(n).normal(size=(20 + n, 2))
    _ = registry.record_shape(cloud, (1 + n, n % 2), ("local", "global")[n % 2], metadata={"run": n, "who": "Ada"})
browser = RegistryBrowser(registry)
browser"""
TOKENS = """from toriwork import ObserverSynthesis
observers = ObserverSynthesis()
for n in range(60):
    token = observers.emit_token({"source": f"s{n % 3}", "type": "x", "subject": f"c{n}", "value": n})
    observers.add_to_context(token)
context = TokenContextExplorer(observers)
context"""
MONITORS = """from toriwork import CurvatureAwareGuard
guard = CurvatureAwareGuard(synthesis=observers)
panel = MonitorPanel(guard)
panel"""
LAST = """_ = guard.check_eigenvalues([0.5, 0.1], np.zeros(9))
print(explorer.selection.tolist(), explorer.state.scale, explorer.text.sentence, sep="\\n")"""
SOURCES = (
    FIRST,
    "DiagramExplorer(load_sample('torus'))",
    REGISTRY,
    TOKENS,
    MONITORS,
    LAST,
)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield started
        started.close()


@pytest.fixture(scope="module")
def page(lab: Lab, browser: Any) -> Any:
    """The notebook with its widgets live."""
    lab.write(NOTEBOOK, SOURCES)
    shown = lab.watch(browser.new_page(viewport={"width": 1600, "height": 1000}))
    lab.open(shown, NOTEBOOK)
    lab.run_all(shown)
    shot(shown, "started")
    shown.locator("toriwork-live .toriwork").nth(PANEL).wait_for()
    return shown


@pytest.fixture(autouse=True)
def _no_console_complains(lab: Lab) -> Iterator[None]:
    lab.complaints.clear()
    yield
    assert lab.complaints == []


def view(page: Any, number: int) -> Any:
    found = page.locator("toriwork-live .toriwork").nth(number)  # the still, which is there too, is left alone
    found.scroll_into_view_if_needed()
    return found


def status_has(page: Any, widget: Any, words: str) -> None:
    page.wait_for_function(
        "([view, words]) => view.querySelector('.status').textContent.includes(words)",
        arg=[widget.element_handle(), words],
    )


def told_by_kernel(page: Any) -> list[str]:
    """The lines that the last cell prints, run again."""
    place = f".jp-Notebook-cell:has-text('{'print(explorer.selection'}')"
    prompt = page.inner_text(f"{place} .jp-InputPrompt")
    page.click(f"{place} .cm-content")
    command(page, "notebook:run-cell")
    page.wait_for_function(
        "([place, before]) => { const now = document.querySelector(place).innerText;"
        " return now !== before && /\\[\\d+\\]/.test(now) }",
        arg=[".jp-Notebook-cell:nth-of-type(6) .jp-InputPrompt", prompt],
    )
    return page.inner_text(f"{place} .jp-OutputArea-output").splitlines()


def saved(page: Any, lab: Lab) -> nbformat.NotebookNode:
    """The notebook as it is in the file after a save."""
    before = (lab.folder / NOTEBOOK).stat().st_mtime_ns
    command(page, "docmanager:save")
    for _ in range(100):
        page.wait_for_timeout(100)
        if (lab.folder / NOTEBOOK).stat().st_mtime_ns != before:
            page.wait_for_timeout(500)  # it is written in place
            break
    return nbformat.read(lab.folder / NOTEBOOK, as_version=4)


def violations(page: Any) -> list[str]:
    """What axe-core finds wrong with the widgets that are shown."""
    page.add_script_tag(path=AXE)
    found = page.evaluate("axe.run('toriwork-live', {resultTypes: ['violations']})")["violations"]
    return [f"{one['id']}: {node['html']} {node['failureSummary']}" for one in found for node in one["nodes"]]


def test_the_explorer_follows_the_keyboard_without_the_kernel(page: Any) -> None:
    widget = view(page, EXPLORER)
    slider = widget.get_by_role("slider", name="Scale (diameter)")
    slider.focus()
    before = slider.input_value()
    for _ in range(12):
        page.keyboard.press("ArrowRight")
    assert int(slider.input_value()) == int(before) + 12
    assert page.locator(".jp-Notebook-cell.jp-mod-active").count() == 1
    scale = float(widget.locator(".readout").inner_text())
    status_has(page, widget, f"At scale {scale:.3g} (diameter)")
    widget.get_by_role("button", name="Scale of the event after").press("Enter")
    status_has(page, widget, "At scale 1.66 (diameter): Betti numbers H0 1, H1 1.")
    page.keyboard.press("d")  # two of them would delete the cell, were they the notebook's
    page.keyboard.press("d")
    assert page.locator(".jp-Notebook-cell").count() == len(SOURCES)


def test_a_click_on_a_bar_shows_its_cycle_and_a_lasso_selects_points(page: Any) -> None:
    widget = view(page, EXPLORER)
    bars = widget.get_by_role("img", name="Barcode")
    box = bars.bounding_box()
    bars.hover(position={"x": box["width"] / 2, "y": 22})
    widget.locator(".tip", has_text="H1: 0.161 to 1.67").wait_for()
    bars.click(position={"x": box["width"] / 2, "y": 22})
    status_has(page, widget, "Highlighted: a class of H1, loop through")
    assert widget.get_by_role("combobox", name="Highlight").input_value() != "-1"
    widget.get_by_role("button", name="Lasso").click()
    cloud = widget.get_by_role("application").bounding_box()
    corners = ((0.1, 0.02), (0.52, 0.02), (0.52, 0.85), (0.1, 0.85))
    for number, (x, y) in enumerate(corners):
        page.mouse.move(cloud["x"] + x * cloud["width"], cloud["y"] + y * cloud["height"])
        if not number:
            page.mouse.down()
    page.mouse.up()
    widget.locator(".selected", has_text="points selected").wait_for()
    shot(page, "explorer-light-1600")
    selection, scale, sentence = told_by_kernel(page)
    points = load_sample("figure_eight")[eval(selection)]
    assert 40 < len(points) < 100
    assert (points[:, 0] < 0.3).all()
    assert ExplorerState(load_sample("figure_eight"), scale=float(scale)).text.sentence in sentence
    assert "Highlighted: a class of H1, loop through" in sentence


def test_a_cloud_in_space_is_turned_by_mouse_and_keys(page: Any) -> None:
    widget = view(page, SPACE)
    cloud = widget.get_by_role("application")
    front = cloud.screenshot()
    box = cloud.bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 260, box["y"] + 180, steps=4)
    page.mouse.up()
    page.wait_for_timeout(100)
    turned = cloud.screenshot()
    assert turned != front
    cloud.press("ArrowUp")
    page.wait_for_timeout(100)
    assert cloud.screenshot() not in (front, turned)
    shot(page, "explorer-space")
    cloud.press("0")
    page.mouse.move(box["x"] + 200, box["y"] - 30)
    page.wait_for_timeout(100)


def test_a_row_of_the_registry_is_chosen_sorted_and_filtered(page: Any) -> None:
    widget = view(page, BROWSER)
    chosen = widget.locator("tr[aria-selected=true]")
    facts = widget.locator(".facts")
    widget.locator("tbody tr").nth(3).click()
    facts.get_by_text("26", exact=True).wait_for()
    assert chosen.locator("th").inner_text() == "4"
    assert "Ada" in facts.inner_text()
    page.keyboard.press("ArrowDown")
    widget.locator("tr[aria-selected=true]", has_text="5").wait_for()
    widget.get_by_title("Sort by b0").click()
    widget.locator("tbody tr").first.get_by_role("rowheader", name="30", exact=True).wait_for()
    since = widget.get_by_role("textbox", name="Since")
    since.fill("never")
    since.press("Enter")
    alert = widget.get_by_role("alert")
    alert.filter(has_text="Not possible: since").wait_for()
    assert since.get_attribute("aria-invalid") == "true"
    shot(page, "browser-refused")
    since.fill("")
    since.press("Enter")
    widget.get_by_role("combobox", name="Band").select_option("global")
    status_has(page, widget, "15 of 30 rows match")
    b1 = widget.get_by_role("textbox", name="b1")
    b1.fill("7-")
    b1.press("Tab")
    widget.get_by_text("No row matches.").wait_for()
    shot(page, "browser-empty")
    widget.get_by_role("button", name="Clear filters").click()
    status_has(page, widget, "30 of 30 rows match")


def test_a_budget_chooses_tokens_and_a_panel_follows(page: Any) -> None:
    widget = view(page, CONTEXT)
    slider = widget.get_by_role("slider")
    slider.fill("600")
    status_has(page, widget, "over the budget")
    widget.get_by_role("combobox", name="Source").select_option("s1")
    status_has(page, widget, "20 of the newest 60 emissions match")
    widget.get_by_title("Sort by subject").click()
    assert widget.locator("tbody tr").first.locator("td").nth(3).inner_text() == "c1"
    shot(page, "context")
    panel = view(page, PANEL)
    panel.get_by_role("checkbox", name="Follow").check()
    told_by_kernel(page)
    status_has(page, panel, "guard: 3 checks")
    shot(page, "panel")
    panel.get_by_role("checkbox", name="Follow").uncheck()


MOVES = """async (view) => {
    const slider = view.querySelector('input.scale');
    for (let i = 0; i < 200; i++) {
        slider.value = (i * 37) % 500;
        slider.dispatchEvent(new Event('input'));
        await new Promise((next) => requestAnimationFrame(next));
    }
}"""
#: what the kernel answers to a move, without its waiting
ANSWERS = """(view) => {
    const model = view.getRootNode().host.view.entry.model;
    const before = model.get('data');
    for (let i = 0; i < 200; i++) model.set('data', {...before, sentence: `move ${i}`});
    if (view.querySelector('.status').textContent !== 'move 199') throw new Error('not shown');
    model.set('data', before);
}"""


@pytest.mark.parametrize(
    ("number", "moves"),
    [(EXPLORER, MOVES), (BROWSER, ANSWERS), (CONTEXT, ANSWERS), (PANEL, ANSWERS)],
    ids=["explorer", "browser", "context", "panel"],
)
def test_200_moves_leave_nothing_behind(page: Any, number: int, moves: str) -> None:
    widget = view(page, number)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")

    def counts() -> dict[str, float]:
        session.send("HeapProfiler.collectGarbage")
        found = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
        return {name: found[name] for name in ("Nodes", "JSEventListeners", "JSHeapUsedSize")}

    widget.evaluate(moves)
    page.wait_for_timeout(300)
    before = counts()
    widget.evaluate(moves)
    page.wait_for_timeout(300)
    after = counts()
    assert after["Nodes"] <= before["Nodes"] + 20
    assert after["JSEventListeners"] <= before["JSEventListeners"] + 5
    assert after["JSHeapUsedSize"] < before["JSHeapUsedSize"] + 3e6


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_it_is_legible_and_has_names_in_either_theme_at_700_pixels(page: Any, theme: str) -> None:
    command(page, "apputils:change-theme", theme=theme)
    dark = theme.endswith("Dark")
    page.wait_for_function(f"document.body.dataset.jpThemeLight === '{str(not dark).lower()}'")
    page.set_viewport_size({"width": 700, "height": 1000})
    page.wait_for_timeout(600)
    for number in range(ASKED):
        widget = view(page, number)
        page.wait_for_timeout(200)
        shot(page, f"widget-{number}-{'dark' if dark else 'light'}-700")
        assert widget.evaluate("(view) => view.scrollWidth <= view.clientWidth")
        if number in (BROWSER, CONTEXT, PANEL):
            assert ground_of_picture(widget.locator("img.picture")) == ("dark" if dark else "light")
    assert violations(page) == []
    page.set_viewport_size({"width": 1600, "height": 1000})
    page.wait_for_timeout(300)
    assert violations(page) == []
    shot(page, f"widgets-{'dark' if dark else 'light'}-1600")


def ground_of_picture(image: Any) -> str:
    """Whether what one sees of a picture is dark or light, most of it."""
    from matplotlib.image import imread

    seen = imread(io.BytesIO(image.screenshot()))[..., :3].mean(axis=2)
    return "dark" if np.median(seen) < 0.2 else "light" if np.median(seen) > 0.8 else "grey"


def still(cell: Any) -> str:
    """The HTML that a saved cell shows."""
    return next(one["data"]["text/html"] for one in cell.outputs if "data" in one)


def assert_one_still_each(page: Any, sentences: list[str]) -> None:
    """Exactly one picture per widget, of these moments; no live view and no error line."""
    pictures = page.locator("figure img[alt]")
    pictures.nth(len(sentences) - 1).wait_for(state="attached")
    assert [pictures.nth(number).get_attribute("alt") for number in range(pictures.count())] == sentences
    assert page.evaluate("[...document.querySelectorAll('figure img')].every((one) => one.naturalWidth > 300)")
    assert page.locator("canvas[role=application]").count() == 0
    assert page.locator("figure + details").count() == len(sentences)
    assert "Error displaying" not in page.inner_text("body")


def test_a_saved_notebook_shows_where_one_was_without_a_kernel(page: Any, lab: Lab, browser: Any) -> None:
    command(page, "apputils:change-theme", theme="JupyterLab Light")
    widget = view(page, EXPLORER)
    slider = widget.get_by_role("slider", name="Scale (diameter)")
    slider.fill("100")
    slider.focus()
    status_has(page, widget, "At scale 0.354 (diameter)")
    notebook = saved(page, lab)
    assert slider.evaluate("(node) => node.getRootNode().activeElement === node")  # a save takes nobody's focus
    plain = [cell.outputs[0]["data"]["text/plain"] for cell in notebook.cells[:ASKED]]
    assert "15 of 30" not in plain[BROWSER]
    alts = re.findall(r'<img alt="([^"]*)"', "".join(map(still, notebook.cells[:ASKED])))
    sentences = [unescape(alt) for alt in alts]
    assert len(sentences) == ASKED
    state = ExplorerState(load_sample("figure_eight"))
    state.move_to(state.low + 0.2 * (state.high - state.low))
    lives = np.diff(state.diagram.in_dimension(1)).ravel()
    state.choose(1, int(lives.argmax()))
    assert plain[EXPLORER] == f"DiagramExplorer: {state.text.to_text()}"  # the browser's words are those of Python
    assert sentences[EXPLORER] == state.text.sentence
    assert "widgets" not in notebook.metadata
    kinds = {kind for cell in notebook.cells[:ASKED] for kind in cell.outputs[0]["data"]}
    assert kinds == {"text/html", "text/plain"}
    page.reload()  # the kernel lives on, and so do the views, where one was
    view(page, PANEL).wait_for()
    status_has(page, view(page, EXPLORER), sentences[EXPLORER][:40])
    assert page.locator("toriwork-live .toriwork").count() == ASKED
    assert "Error displaying" not in page.inner_text("body")
    page.evaluate("window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel.restart()")
    page.wait_for_function("!document.querySelector('toriwork-live').view")
    assert_one_still_each(page, sentences)
    page.close()
    lab.end_kernels()
    notebook.cells[ASKED].source += "  # written by somebody else: nobody trusts it"
    nbformat.write(notebook, lab.folder / "untrusted.ipynb")
    for name in (NOTEBOOK, "untrusted.ipynb"):
        opened = lab.watch(browser.new_page(viewport={"width": 1280, "height": 900}))
        lab.open(opened, name)
        assert_one_still_each(opened, sentences)
        opened.locator("figure img").first.scroll_into_view_if_needed()
        shot(opened, f"reopened-{Path(name).stem}")
        opened.close()


def test_an_export_shows_the_same_stills(lab: Lab, browser: Any) -> None:
    from nbconvert import HTMLExporter

    html, _ = HTMLExporter(template_name="lab").from_filename(lab.folder / NOTEBOOK)
    exported = lab.folder / "widgets.html"
    exported.write_text(html, encoding="utf-8")
    opened = lab.watch(browser.new_page(viewport={"width": 700, "height": 900}))
    opened.route(re.compile("^https?:"), lambda route: route.fulfill(body=""))  # of libraries that no widget needs
    opened.goto(exported.as_uri())
    sentences = [unescape(alt) for alt in re.findall(r'<img alt="([^"]*)"', html)]
    assert len(sentences) == ASKED
    assert_one_still_each(opened, sentences)
    shot(opened, "exported-700")
    opened.close()
