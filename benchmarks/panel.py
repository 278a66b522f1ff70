"""The history panel in a real Chromium: ten thousand checkpoints beside a hundred."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

from benchmarks.measure import Row, at_most, run_parts
from tests.support.lab import TOKEN, Lab, LabServer, chromium_page, lab_settings, menu, wait_until
from tests.support.longhistory import make_long_history

MANY, FEW = 10_000, 100
ROUNDS = 3
FRAMES = 200
LONG_TASK_US = 50_000
MINUTES = 4 * 60

# Up and down, two hundred pixels with each frame; every twentieth goes far away.
SCROLL = """async frames => {
  const list = document.querySelector('.jp-Rewind-list');
  const times = [];
  let step = 200;
  for (let n = 0; n < frames; n++) {
    times.push(await new Promise(requestAnimationFrame));
    const most = list.scrollHeight - list.clientHeight;
    if (n % 20 === 19) {
      list.scrollTop = most * ((n * 7919) % 997) / 997;
    } else {
      const next = list.scrollTop + step;
      step = next > most || next < 0 ? -step : step;
      list.scrollTop += step;
    }
  }
  return times.slice(1).map((time, n) => time - times[n]);
}"""


def measure() -> list[Row]:
    return run_parts(PARTS)


def scroll(folder: Path) -> list[Row]:
    """Frames and long tasks while scrolling, and what stands in the page."""
    from playwright.sync_api import sync_playwright

    folder.mkdir(parents=True)
    counts = {"few.ipynb": FEW, "many.ipynb": MANY}
    with LabServer(folder) as server, sync_playwright() as tool:
        lab = server.lab
        for name, count in counts.items():
            make_long_history(lab_settings(lab), lab.folder / name, count)
        frames: dict[str, list[float]] = {name: [] for name in counts}
        tasks = dict.fromkeys(counts, 0)
        with chromium_page(tool) as first:
            browser = first.context.browser
            pages = {name: browser.new_page() for name in counts}
            rows = {name: _show(page, lab, name, counts[name]) for name, page in pages.items()}
            for _ in range(ROUNDS):
                for name, page in pages.items():
                    # Chromium draws only the page in front.
                    page.bring_to_front()
                    browser.start_tracing(page=page)
                    frames[name] += page.evaluate(SCROLL, FRAMES)
                    tasks[name] += _long_tasks(browser.stop_tracing())
    many, few = (statistics.median(frames[name]) for name in ("many.ipynb", "few.ipynb"))
    slow = [statistics.quantiles(frames[name], n=20)[-1] for name in ("many.ipynb", "few.ipynb")]
    return [
        at_most(
            f"scrolling {MANY} checkpoints, a frame", f"scrolling {FEW}", many / few, 1.5,
            f"median {many:.1f} ms against {few:.1f} ms; p95 {slow[0]:.1f} against {slow[1]:.1f}",
        ),
        at_most(
            f"long tasks while scrolling {MANY} checkpoints", "one in a hundred frames",
            tasks["many.ipynb"] / (FRAMES * ROUNDS / 100), 1,
            f"{tasks['many.ipynb']} above 50 ms in {FRAMES * ROUNDS} frames;"
            f" {tasks['few.ipynb']} with {FEW}",
        ),
        at_most(
            f"rows in the page, {MANY} checkpoints", "100", rows["many.ipynb"] / 100, 1,
            f"{rows['many.ipynb']} rows",
        ),
    ]  # fmt: skip


def _show(page: Any, lab: Lab, name: str, count: int) -> int:
    """The page shows the whole history of a notebook; how many rows are in it."""
    page.set_viewport_size({"width": 1280, "height": 800})
    page.set_default_timeout(MINUTES * 1000)
    page.goto(f"{lab.address}lab/workspaces/{Path(name).stem}/tree/{name}?token={TOKEN}")
    page.locator(".jp-Notebook .jp-CodeCell .cm-content").first.wait_for()
    menu(page, "View", "Show History")
    panel = page.locator(".jp-Rewind-history")
    rows = panel.locator("[data-row]")

    def whole() -> bool:
        panel.locator(".jp-Rewind-list").evaluate("list => (list.scrollTop = list.scrollHeight)")
        return rows.count() > 0 and int(rows.last.get_attribute("aria-posinset")) > count

    wait_until("the whole history", whole, MINUTES)
    return int(rows.count())


def _long_tasks(trace: bytes) -> int:
    """How many tasks of the page's main thread took more than 50 ms, of the processor where that
    is told: a busy machine makes all of them last."""
    events = json.loads(trace)["traceEvents"]
    main = {
        (one["pid"], one["tid"])
        for one in events
        if one["name"] == "thread_name" and one["args"]["name"] == "CrRendererMain"
    }
    return sum(
        one["name"] == "RunTask"
        and (one["pid"], one["tid"]) in main
        and one.get("tdur", one.get("dur", 0)) > LONG_TASK_US
        for one in events
    )


PARTS = {"scroll": scroll}
