"""A new user in JupyterLab, in a real browser: edit, save, break, restore with Lab's own Revert.

Set SCREENSHOTS to a folder to get the pictures of the documentation.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

playwright = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.browser
TOKEN = "browser-test"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@dataclass
class Lab:
    """A running JupyterLab over `folder`."""

    address: str
    folder: Path

    def ask(self, path: str) -> Any:
        request = urllib.request.Request(self.address + path)
        request.add_header("Authorization", f"token {TOKEN}")
        with urllib.request.urlopen(request, timeout=30) as reply:
            return json.load(reply)

    def checkpoints(self, name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask(f"api/contents/{name}/checkpoints")
        return found


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    quiet = home / "config" / "labconfig" / "default_setting_overrides.json"
    quiet.parent.mkdir(parents=True)
    quiet.write_text('{"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}')
    env = {key: value for key, value in os.environ.items() if not key.startswith("JUPYTER")}
    env |= {"HOME": str(home), "JUPYTER_RUNTIME_DIR": str(home / "runtime")}
    env |= {"JUPYTER_CONFIG_DIR": str(home / "config"), "JUPYTER_DATA_DIR": str(home / "data")}
    command = [
        sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root",
        "--ServerApp.port=0", "--ServerApp.ip=127.0.0.1", f"--IdentityProvider.token={TOKEN}",
        f"--ServerApp.root_dir={work}", "--LabApp.expose_app_in_browser=True",
        "--YDocExtension.disable_rtc=True",
    ]  # fmt: skip
    log = open(tmp_path / "server.log", "wb")  # noqa: SIM115
    process = subprocess.Popen(command, env=env, cwd=work, stdout=log, stderr=log)
    try:
        yield Lab(_address(home / "runtime", process, tmp_path / "server.log"), work)
    finally:
        process.terminate()
        process.wait(30)
        log.close()


def _address(runtime: Path, process: subprocess.Popen[bytes], log: Path) -> str:
    end = time.monotonic() + 90
    while time.monotonic() < end and process.poll() is None:
        for file in runtime.glob("jpserver-*.json"):
            try:
                return str(json.loads(file.read_text())["url"])
            except (ValueError, KeyError):
                continue
        time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()}")


@pytest.fixture
def page(lab: Lab) -> Iterator[Any]:
    assert CHROMIUM, "Chromium is missing; ./test installs it"
    with playwright.sync_playwright() as tool:
        browser = tool.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-quic",
                "--no-first-run", "--disable-background-networking", "--disable-component-update",
                "--disable-sync",
            ],
        )  # fmt: skip
        window = browser.new_page(viewport={"width": 1280, "height": 800})
        yield window
        browser.close()


def shoot(page: Any, name: str) -> None:
    folder = os.environ.get("SCREENSHOTS")
    if folder:
        page.screenshot(path=os.path.join(folder, f"{name}.png"))


def write_notebook(path: Path) -> None:
    book = new_notebook(
        cells=[
            new_markdown_cell("# Three days of work", id="title"),
            new_code_cell("rows = [3, 1, 2]\nsorted(rows)", id="sort"),
            new_code_cell("def mean(values):\n    return sum(values) / len(values)", id="mean"),
            new_code_cell("mean(rows)", id="call"),
        ],
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
        },
    )
    nbformat.write(book, path)


def open_notebook(page: Any, lab: Lab, name: str) -> None:
    page.goto(f"{lab.address}lab/tree/{name}?token={TOKEN}")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell .cm-content", timeout=120_000)
    page.wait_for_selector(".jp-Notebook .jp-Cell >> text=mean(rows)", timeout=30_000)


def menu(page: Any, *names: str) -> None:
    page.get_by_role("menuitem", name=names[0], exact=True).click()
    for name in names[1:]:
        page.get_by_role("menuitem", name=name).first.click()


def wait_until(what: str, holds: Any, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError(f"never: {what}")


@pytest.mark.slow
def test_labs_own_revert_brings_any_earlier_save_back(lab: Lab, page: Any) -> None:
    """You save, break the notebook, save again; Revert offers each save and brings it back."""
    path = lab.folder / "analysis.ipynb"
    write_notebook(path)
    open_notebook(page, lab, "analysis.ipynb")
    cell = page.locator(".jp-Notebook .jp-Cell .cm-content")

    cell.nth(3).click()
    page.keyboard.press("Control+End")
    page.keyboard.type("\nprint('the good one')")
    page.keyboard.press("Control+s")
    wait_until("the first save", lambda: "the good one" in path.read_text())
    wait_until("its checkpoint", lambda: len(lab.checkpoints("analysis.ipynb")) >= 1)
    good = path.read_bytes()
    shoot(page, "lab-edit")

    cell.nth(2).click()
    page.keyboard.press("Control+a")
    page.keyboard.type("# oh no: the function is gone")
    cell.nth(3).click()
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    page.keyboard.press("Control+s")
    wait_until("the second save", lambda: "oh no" in path.read_text())
    wait_until("its checkpoint", lambda: len(lab.checkpoints("analysis.ipynb")) >= 2)
    shoot(page, "lab-broken")

    menu(page, "File", "Revert Notebook to Checkpoint…")
    dialog = page.locator(".jp-Dialog")
    dialog.wait_for(timeout=20_000)
    shoot(page, "lab-revert")
    # The chooser has the newest first; the good one is the one before it.
    chooser = dialog.locator("select")
    assert chooser.locator("option").count() >= 2, dialog.inner_text()
    chooser.select_option(index=1)
    shoot(page, "lab-revert-chosen")
    dialog.get_by_role("button").last.click()
    confirm = page.locator(".jp-Dialog .jp-mod-warn, .jp-Dialog .jp-mod-accept")
    if confirm.count():
        confirm.last.click()
    wait_until("the good bytes on disk", lambda: path.read_bytes() == good)
    page.get_by_text("the good one").first.wait_for(timeout=20_000)
    shoot(page, "lab-restored")
    reasons = [one.get("reason") for one in lab.checkpoints("analysis.ipynb")]
    assert reasons[-1] == "restore"


@pytest.mark.slow
def test_lab_saves_by_itself_ten_seconds_after_an_edit(lab: Lab, page: Any) -> None:
    """Nobody pressed anything: the edit is on the disk and in the history within seconds."""
    path = lab.folder / "auto.ipynb"
    write_notebook(path)
    open_notebook(page, lab, "auto.ipynb")
    page.locator(".jp-Notebook .jp-Cell .cm-content").nth(3).click()
    page.keyboard.press("Control+End")
    page.keyboard.type("\n# typed and never saved by hand")
    wait_until("the autosave", lambda: "never saved by hand" in path.read_text(), 25)
    wait_until("its checkpoint", lambda: len(lab.checkpoints("auto.ipynb")) >= 1)
    newest = lab.checkpoints("auto.ipynb")[-1]
    assert newest["reason"] == "autosave"
