"""A real JupyterLab and a Chromium of the system to look at it; screenshots go to out/browser."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import URLError

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).resolve().parents[2]
SHOTS = ROOT / "out" / "browser"
AXE = Path(__file__).parent / "axe" / "axe.min.js"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = ("--no-sandbox", "--disable-background-networking", "--disable-dev-shm-usage")
#: the extension that asks about news would stand over what is looked at
PAGE = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
OF_LAB = "Could not restore the debugger state"  #: an error of Lab's own when a kernel is started anew
PATIENCE = 60_000  #: milliseconds for what a busy machine needs


@dataclass
class Lab:
    """A running server and the folder of its notebooks."""

    url: str
    folder: Path
    complaints: list[str] = field(default_factory=list)  #: what the consoles of its pages called an error

    def write(self, name: str, sources: Sequence[str]) -> Path:
        """A notebook that nobody has run."""
        notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, self.folder / name)
        return self.folder / name

    def watch(self, page: Any) -> Any:
        """The page, whose errors are kept from now on."""
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda m: self._hear(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        return page

    def _hear(self, text: str) -> None:
        if not text.startswith(OF_LAB):
            self.complaints.append(text)

    def open(self, page: Any, name: str) -> None:
        """Show a notebook, and wait until it has a kernel."""
        page.goto(f"{self.url}/doc/tree/{name}?reset")
        page.wait_for_selector(".jp-Notebook-cell")
        page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()

    def run_all(self, page: Any) -> None:
        """Run every cell; a kernel that has just been started does not always hear the first call."""
        for _ in range(20):
            command(page, "notebook:run-all-cells")
            page.wait_for_timeout(700)
            if "[ ]" not in page.inner_text(".jp-InputPrompt >> nth=0"):
                return
        raise TimeoutError("the notebook was not run")

    def end_kernels(self) -> None:
        """Shut every kernel down."""
        with urllib.request.urlopen(f"{self.url}/api/kernels") as answer:
            for kernel in json.load(answer):
                gone = urllib.request.Request(f"{self.url}/api/kernels/{kernel['id']}", method="DELETE")
                urllib.request.urlopen(gone).close()


def command(page: Any, name: str, **arguments: Any) -> None:
    """Call a command of JupyterLab; its end is not waited for."""
    page.evaluate("([name, args]) => { window.jupyterapp.commands.execute(name, args) }", [name, arguments])


def shot(page: Any, name: str) -> None:
    """Leave a picture of the page for whoever wants to look."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png")


@contextmanager
def running_lab(folder: Path) -> Iterator[Lab]:
    """A JupyterLab on an empty folder, with settings and a state root of its own."""
    notebooks, settings = folder / "notebooks", folder / "config" / "labconfig"
    for one in (notebooks, settings):
        one.mkdir(parents=True)
    (settings / "page_config.json").write_text(json.dumps(PAGE), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    known = {
        "PYTHONPATH": str(ROOT), "TORI_STATE_ROOT": str(folder / "state"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"), "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"), "IPYTHONDIR": str(folder / "ipython"),
    }  # fmt: skip
    options = (
        "--no-browser", "--allow-root", "--expose-app-in-browser", "--IdentityProvider.token=",
        "--ServerApp.disable_check_xsrf=True", f"--ServerApp.port={port}", "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={notebooks}",
    )  # fmt: skip
    with (folder / "lab.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options], env={**os.environ, **known}, stdout=log, stderr=log
        )
        try:
            lab = Lab(f"http://127.0.0.1:{port}", notebooks)
            _wait_for(lab, server)
            yield lab
            lab.end_kernels()
        finally:
            server.terminate()
            server.wait()


def _wait_for(lab: Lab, server: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        with suppress(URLError, ConnectionError):
            urllib.request.urlopen(f"{lab.url}/api/status").close()
            return
        if server.poll() is not None:
            raise RuntimeError(f"JupyterLab ended with {server.returncode}")
        time.sleep(0.1)
    raise TimeoutError("JupyterLab did not start")
