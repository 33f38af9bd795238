"""The widgets in a real JupyterLab: driven by mouse and keyboard, saved, reopened without a kernel, exported.

One server and one page for all; tests follow each other in the order of the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.browser.lab import AXE, CHROMIUM, QUIET, Lab, command, running_lab, shot
from toriwork.samples import load_sample
from toriwork.widgets import ExplorerState

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: `apt-get install chromium` for these tests")

NOTEBOOK = "widgets.ipynb"
EXPLORER, SPACE, ASKED = range(3)
FIRST = """from toriwork import DiagramExplorer
from toriwork.samples import load_sample
explorer = DiagramExplorer(load_sample("figure_eight"))
explorer"""
SOURCES = (
    FIRST,
    "DiagramExplorer(load_sample('torus'))",
    "print(explorer.selection.tolist(), explorer.state.scale, explorer.text.sentence, sep='\\n')",
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
    for number in (EXPLORER, SPACE):
        shown.locator("toriwork-live .toriwork").nth(number).wait_for()
    return shown


@pytest.fixture(autouse=True)
def _no_console_complains(lab: Lab) -> Iterator[None]:
    lab.complaints.clear()
    yield
    assert lab.complaints == []


def view(page: Any, number: int) -> Any:
    found = page.locator("toriwork-live").nth(number)
    found.scroll_into_view_if_needed()
    return found


def status_has(page: Any, widget: Any, words: str) -> None:
    page.wait_for_function(
        "([host, words]) => host.shadowRoot.querySelector('.status').textContent.includes(words)",
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
        arg=[".jp-Notebook-cell:nth-of-type(3) .jp-InputPrompt", prompt],
    )
    return page.inner_text(f"{place} .jp-OutputArea-output").splitlines()


def saved(page: Any, lab: Lab) -> nbformat.NotebookNode:
    """The notebook as it is in the file after a save."""
    before = (lab.folder / NOTEBOOK).stat().st_mtime_ns
    command(page, "docmanager:save")
    for _ in range(100):
        page.wait_for_timeout(100)
        if (lab.folder / NOTEBOOK).stat().st_mtime_ns != before:
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


def test_moves_leave_nothing_behind(page: Any) -> None:
    widget = view(page, EXPLORER)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")

    def counts() -> dict[str, float]:
        session.send("HeapProfiler.collectGarbage")
        found = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
        return {name: found[name] for name in ("Nodes", "JSEventListeners", "JSHeapUsedSize")}

    move = """async (host) => {
        const slider = host.shadowRoot.querySelector('input.scale');
        for (let i = 0; i < 200; i++) {
            slider.value = (i * 37) % 500;
            slider.dispatchEvent(new Event('input'));
            await new Promise((next) => requestAnimationFrame(next));
        }
    }"""
    widget.evaluate(move)
    page.wait_for_timeout(500)
    before = counts()
    widget.evaluate(move)
    page.wait_for_timeout(500)
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
    for number in (EXPLORER, SPACE):
        widget = view(page, number)
        page.wait_for_timeout(200)
        shot(page, f"widget-{number}-{'dark' if dark else 'light'}-700")
        assert widget.evaluate("(host) => host.scrollWidth <= host.clientWidth")
    assert violations(page) == []
    page.set_viewport_size({"width": 1600, "height": 1000})
    page.wait_for_timeout(300)
    shot(page, f"widgets-{'dark' if dark else 'light'}-1600")


def assert_one_still_each(page: Any, sentences: list[str]) -> None:
    """Exactly one picture per widget, of these moments; no live view and no error line."""
    pictures = page.locator("figure img[alt]")
    pictures.nth(len(sentences) - 1).wait_for(state="attached")
    assert [pictures.nth(number).get_attribute("alt") for number in range(pictures.count())] == sentences
    assert page.evaluate("[...document.querySelectorAll('figure img')].every((one) => one.naturalWidth > 300)")
    assert page.locator("canvas[role=application]").count() == 0
    assert page.locator("figure + details table").count() == len(sentences)
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
    sentences = [text.splitlines()[0].removeprefix("DiagramExplorer: ") for text in plain]
    assert sentences[0].startswith("At scale 0.354 (diameter): Betti numbers H0 1, H1 2.")
    assert "widgets" not in notebook.metadata
    kinds = {kind for cell in notebook.cells[:ASKED] for kind in cell.outputs[0]["data"]}
    assert kinds == {"text/html", "text/plain"}
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
    opened.route("https://**", lambda route: route.fulfill(body=""))  # of libraries that no widget needs
    opened.goto(exported.as_uri())
    sentences = re.findall(r'<img alt="(At scale [^"]*)"', html)
    assert len(sentences) == ASKED
    assert_one_still_each(opened, sentences)
    shot(opened, "exported-700")
    opened.close()
