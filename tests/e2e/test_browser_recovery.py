"""Bringing lost, deleted and broken notebooks back inside JupyterLab, in a real browser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.support.editing import append, save
from tests.support.lab import (
    TOKEN,
    Lab,
    chromium_page,
    hears_keys,
    lab_over,
    menu,
    open_notebook,
    read_saved,
    saved_bytes,
    shoot,
    wait_until,
    write_notebook,
)
from tests.support.panel import is_newest

pytestmark = [pytest.mark.browser, pytest.mark.slow]
NAME = "analysis.ipynb"


def keep_once(page: Any, lab: Lab) -> bytes:
    """A notebook with one kept save; its bytes."""
    path = lab.folder / NAME
    write_notebook(path)
    open_notebook(page, lab, NAME)
    # Once the kernel has told of itself: what it tells is saved, too.
    described = "jupyterapp.shell.currentWidget.context.model.getMetadata('language_info')?.version"
    wait_until("the kernel's description", lambda: page.evaluate(described))
    append(page, 2, "\n# kept")
    save(page)
    wait_until("the save", lambda: "# kept" in path.read_text())
    wait_until("its checkpoint", lambda: is_newest(lab, "# kept"))
    return saved_bytes(path)


def reopen(page: Any, lab: Lab) -> None:
    """Another browser window that opens the notebook."""
    page.goto("about:blank")
    page.goto(f"{lab.address}lab/workspaces/other/tree/{NAME}?token={TOKEN}&reset")


@pytest.mark.parametrize("damage", ["", '{"cells": [{"cell_ty'], ids=["empty", "cut"])
def test_a_damaged_notebook_opens_with_an_offer(lab: Lab, page: Any, damage: str) -> None:
    """One click brings the last good state back; no error is left on the screen."""
    raw = keep_once(page, lab)
    page.goto("about:blank")
    (lab.folder / NAME).write_text(damage)
    reopen(page, lab)
    dialog = page.locator(".jp-Dialog")
    dialog.get_by_text(f"{NAME} is damaged").wait_for()
    shoot(page, f"damage-offer-{len(damage)}")
    dialog.get_by_role("button", name="Restore the last good state").click()
    page.locator(".jp-Notebook").get_by_text("# kept").first.wait_for()
    assert (lab.folder / NAME).read_bytes() == raw
    assert page.locator(".jp-Dialog").count() == 0


def test_a_damaged_notebook_without_a_good_state_is_recovered(lab: Lab, page: Any) -> None:
    """Whole cells of a broken file are shown with their origin before anything is written."""
    path = lab.folder / NAME
    write_notebook(path)
    broken = path.read_text()[:-200]
    path.write_text(broken)
    page.goto(f"{lab.address}lab/tree/{NAME}?token={TOKEN}")
    dialog = page.locator(".jp-Dialog")
    dialog.get_by_text(f"{NAME} is damaged").wait_for()
    shoot(page, "damage-offer-none")
    dialog.get_by_role("button", name="Cancel").click()
    # The question was answered: no error follows, and no empty tab is left.
    tabs = page.locator(".jp-NotebookPanel")
    wait_until("nothing left of it", lambda: dialog.count() + tabs.count() == 0)
    page.evaluate("path => { void jupyterapp.commands.execute('docmanager:open', {path}) }", NAME)
    dialog.get_by_role("button", name="Recover…").click()
    wait_until("no empty tab", lambda: tabs.count() == 0)
    view = page.locator(".jp-Rewind-recovery")
    view.get_by_role("heading", name=f"What can be brought back of {NAME}").wait_for()
    view.frame_locator("iframe").get_by_text("sorted(rows)").first.wait_for()
    wait_until("no dialog any more", lambda: page.locator(".jp-Dialog").count() == 0)
    made = lab.folder / "analysis.recovered.ipynb"
    assert not made.exists()
    shoot(page, "recovery-preview")
    view.get_by_role("button", name="Write and open it").click()
    page.locator(".jp-Notebook").get_by_text("sorted(rows)").first.wait_for()
    assert path.read_text() == broken
    assert any("sorted(rows)" in cell.source for cell in nbformat.read(made, 4).cells)


@pytest.mark.matrix
def test_a_folder_shows_what_was_deleted_and_brings_it_back(lab: Lab, page: Any) -> None:
    """File browser, context menu, Recover…: a deleted notebook is there again with one click."""
    raw = keep_once(page, lab)
    (lab.folder / "other.ipynb").write_bytes(raw)
    page.locator(".jp-DirListing-item", has_text=NAME).click(button="right")
    delete = re.compile("^(Move to Trash|Delete)")  # the latter in JupyterLab 4.2
    page.get_by_role("menuitem", name=delete).click()
    page.locator(".jp-Dialog").get_by_role("button").filter(has_text=delete).click()
    items = page.locator(".jp-DirListing-item", has_text=NAME)
    wait_until("the file gone from the list", lambda: items.count() == 0)
    # With jupyter-collaboration, JupyterLab 4.2 leaves it open.
    page.evaluate("void jupyterapp.commands.execute('application:close-all')")
    wait_until("its tab gone", lambda: page.locator(".jp-Notebook").count() == 0)
    wait_until("its end in the history", lambda: NAME in lab.deleted())
    page.locator(".jp-DirListing-content").click(button="right", position={"x": 60, "y": 300})
    page.get_by_role("menuitem", name="Recover…").click()
    view = page.locator(".jp-Rewind-recovery")
    view.get_by_role("heading", name="Deleted files").wait_for()
    shoot(page, "recovery-folder")
    view.locator(f"[data-path='{NAME}']").get_by_role("button", name="Undelete").click()
    page.locator(".jp-Notebook").get_by_text("# kept").first.wait_for()
    assert (lab.folder / NAME).read_bytes() == raw


def test_the_launcher_looks_in_its_folder(lab: Lab, page: Any) -> None:
    """Launcher, Recover Notebooks: what was run and never saved is offered and shown."""
    write_notebook(lab.folder / NAME)
    (lab.folder / ".ipynb_checkpoints").mkdir()
    richer = nbformat.read(lab.folder / NAME, 4)
    richer.cells.append(nbformat.v4.new_code_cell("the_lost_one = 41 + 1", id="lost"))
    nbformat.write(richer, lab.folder / ".ipynb_checkpoints" / "analysis-checkpoint.ipynb")
    (lab.folder / NAME).write_bytes(b"\0" * 4096)
    page.goto(f"{lab.address}lab?token={TOKEN}")
    hears_keys(page)
    page.locator(".jp-LauncherCard", has_text="Recover Notebooks").click()
    view = page.locator(".jp-Rewind-recovery")
    row = view.locator(f"[data-path='{NAME}']")
    row.first.wait_for()
    shoot(page, "recovery-launcher")
    row.first.get_by_role("button", name="Show what").click()
    view.frame_locator("iframe").get_by_text("the_lost_one").first.wait_for()


@pytest.mark.matrix
def test_notebook_7_recovers_too(tmp_path: Path) -> None:
    """Notebook 7's file list has Recover…, which shows the notebook and writes it."""
    playwright = pytest.importorskip("playwright.sync_api")
    with (
        lab_over(tmp_path, "notebook") as server,
        playwright.sync_playwright() as tool,
        chromium_page(tool) as page,
    ):
        path = server.folder / NAME
        write_notebook(path)
        path.write_text(path.read_text()[:-200])
        page.goto(f"{server.address}tree?token={TOKEN}")
        page.locator(".jp-DirListing-item", has_text=NAME).click(button="right")
        page.get_by_role("menuitem", name="Recover…").click()
        view = page.locator(".jp-Rewind-recovery")
        view.frame_locator("iframe").get_by_text("sorted(rows)").first.wait_for()
        shoot(page, "recovery-notebook7")
        view.get_by_role("button", name="Write and open it").click()
        made = server.folder / "analysis.recovered.ipynb"
        wait_until("the new file", made.exists)
        assert read_saved(made)["cells"]


def test_what_fails_is_said_and_can_be_tried_again(lab: Lab, page: Any) -> None:
    """A server that refuses is quoted; an error is not shown as an empty list."""
    write_notebook(lab.folder / NAME)
    page.route("**/rewind/api/v1/recover*", lambda route: route.fulfill(status=503, body="no"))
    open_notebook(page, lab, NAME)
    menu(page, "File", "Recover…")
    view = page.locator(".jp-Rewind-recovery")
    view.get_by_role("alert").wait_for()
    page.unroute("**/rewind/api/v1/recover*")
    view.get_by_role("button", name="Try again").click()
    view.get_by_text("Where it was looked").wait_for()
