"""A real JupyterLab with Rewind, in an empty home, and a real Chromium that looks at it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

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


@contextmanager
def lab_over(tmp_path: Path, interface: str = "lab") -> Iterator[Lab]:
    """`jupyter lab` or `jupyter notebook` over an empty folder below `tmp_path`."""
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
        sys.executable, "-m", "jupyter", interface, "--no-browser", "--allow-root",
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


@contextmanager
def chromium_page(tool: Any) -> Iterator[Any]:
    """A window of 1280 x 800."""
    assert CHROMIUM, "Chromium is missing; ./test installs it"
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
