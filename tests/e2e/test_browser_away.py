"""A tab is closed while a cell runs; its outputs stand in the notebook when it is opened again."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.access import is_flawless
from tests.support.drafting import the_drafts
from tests.support.editing import editor, save
from tests.support.lab import (
    TOKEN,
    Lab,
    chromium_page,
    hears_keys,
    idle,
    lab_over,
    listening,
    open_notebook,
    read_saved,
    saved_bytes,
    shoot,
    wait_until,
    write_notebook,
)
from tests.support.toasts import hear

pytestmark = [pytest.mark.browser, pytest.mark.slow]
NAME = "analysis.ipynb"
SLOW = (
    "import os, time; print('begun', flush=True)\n"
    "while not os.path.exists('go on'): time.sleep(0.05)\n"
    "print('finished while away')"
)


def last_cell(page: Any) -> Any:
    return page.locator(".jp-Notebook .jp-Cell").nth(3)


def put(page: Any, code: str) -> None:
    """Puts `code` into the last cell."""
    editor(page, 3).click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(code)


def run(page: Any, code: str) -> None:
    put(page, code)
    page.keyboard.press("Control+Enter")


def begin(page: Any, lab: Lab) -> None:
    """The slow cell runs, and the notebook is saved with it."""
    run(page, SLOW)
    area = last_cell(page).locator(".jp-OutputArea")
    wait_until("the cell runs", lambda: "begun" in area.inner_text())
    save(page)
    wait_until("it is saved", lambda: "finished while away" in (lab.folder / NAME).read_text())


def unseen(lab: Lab) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = lab.ask(f"rewind/api/v1/outputs?path={NAME}")["executions"]
    return found


def finish(lab: Lab) -> None:
    (lab.folder / "go on").touch()
    wait_until("its end", lambda: [e for e in unseen(lab) if e["finished"]])


def saved_outputs(lab: Lab) -> str:
    return json.dumps(read_saved(lab.folder / NAME)["cells"][3]["outputs"])


@pytest.mark.parametrize("kind", ["python3", "plain"])
def test_outputs_of_a_cell_that_went_on_stand_in_it_once(
    lab: Lab, page: Any, kind: str, plain_kernel: str
) -> None:
    """Close the page, the cell ends, open it: outputs and count; once, also when opened again."""
    write_notebook(lab.folder / NAME)
    use_kernel(lab, plain_kernel if kind == "plain" else kind)
    open_notebook(page, lab, NAME)
    idle(page)
    begin(page, lab)
    page.goto("about:blank")
    finish(lab)
    open_at(page, lab)
    hear(page, "went on while it was closed")
    cell = last_cell(page)
    # In the code and in the output; the cell may not be drawn yet when that is told.
    wait_until("it is shown", lambda: cell.inner_text().count("finished while away") == 2)
    cell.get_by_text("[1]:").wait_for()
    shoot(page, f"away-{kind}")
    wait_until("the save", lambda: "finished while away" in saved_outputs(lab))
    page.locator(".jp-Rewind-standing", has_text="Saved at").wait_for()
    before = saved_bytes(lab.folder / NAME)
    assert unseen(lab) == []
    page.goto("about:blank")
    with page.expect_response(lambda reply: "/rewind/api/v1/outputs?" in reply.url):
        open_at(page, lab)
    idle(page)
    wait_until("it is shown", lambda: cell.inner_text().count("finished while away") == 2)
    assert saved_bytes(lab.folder / NAME) == before


@pytest.mark.matrix
def test_a_cell_that_still_runs_is_followed_to_its_end(lab: Lab, page: Any) -> None:
    """Opened again before the end: what came so far is there, the rest follows by itself."""
    write_notebook(lab.folder / NAME)
    open_notebook(page, lab, NAME)
    idle(page)
    begin(page, lab)
    page.goto("about:blank")
    open_at(page, lab)
    cell = last_cell(page)
    wait_until("what came so far", lambda: "[*]" in cell.inner_text())
    area = cell.locator(".jp-OutputArea")
    wait_until("its output", lambda: "begun" in area.inner_text())
    (lab.folder / "go on").touch()
    wait_until("the end", lambda: "[1]:" in cell.inner_text())
    wait_until("all of it", lambda: "begun\nfinished while away" in area.inner_text())


def test_outputs_that_are_here_are_not_offered_as_edits(lab: Lab, page: Any) -> None:
    """The page was left before it could save that a cell had run: its outputs are in the notebook
    again, nothing is asked, and the draft, which holds no more, goes."""
    write_notebook(lab.folder / NAME)
    open_notebook(page, lab, NAME)
    idle(page)
    put(page, "40 + 2")
    save(page)
    page.route("**/api/contents/**", refuse_saves)
    page.keyboard.press("Control+Enter")
    page.locator(".jp-Rewind-standing", has_text="Kept as draft").wait_for()
    (draft,) = the_drafts(lab)
    page.goto("about:blank")
    page.unroute("**/api/contents/**")
    open_at(page, lab)
    hear(page, "went on while it was closed")
    wait_until("its end", lambda: draft["draft"] not in {d["draft"] for d in the_drafts(lab)})
    assert page.get_by_text("unsaved edits of").count() == 0
    area = last_cell(page).locator(".jp-OutputArea")
    wait_until("it is shown", lambda: "42" in area.inner_text())


def refuse_saves(route: Any) -> None:
    if route.request.method == "PUT":
        route.abort()
    else:
        route.continue_()


def test_outputs_of_a_changed_cell_are_shown_aside_and_newer_ones_stay(lab: Lab, page: Any) -> None:
    """The file was changed meanwhile: nothing is put in, and a notification shows what is kept."""
    path = lab.folder / NAME
    write_notebook(path)
    open_notebook(page, lab, NAME)
    idle(page)
    begin(page, lab)
    page.goto("about:blank")
    book = read_saved(path)
    book["cells"][3]["source"] = "mean(rows)  # changed elsewhere"
    path.write_text(json.dumps(book))
    finish(lab)
    open_at(page, lab)
    told = page.get_by_text("belong to no cell as it is now")
    told.first.wait_for()
    cell = last_cell(page)
    wait_until("it is shown", lambda: "changed elsewhere" in cell.inner_text())
    assert "finished while away" not in cell.inner_text()
    page.get_by_role("button", name="Show", exact=True).last.click()
    dialog = page.locator(".jp-Dialog")
    dialog.get_by_text("Its cell was changed since:").wait_for()
    area = dialog.locator(".jp-OutputArea")
    wait_until("it is shown", lambda: "finished while away" in area.inner_text())
    shoot(page, "away-lost")
    is_flawless(page, "access-away", ".jp-Dialog")


def test_notebook_7_brings_them_back_too(tmp_path: Path) -> None:
    """`jupyter notebook`: the same."""
    playwright = pytest.importorskip("playwright.sync_api")
    with (
        lab_over(tmp_path, "notebook") as server,
        playwright.sync_playwright() as tool,
        chromium_page(tool) as page,
    ):
        write_notebook(server.folder / NAME)
        address = f"{server.address}notebooks/{NAME}?token={TOKEN}"
        page.goto(address)
        hears_keys(page)
        page.wait_for_selector(".jp-Notebook .jp-CodeCell .cm-content")
        listening(page, server)
        begin(page, server)
        page.goto("about:blank")
        finish(server)
        page.goto(address)
        page.wait_for_selector(".jp-Notebook .jp-CodeCell .cm-content")
        area = last_cell(page).locator(".jp-OutputArea")
        wait_until("the outputs", lambda: "finished while away" in area.inner_text())


def open_at(page: Any, lab: Lab) -> None:
    page.goto(f"{lab.address}lab/tree/{NAME}?token={TOKEN}")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell .cm-content")


def use_kernel(lab: Lab, name: str) -> None:
    path = lab.folder / NAME
    book = read_saved(path)
    book["metadata"]["kernelspec"]["name"] = name
    path.write_text(json.dumps(book))


@pytest.fixture
def plain_kernel(tmp_path: Path, lab: Lab) -> str:
    """A kernel without Rewind, as those of other languages are."""
    folder = tmp_path / "home" / "data" / "kernels" / "plain"
    folder.mkdir(parents=True)
    spec = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Plain",
        "language": "python",
        "env": {"JUPYTER_REWIND_KERNELS_ENABLED": "false"},
    }
    (folder / "kernel.json").write_text(json.dumps(spec))
    return "plain"
