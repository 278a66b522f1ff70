"""A real JupyterLab with Rewind, in an empty home, and a real Chromium that looks at it."""

from __future__ import annotations

import contextlib
import http.cookiejar
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from jupyter_rewind.settings import Rewind
from tests.support.labconfig import write_config
from tests.support.opening import COUNTER, opened
from tests.support.ports import free_port
from tests.support.toasts import RECORDER

TOKEN = "browser-test"
#: Seconds. A loaded machine is slow, and a test that waits in vain fails anyway.
PATIENCE = 120.0
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@dataclass
class Lab:
    """A running JupyterLab over `folder`."""

    address: str
    folder: Path
    #: Without one the token opens it.
    password: str = ""

    def ask(self, path: str) -> Any:
        request = urllib.request.Request(self.address + path)
        request.add_header("Authorization", f"token {TOKEN}")
        opener = self._signed_in() if self.password else urllib.request.build_opener()
        with opener.open(request, timeout=PATIENCE) as reply:
            return json.load(reply)

    def _signed_in(self) -> urllib.request.OpenerDirector:
        """As a browser of its own does it: with the password, for a cookie."""
        cookies = http.cookiejar.CookieJar()
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(cookies))
        opener.open(f"{self.address}login", timeout=PATIENCE).close()
        form = {"_xsrf": next(one.value for one in cookies if one.name == "_xsrf")}
        form["password"] = self.password
        data = urllib.parse.urlencode(form).encode()
        opener.open(f"{self.address}login", data, timeout=PATIENCE).close()
        return opener

    def delete(self, name: str) -> None:
        """As the file browser does."""
        request = urllib.request.Request(f"{self.address}api/contents/{name}", method="DELETE")
        request.add_header("Authorization", f"token {TOKEN}")
        with urllib.request.urlopen(request, timeout=PATIENCE):
            pass

    def kernels(self) -> list[dict[str, Any]]:
        """The running kernels. Jupyter cannot list them while one is just starting, and says 500:
        then it is asked again."""
        for _ in range(20):
            try:
                found: list[dict[str, Any]] = self.ask("api/kernels")
                return found
            except urllib.error.HTTPError as error:
                if error.code != 500:
                    raise
                time.sleep(0.5)
        raise AssertionError("Jupyter cannot list its kernels.")

    def states(self, kernel: str) -> list[dict[str, Any]]:
        """The states that are kept of a kernel; none before it told of itself."""
        try:
            found: list[dict[str, Any]]
            found = self.ask(f"rewind/api/v1/kernels/{kernel}/snapshots")["snapshots"]
            return found
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return []
            raise

    def checkpoints(self, name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask(f"api/contents/{name}/checkpoints")
        return found

    def deleted(self) -> set[str]:
        """The files that can be undeleted."""
        return {one["path"] for one in self.ask("rewind/api/v1/deleted")["deleted"]}


def lab_settings(lab: Lab) -> Rewind:
    """The settings of the running JupyterLab, to write into its store beside it."""
    home = lab.folder.parent / "home"
    return Rewind(
        store_path=str(home / "data" / "rewind"),
        store_key_folder=str(home / "config" / "rewind-keys"),
    )


@contextmanager
def lab_over(tmp_path: Path, interface: str = "lab") -> Iterator[Lab]:
    """`jupyter lab` or `jupyter notebook` over an empty folder below `tmp_path`."""
    with LabServer(tmp_path, interface) as server:
        yield server.lab


class LabServer:
    """`jupyter lab` or `jupyter notebook` over a folder of its own, which can be killed and started
    again at the same address."""

    def __init__(
        self,
        tmp_path: Path,
        interface: str = "lab",
        *,
        python: str = sys.executable,
        autosave: bool = True,
        autosave_seconds: int | None = None,
        live: bool = False,
        config: str = "",
        password: str = "",
    ) -> None:
        self._tmp_path = tmp_path
        self._interface = interface
        self._python = python
        self._port = free_port()
        self._live = live
        self._password = password
        self._process: subprocess.Popen[bytes] | None = None
        home = tmp_path / "home"
        home.mkdir()
        (tmp_path / "work").mkdir()
        write_config(
            home,
            autosave=autosave,
            autosave_seconds=autosave_seconds,
            password=password,
            more=config,
        )
        try:
            self.start()
        except RuntimeError as error:
            if "is already in use" not in str(error):
                raise
            # Somebody else took the port between its choice and the server's start.
            self._port = free_port()
            self.start()

    def start(self) -> None:
        home, work = self._tmp_path / "home", self._tmp_path / "work"
        env = {key: value for key, value in os.environ.items() if not key.startswith("JUPYTER")}
        env |= {"HOME": str(home), "JUPYTER_RUNTIME_DIR": str(home / "runtime")}
        env |= {"JUPYTER_CONFIG_DIR": str(home / "config"), "JUPYTER_DATA_DIR": str(home / "data")}
        module = {"lab": "jupyterlab"}.get(self._interface, self._interface)
        command = [
            self._python, "-m", module, "--no-browser", "--allow-root",
            f"--ServerApp.port={self._port}", "--ServerApp.ip=127.0.0.1",
            "--ServerApp.port_retries=0",
            f"--IdentityProvider.token={'' if self._password else TOKEN}",
            f"--ServerApp.root_dir={work}", "--LabApp.expose_app_in_browser=True",
            "--JupyterNotebookApp.expose_app_in_browser=True",
            f"--YDocExtension.disable_rtc={not self._live}",
        ]  # fmt: skip
        log = self._tmp_path / "server.log"
        with open(log, "ab") as out:
            self._process = subprocess.Popen(command, env=env, cwd=work, stdout=out, stderr=out)
        self.lab = Lab(_address(home / "runtime", self._process, log), work, self._password)

    def kill(self) -> None:
        """kill -9; the address stays the same with the next start."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(PATIENCE)
        for file in (self._tmp_path / "home" / "runtime").glob("jpserver-*"):
            file.unlink()

    def __enter__(self) -> LabServer:
        return self

    def __exit__(self, *_: object) -> None:
        """kill -9 of all that it started. Nobody looks at it any more, and asked to end it would
        wait for its kernels, and half a minute for live documents."""
        assert self._process is not None
        started = _descendants(self._process.pid)
        self._process.kill()
        self._process.wait(PATIENCE)
        for pid in started:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _descendants(pid: int) -> list[int]:
    """The processes that this one started, and those that they started."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name of the program, in brackets, may hold anything.
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    found = [pid]
    for each in found:
        found += [child for child, parent in parents.items() if parent == each]
    return found[1:]


def _address(runtime: Path, process: subprocess.Popen[bytes], log: Path) -> str:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        for file in runtime.glob("jpserver-*.json"):
            # Jupyter tells its address a moment before it listens.
            with contextlib.suppress(ValueError, KeyError, OSError):
                told = json.loads(file.read_text())
                socket.create_connection((told["hostname"], told["port"]), 10).close()
                return str(told["url"])
        time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()}")


CHROMIUM_OPTIONS = [
    "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-quic",
    "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
]  # fmt: skip


@contextmanager
def chromium_page(tool: Any) -> Iterator[Any]:
    """A window of 1280 x 800."""
    assert CHROMIUM, "Chromium is missing; ./test installs it"
    browser = tool.chromium.launch(
        executable_path=CHROMIUM, args=CHROMIUM_OPTIONS, timeout=PATIENCE * 1000
    )
    window = browser.new_page(viewport={"width": 1280, "height": 800})
    window.set_default_timeout(PATIENCE * 1000)
    window.add_init_script(RECORDER)
    window.add_init_script(COUNTER)
    yield window
    browser.close()


class Chromium:
    """A Chromium with a profile on the disk, which can be killed and started again."""

    def __init__(self, tool: Any, profile: Path) -> None:
        self.tool = tool
        self._profile = profile
        self.context: Any = None
        self.start()

    def start(self) -> None:
        assert CHROMIUM, "Chromium is missing; ./test installs it"
        self.context = self.tool.chromium.launch_persistent_context(
            str(self._profile),
            executable_path=CHROMIUM,
            args=CHROMIUM_OPTIONS,
            viewport={"width": 1280, "height": 800},
            timeout=PATIENCE * 1000,
        )
        self.context.add_init_script(RECORDER)
        self.context.add_init_script(COUNTER)

    def page(self) -> Any:
        window = self.context.new_page()
        window.set_default_timeout(PATIENCE * 1000)
        return window

    def kill(self) -> None:
        """kill -9 of every process of this browser; none is left, to hold on to the profile."""
        wait_until("the end of the browser", lambda: not self._kill_some())
        with contextlib.suppress(Exception):
            self.context.close()

    def _kill_some(self) -> bool:
        mine = f"--user-data-dir={self._profile}".encode()
        found = False
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if mine in (folder / "cmdline").read_bytes():  # empty once it has ended
                    found = True
                    os.kill(int(folder.name), signal.SIGKILL)
        return found

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self.context.close()


def shoot(page: Any, name: str) -> None:
    folder = os.environ.get("SCREENSHOTS")
    if folder:
        page.wait_for_timeout(1000)  # what slides into view has arrived
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


def open_notebook(page: Any, lab: Lab, name: str, *, is_kept: bool = True) -> None:
    """Opens it once JupyterLab has drawn all that was open before: what an address names is opened
    at some moment of that, over whatever a quick hand has opened meanwhile. What it is now is kept
    as its first checkpoint before anybody changes it, unless nothing can be kept."""
    page.goto(f"{lab.address}lab?token={TOKEN}")
    hears_keys(page)
    page.evaluate("path => { void jupyterapp.commands.execute('docmanager:open', {path}) }", name)
    page.wait_for_selector(".jp-Notebook .jp-CodeCell .cm-content")
    page.wait_for_selector(".jp-Notebook .jp-Cell >> text=mean(rows)")
    if is_kept:
        wait_until("its first checkpoint", lambda: lab.checkpoints(name))
        opened(page)


def hears_keys(page: Any) -> None:
    """Waits until JupyterLab has started and knows its keyboard shortcuts, which are settings."""
    page.wait_for_function("window.jupyterapp && jupyterapp.restored.then(() => true)")
    bound = "jupyterapp.commands.keyBindings.some(each => each.command === 'docmanager:save')"
    page.wait_for_function(bound)


def idle(page: Any) -> None:
    """Waits until the kernel listens and has nothing to do."""
    page.locator(".jp-StatusBar-Widget >> text=| Idle").first.wait_for()


def connected(server: Lab) -> bool:
    """Whether the page listens to a kernel that has nothing to do."""
    kernels = server.kernels()
    return (
        bool(kernels) and kernels[0]["execution_state"] == "idle" and kernels[0]["connections"] > 0
    )


def listening(page: Any, server: Lab) -> None:
    """Waits, in Notebook 7, until the kernel listens: code that is run before is dropped."""
    wait_until("a kernel", lambda: connected(server))
    page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]')


def saved_bytes(path: Path) -> bytes:
    """The bytes of the notebook on disk, none of them while Jupyter is writing."""
    found: list[bytes] = []

    def reads() -> bool:
        with contextlib.suppress(ValueError):
            raw = path.read_bytes()
            json.loads(raw)
            found.append(raw)
        return bool(found)

    wait_until(f"{path} whole", reads)
    return found[0]


def read_saved(path: Path) -> dict[str, Any]:
    """The notebook on disk, once it reads."""
    found: dict[str, Any] = json.loads(saved_bytes(path))
    return found


def menu(page: Any, *names: str) -> None:
    page.get_by_role("menuitem", name=names[0], exact=True).click()
    for name in names[1:]:
        page.get_by_role("menuitem", name=name).first.click()


def wait_until(what: str, holds: Any, seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError(f"never: {what}")
