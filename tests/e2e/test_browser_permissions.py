"""Servers on which a user may look and not write, or not see everything: words, and no surprise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.editing import append
from tests.support.lab import (
    LabServer,
    chromium_page,
    idle,
    menu,
    open_notebook,
    wait_until,
    write_notebook,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow]
NAME = "analysis.ipynb"
CONFIG = """
from jupyter_server.auth import Authorizer

class Some(Authorizer):
    def is_authorized(self, handler, user, action, resource):
        path = handler.request.path
        return not any(action == each and part in path for each, part in {refused})

c.ServerApp.authorizer_class = Some
"""


@contextmanager
def opened(tmp_path: Path, refused: set[tuple[str, str]]) -> Iterator[tuple[LabServer, Any]]:
    """A notebook, open on a server that refuses some actions below some paths."""
    playwright = pytest.importorskip("playwright.sync_api")
    config = CONFIG.format(refused=refused)
    with (
        # Each save that JupyterLab tried by itself would put its refusal over all else.
        LabServer(tmp_path, autosave=False, config=config) as server,
        playwright.sync_playwright() as tool,
        chromium_page(tool) as page,
    ):
        write_notebook(server.lab.folder / NAME)
        open_notebook(page, server.lab, NAME)
        idle(page)
        yield server, page


def standing(page: Any) -> str:
    button = page.locator(".jp-Rewind-standing button")
    return f"{button.inner_text()}: {button.get_attribute('title')}"


def close_dialogs(page: Any) -> None:
    """Closes what JupyterLab itself says of a refusal."""

    def is_closed() -> bool:
        if page.locator(".jp-Dialog").count():
            page.keyboard.press("Escape")
            page.wait_for_timeout(300)
        return bool(page.locator(".jp-Dialog").count() == 0)

    wait_until("no dialog", is_closed)


def test_whoever_may_only_read_sees_the_history_and_loses_no_edit(tmp_path: Path) -> None:
    """Saves and drafts are refused: the status bar says why, the edits stay in the browser, the
    history is shown, and a restore that is refused says so and changes nothing."""
    refused = {("write", "/api/contents"), ("write", "/rewind/")}
    with opened(tmp_path, refused) as (server, page):
        path = server.lab.folder / NAME
        before = path.read_bytes()
        append(page, 3, "\n# refused")
        page.keyboard.press("Control+s")
        page.locator(".jp-Dialog").first.wait_for()
        close_dialogs(page)
        wait_until("the standing", lambda: standing(page).startswith("Not saved"))
        assert "not authorized" in standing(page)
        wait_until("the place of the edits", lambda: "draft in this browser" in standing(page))
        menu(page, "View", "Show History")
        panel = page.locator(".jp-Rewind-history")
        panel.locator(".jp-Rewind-entry").first.wait_for()
        panel.get_by_text("Pin", exact=True).first.click()
        page.locator(".Toastify").get_by_text("Nothing changed.").first.wait_for()
        assert path.read_bytes() == before
        page.goto("about:blank")
        open_notebook(page, server.lab, NAME)
        told = page.get_by_text("Kept in this browser only")
        told.first.wait_for()
        with page.expect_download() as copy:
            page.get_by_role("button", name="Download").first.click()
        assert "# refused" in Path(copy.value.path()).read_text()
        assert copy.value.suggested_filename == "analysis.unsaved.ipynb"


def test_whoever_may_not_see_histories_is_told_when_asking(tmp_path: Path) -> None:
    """The notebook opens without a word; the sidebar and the commands say that it is refused."""
    refused = {("read", "/rewind/"), ("write", "/rewind/")}
    with opened(tmp_path, refused) as (_, page):
        assert page.locator(".Toastify__toast").count() == 0
        menu(page, "View", "Show History")
        panel = page.locator(".jp-Rewind-history")
        panel.get_by_role("alert").wait_for()
        assert "not authorized" in panel.get_by_role("alert").inner_text()
        assert panel.get_by_text("Nothing is kept yet").count() == 0
        menu(page, "View", "Show Unsaved Edits That Were Kept")
        page.locator(".Toastify").get_by_text("could not be listed").first.wait_for()
        page.evaluate("void jupyterapp.commands.execute('jupyter-rewind:bring-outputs')")
        page.locator(".Toastify").get_by_text("could not be fetched").first.wait_for()
        menu(page, "File", "Recover…")
        page.locator(".jp-Rewind-recovery").get_by_role("alert").wait_for()
