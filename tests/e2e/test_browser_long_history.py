"""Long histories in JupyterLab's sidebar: fetched as far as looked at, drawn as far as in view."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.lab import (
    Lab,
    lab_settings,
    open_notebook,
    shoot,
    wait_until,
    write_notebook,
)
from tests.support.longhistory import make_long_history
from tests.support.panel import NAME, open_history

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_history_of_ten_thousand_checkpoints_keeps_the_page_small(lab: Lab, page: Any) -> None:
    """Scrolling goes to the very first checkpoint; only what is in view is in the page."""
    count = 10_000
    write_notebook(lab.folder / NAME)
    long = lab.folder / "long.ipynb"
    make_long_history(lab_settings(lab), long, count)
    assert len(lab.ask("rewind/api/v1/history?path=long.ipynb&limit=1")["checkpoints"]) == 1
    open_notebook(page, lab, NAME)
    page.evaluate("void jupyterapp.commands.execute('docmanager:open', {path: 'long.ipynb'})")
    panel = open_history(page)
    panel.get_by_role("heading", name="long.ipynb").wait_for()
    rows = panel.locator("[data-row]")
    wait_until("the first rows", lambda: rows.count() > 10)
    oldest = lab.checkpoints("long.ipynb")[0]["id"]
    first = panel.locator(f"[data-checkpoint='{oldest}']")

    def reached() -> bool:
        panel.locator(".jp-Rewind-list").evaluate("list => (list.scrollTop = list.scrollHeight)")
        assert rows.count() < 100
        return bool(first.count())

    wait_until("the very first checkpoint", reached, 300)
    size = int(rows.last.get_attribute("aria-setsize"))
    assert size > count
    assert page.locator(".jp-Rewind-history *").count() < 2500
    shoot(page, "history-long")
    slider = panel.get_by_label("Go through time")
    slider.focus()
    page.keyboard.press("Home")
    panel.locator(f"[data-checkpoint='{oldest}'].jp-mod-current").wait_for()
    page.keyboard.press("End")
    newest = lab.checkpoints("long.ipynb")[-1]["id"]
    panel.locator(f"[data-checkpoint='{newest}'].jp-mod-current").wait_for()
    assert rows.count() < 100


def test_the_slider_fetches_what_it_goes_to(lab: Lab, page: Any) -> None:
    """From the newest straight to the oldest of a long history, with one key."""
    long = lab.folder / "long.ipynb"
    write_notebook(lab.folder / NAME)
    make_long_history(lab_settings(lab), long, 1000)
    open_notebook(page, lab, NAME)
    page.evaluate("void jupyterapp.commands.execute('docmanager:open', {path: 'long.ipynb'})")
    panel = open_history(page)
    panel.get_by_role("heading", name="long.ipynb").wait_for()
    slider = panel.get_by_label("Go through time")
    slider.wait_for()
    slider.focus()
    page.keyboard.press("Home")
    oldest = lab.checkpoints("long.ipynb")[0]["id"]
    current = panel.locator(f"[data-checkpoint='{oldest}'].jp-mod-current")
    current.wait_for()
    assert current.is_visible()
