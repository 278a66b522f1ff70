"""JupyterLab with Rewind beside JupyterLab without it: two servers, one Chromium, rounds in turn.

The two have environments of their own, made of links: the same Python, the same packages, the same
extensions; one of them lacks what a wheel of Rewind brings into `share/` and `etc/`.
"""

from __future__ import annotations

import math
import os
import random
import statistics
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_notebook, new_output

from benchmarks.measure import Row, at_most, run_parts
from tests.support.lab import CHROMIUM, CHROMIUM_OPTIONS, TOKEN, LabServer

# What of Rewind lies in an environment, below its prefix.
OURS = {
    "etc/ipython",
    "etc/jupyter/jupyter_server_config.d/jupyter_rewind.json",
    "share/jupyter/lab/settings/overrides.d",
    "share/jupyter/labextensions/jupyter-rewind",
}
SIZES = {"1 MB": (40, 25_000), "25 MB": (50, 500_000)}
LETTERS = 40
OPENING_MS = 50
OPENINGS = 11
# When it was ready, and how long each letter took to the end of its frame.
WATCH = """
let app;
Object.defineProperty(window, 'jupyterapp', {
  configurable: true,
  get: () => app,
  set: value => {
    app = value;
    void value.restored.then(() => (window.readyAfter = performance.now()));
  }
});
window.latencies = [];
document.addEventListener('keydown', event => {
  const begun = event.timeStamp;
  requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => latencies.push(performance.now() - begun);
    channel.port2.postMessage(null);
  });
}, true);
"""
OPEN = """async path => {
  const begun = performance.now();
  const panel = await jupyterapp.commands.execute('docmanager:open', {path});
  await panel.context.ready;
  await panel.revealed;
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  return performance.now() - begun;
}"""
SAVE = """async letter => {
  const {context} = jupyterapp.shell.currentWidget;
  const cell = context.model.sharedModel.getCell(0);
  cell.setSource(`${cell.getSource()}${letter}`);
  const begun = performance.now();
  await context.save();
  return performance.now() - begun;
}"""
# Without a question; the kernel goes on, and is there when it is opened again.
CLOSE = """async () => {
  const panel = jupyterapp.shell.currentWidget;
  panel.context.model.dirty = false;
  panel.dispose();
  await new Promise(done => setTimeout(done, 500));
}"""


class Window:
    """A window of Chromium on one of the two servers."""

    def __init__(self, page: Any, address: str) -> None:
        self._page = page
        self._address = address
        page.add_init_script(WATCH)

    def start(self) -> float:
        """Milliseconds until JupyterLab is there."""
        self._page.bring_to_front()
        self._page.goto("about:blank")
        self._page.goto(f"{self._address}lab?token={TOKEN}&reset")
        self._page.wait_for_function("window.readyAfter", timeout=120_000)
        return float(self._page.evaluate("readyAfter"))

    def open(self, name: str) -> float:
        """Milliseconds until a notebook stands in the window."""
        self._page.bring_to_front()
        return float(self._page.evaluate(OPEN, name))

    def close(self) -> None:
        self._page.evaluate(CLOSE)

    def save(self) -> float:
        """Milliseconds of one save, a letter after the last."""
        self._page.bring_to_front()
        return float(self._page.evaluate(SAVE, "x"))

    def type(self) -> list[float]:
        """Milliseconds from each of some letters to its frame."""
        page = self._page
        page.bring_to_front()
        page.locator(".jp-Notebook .jp-Cell .cm-content").first.click()
        page.keyboard.press("Control+End")
        page.evaluate("latencies.length = 0")
        for _ in range(LETTERS):
            page.keyboard.press("a", delay=10)
            # Uneven, or the letters would all fall onto one phase of the frames.
            page.wait_for_timeout(random.uniform(15, 55))
        found: list[float] = page.evaluate("latencies")
        return found


def measure() -> list[Row]:
    """All rows of this benchmark; about five minutes."""
    return run_parts(PARTS)


def part(measured: Callable[[Window, Window], list[Row]]) -> Callable[[Path], list[Row]]:
    """What can be measured by itself, with two servers of its own."""

    def act(_: Path) -> list[Row]:
        with two_windows() as (ours, theirs):
            ours.start(), theirs.start()
            return measured(ours, theirs)

    return act


def start(ours: Window, theirs: Window) -> list[Row]:
    """Reloading JupyterLab's page until it is there."""
    in_turn(ours.start, theirs.start, 1)  # the browser's cache is warm
    one, two = medians(in_turn(ours.start, theirs.start, 4))
    return [
        at_most(
            "start of JupyterLab with Rewind", "without it", one / two, 1.1,
            f"{one:.0f} ms against {two:.0f} ms",
        )
    ]  # fmt: skip


def notebook(ours: Window, theirs: Window, size: str) -> list[Row]:
    """Saving and typing into a notebook of some size."""
    name = f"{size.replace(' ', '')}.ipynb"
    rounds = 7 if size == "1 MB" else 5
    ours.open(name), theirs.open(name)
    in_turn(ours.save, theirs.save, 1)
    one, two = medians(in_turn(ours.save, theirs.save, rounds))
    rows = [
        at_most(
            f"saving {size} with Rewind", "without it", one / two, 1.1,
            f"{one:.0f} ms against {two:.0f} ms",
        )
    ]  # fmt: skip
    rows += typing(ours, theirs, size)
    ours.close(), theirs.close()
    return rows


def opening(ours: Window, theirs: Window, size: str) -> Row:
    """Opening a notebook of some size. What the machine does besides moves each opening by more
    than the bar, so it is the median of what two that follow one another differ by."""
    name = f"{size.replace(' ', '')}.ipynb"

    def opened(window: Window) -> Callable[[], float]:
        def act() -> float:
            taken = window.open(name)
            window.close()
            return taken

        return act

    in_turn(opened(ours), opened(theirs), 2)  # the kernels run
    pairs = in_turn(opened(ours), opened(theirs), OPENINGS)
    more = statistics.median(one - two for one, two in zip(*pairs, strict=True))
    one, two = medians(pairs)
    return at_most(
        f"opening a notebook of {size} with Rewind, less without", f"{OPENING_MS} ms",
        more / OPENING_MS, 1,
        f"{more:+.0f} ms, median of {OPENINGS} pairs; {one:.0f} ms against {two:.0f} ms",
    )  # fmt: skip


def typing(ours: Window, theirs: Window, size: str) -> list[Row]:
    """From a key to its frame."""
    ours.type(), theirs.type()
    ones: list[float] = []
    twos: list[float] = []
    for _ in range(4):
        ones += ours.type()
        twos += theirs.type()
    rows = []
    for percent in (50, 95):
        one, two = percentile(ones, percent), percentile(twos, percent)
        rows.append(
            at_most(
                f"a letter typed into {size}, to its frame, p{percent}, with Rewind", "without it",
                one / two, 1.1, f"{one:.1f} ms against {two:.1f} ms",
            )
        )  # fmt: skip
    return rows


def in_turn(
    first: Callable[[], float], second: Callable[[], float], rounds: int
) -> tuple[list[float], list[float]]:
    """Two measurements in turn, each as often the first as the second."""
    ones, twos = [], []
    for number in range(rounds):
        if number % 2:
            twos.append(second())
            ones.append(first())
        else:
            ones.append(first())
            twos.append(second())
    return ones, twos


def medians(found: tuple[list[float], list[float]]) -> tuple[float, float]:
    return statistics.median(found[0]), statistics.median(found[1])


def percentile(values: list[float], percent: int) -> float:
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]


@contextmanager
def two_windows() -> Iterator[tuple[Window, Window]]:
    """JupyterLab with Rewind and JupyterLab without it, over the same notebooks."""
    from playwright.sync_api import sync_playwright

    if not CHROMIUM:
        raise RuntimeError("Chromium is missing; ./test installs it")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        tool = stack.enter_context(sync_playwright())
        browser = tool.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_OPTIONS)
        stack.callback(browser.close)
        windows = []
        for name, left_out in (("with", set()), ("without", OURS)):
            place = folder / name
            make_environment(place / "env", left_out)
            server = LabServer(place, python=str(place / "env/bin/python"), autosave=False)
            stack.enter_context(server)
            for size, (count, length) in SIZES.items():
                path = server.lab.folder / f"{size.replace(' ', '')}.ipynb"
                write_notebook(path, count, length)
            # A context of its own is a process of its own.
            context = browser.new_context(viewport={"width": 1280, "height": 800})
            windows.append(Window(context.new_page(), server.lab.address))
        yield windows[0], windows[1]


def make_environment(place: Path, left_out: set[str]) -> None:
    """An environment that is this one, without what is left out."""
    command = [sys.executable, "-m", "venv", "--without-pip", str(place)]
    subprocess.run(command, check=True, timeout=120)
    packages = next(place.glob("lib/python*/site-packages"))
    here = sysconfig.get_path("purelib")
    (packages / "base.pth").write_text(f"import site; site.addsitedir({here!r})\n")
    for name in ("etc", "share"):
        link(Path(sys.prefix) / name, place / name, name, left_out)


def link(source: Path, target: Path, name: str, left_out: set[str]) -> None:
    """Links a folder, or, where something in it is left out, what else is in it."""
    if name in left_out or not source.exists():
        return
    if not any(each.startswith(f"{name}/") for each in OURS):
        target.symlink_to(source)
        return
    target.mkdir(exist_ok=True)
    for each in os.listdir(source):
        link(source / each, target / each, f"{name}/{each}", left_out)


def write_notebook(path: Path, count: int, length: int) -> None:
    """Cells with printed tables, as most of a large notebook is."""
    line = "0123456789abcdef" * 4
    cells = [new_code_cell("1", id="first")]
    for number in range(count):
        text = "".join(f"{number} {at} {line}\n" for at in range(length // 72))
        output = new_output("stream", name="stdout", text=text)
        cells.append(new_code_cell(f"print({number})", id=f"c{number}", outputs=[output]))
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": spec}), path)


PARTS = {
    "start": part(start),
    "opening-1MB": part(lambda ours, theirs: [opening(ours, theirs, "1 MB")]),
    "1MB": part(lambda ours, theirs: notebook(ours, theirs, "1 MB")),
    "opening-25MB": part(lambda ours, theirs: [opening(ours, theirs, "25 MB")]),
    "25MB": part(lambda ours, theirs: notebook(ours, theirs, "25 MB")),
}
