"""When a notebook is saved without being asked to, and what the status bar says of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.editing import append, append_away
from tests.support.lab import (
    PATIENCE,
    TOKEN,
    Lab,
    LabServer,
    chromium_page,
    hears_keys,
    idle,
    lab_over,
    listening,
    menu,
    open_notebook,
    read_saved,
    saved_bytes,
    shoot,
    wait_until,
    write_notebook,
)
from tests.support.panel import run_cell

pytestmark = [pytest.mark.browser, pytest.mark.slow]
NAME = "analysis.ipynb"


def standing(page: Any) -> str:
    return str(page.locator(".jp-Rewind-standing button").inner_text())


def says(page: Any, words: str, seconds: float = PATIENCE) -> None:
    wait_until(f"“{words}” in the status bar", lambda: standing(page).startswith(words), seconds)


def run_and_see(page: Any, code: str, words: str) -> None:
    """Runs `code` in the last cell to its end, which shows these words."""
    cell = page.locator(".jp-Notebook .jp-Cell").nth(3)
    prompt = cell.locator(".jp-InputPrompt")
    before = prompt.inner_text()
    run_cell(page, 3, code)
    wait_until("its end", lambda: prompt.inner_text() not in (before, "[*]:"))
    area = cell.locator(".jp-OutputArea")
    wait_until(f"“{words}” below the cell", lambda: words in area.inner_text())


def last_cell(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = read_saved(path)["cells"][3]
    return found


@pytest.fixture
def patient_lab(tmp_path: Path) -> Iterator[Lab]:
    """JupyterLab saves once an hour by itself: not just then when a test looks."""
    with LabServer(tmp_path, autosave_seconds=3600) as server:
        yield server.lab


def test_a_notebook_that_was_only_opened_is_not_saved(lab: Lab, page: Any) -> None:
    """Its kernel starts and says what it is; the bytes stay, and it counts as saved."""
    path = lab.folder / NAME
    write_notebook(path)
    before = path.read_bytes()
    open_notebook(page, lab, NAME)
    idle(page)
    model = "jupyterapp.shell.currentWidget.context.model"
    described = f"{model}.getMetadata('language_info')?.version !== undefined"
    wait_until("the kernel's description", lambda: page.evaluate(described))
    says(page, "Saved")
    assert page.evaluate(f"{model}.dirty") is False
    assert path.read_bytes() == before


@pytest.mark.matrix
def test_autosave_magic_sets_the_interval_of_one_notebook(lab: Lab, page: Any) -> None:
    """`%autosave 300`, `%autosave 0`, plain `%autosave`: they act and answer, without an error."""
    path = lab.folder / NAME
    write_notebook(path)
    open_notebook(page, lab, NAME)
    idle(page)
    run_and_see(page, "%autosave", "Autosaving every 10 seconds")
    run_and_see(page, "%autosave 300", "Autosaving every 300 seconds")
    run_and_see(page, "%autosave", "Autosaving every 300 seconds")
    wait_until("the save at its end", lambda: last_cell(path)["execution_count"] == 3)
    says(page, "Saved")
    run_and_see(page, "%autosave 0", "Autosave disabled")
    run_and_see(page, "%autosave", "Autosave disabled")
    assert page.locator("[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    text = saved_bytes(path)
    assert b"autosave 0" not in text, "with autosave off, the end of an execution saves nothing"
    shoot(page, "autosave")
    run_and_see(page, "%autosave 1", "Autosaving every 1 seconds")
    append(page, 3, "\n# typed")
    wait_until("the autosave", lambda: "# typed" in path.read_text())


def test_it_is_saved_when_an_execution_ends(lab: Lab, page: Any) -> None:
    """With an interval of an hour, the outputs are in the file as soon as the cell has ended."""
    path = lab.folder / NAME
    write_notebook(path)
    open_notebook(page, lab, NAME)
    idle(page)
    run_and_see(page, "%autosave 3600", "every 3600 seconds")
    run_and_see(page, "6 * 7", "42")
    wait_until("the save", lambda: "42" in json.dumps(last_cell(path)["outputs"]))
    says(page, "Saved at")


def test_what_a_running_cell_puts_out_is_saved_meanwhile(lab: Lab, page: Any) -> None:
    """Each line counts as unsaved until it is in the file, long before the cell has ended; so does
    it that outputs are hidden."""
    path = lab.folder / NAME
    write_notebook(path)
    open_notebook(page, lab, NAME)
    idle(page)
    run_cell(page, 3, "import time; [(print('line', at), time.sleep(0.5)) for at in range(99)]")
    says(page, "Unsaved")
    lines = re.compile(r"line (\d+)")
    wait_until("a save", lambda: len(lines.findall(path.read_text())) > 1)
    wait_until("another", lambda: len(lines.findall(path.read_text())) > 10)
    assert last_cell(path)["execution_count"] is None, "it runs still"
    page.evaluate("jupyterapp.commands.execute('notebook:interrupt-kernel')")
    wait_until("its end", lambda: last_cell(path)["execution_count"] == 1)
    says(page, "Saved at")
    page.evaluate("jupyterapp.commands.execute('notebook:hide-cell-outputs')")
    wait_until("the autosave", lambda: "collapsed" in last_cell(path)["metadata"])


def test_it_is_saved_when_the_page_is_left_and_when_it_is_closed(lab: Lab, page: Any) -> None:
    """Another tab in front: saved. Its own tab in JupyterLab closed: saved, without a question."""
    path = lab.folder / NAME
    write_notebook(path)
    open_notebook(page, lab, NAME)
    idle(page)
    run_and_see(page, "%autosave 3600", "every 3600 seconds")
    says(page, "Saved at")
    append(page, 3, "\n# left")
    leave = (
        "Object.defineProperty(document, 'visibilityState', {value: 'hidden', configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange'));"
        "delete document.visibilityState"
    )
    page.evaluate(leave)
    wait_until("the save", lambda: "# left" in path.read_text())
    append(page, 3, "\n# closed")
    page.evaluate("jupyterapp.shell.currentWidget.close()")
    wait_until("the save", lambda: "# closed" in path.read_text())
    wait_until("it is closed", lambda: page.locator(".jp-Notebook").count() == 0)
    assert page.locator(".jp-Dialog").count() == 0


def test_a_tab_that_is_closed_during_a_save_asks_nothing(patient_lab: Lab, page: Any) -> None:
    """What was typed since that save began is saved, too, and the tab is gone."""
    path = patient_lab.folder / NAME
    write_notebook(path)
    open_notebook(page, patient_lab, NAME)
    idle(page)
    held: list[Any] = []

    def hold(route: Any) -> None:
        if route.request.method == "PUT" and not held:
            held.append(route)
        else:
            route.continue_()

    page.route(f"**/api/contents/{NAME}*", hold)
    append(page, 3, "\n# begun")
    page.keyboard.press("Control+s")
    says(page, "Saving…")
    append(page, 3, " and more")
    page.evaluate("jupyterapp.shell.currentWidget.close()")
    wait_until("the save under way", lambda: page.wait_for_timeout(50) or held)
    held[0].continue_()
    wait_until("it is closed", lambda: page.locator(".jp-Notebook").count() == 0)
    assert b"# begun and more" in saved_bytes(path)


def test_the_status_bar_says_what_failed_and_what_to_do(patient_lab: Lab, page: Any) -> None:
    """A save that is refused: why, a way to keep a copy, and to try again."""
    lab = patient_lab
    path = lab.folder / NAME
    write_notebook(path)
    open_notebook(page, lab, NAME)
    idle(page)

    def refuse(route: Any) -> None:
        if route.request.method == "PUT":
            route.fulfill(status=507, json={"message": "The disk is full."})
        else:
            route.continue_()

    page.route(f"**/api/contents/{NAME}*", refuse)
    append(page, 3, "\n# refused")
    page.keyboard.press("Control+s")
    page.locator(".jp-Dialog").get_by_role("button").last.click()  # JupyterLab's own word of it
    says(page, "Not saved")
    shoot(page, "not-saved")
    page.locator(".jp-Rewind-standing button").click()
    dialog = page.locator(".jp-Dialog")
    dialog.get_by_text("The disk is full.").first.wait_for()
    shoot(page, "not-saved-why")
    with page.expect_download() as copy:
        dialog.get_by_role("button", name="Download a Copy").click()
    assert "# refused" in Path(copy.value.path()).read_text()
    page.unroute(f"**/api/contents/{NAME}*")
    page.locator(".jp-Rewind-standing button").click()
    page.locator(".jp-Dialog").get_by_role("button", name="Try Again").click()
    says(page, "Saved at")
    assert b"# refused" in saved_bytes(path)


def test_the_status_bar_says_offline_and_saves_when_the_server_is_back(lab: Lab, page: Any) -> None:
    """The network goes and comes back: nothing to click, the edits are in the file."""
    path = lab.folder / NAME
    write_notebook(path)
    open_notebook(page, lab, NAME)
    idle(page)
    page.context.set_offline(True)
    append_away(page, 3, "\n# offline")
    says(page, "Offline")
    shoot(page, "offline")
    page.context.set_offline(False)
    wait_until("the save", lambda: "# offline" in path.read_text())
    says(page, "Saved at")


def test_a_conflict_is_never_saved_over_unasked(patient_lab: Lab, page: Any) -> None:
    """The file changed elsewhere: JupyterLab asks; cancelled, nothing is written until you save.
    What is overwritten then is in the history."""
    lab = patient_lab
    path = lab.folder / NAME
    write_notebook(path)
    open_notebook(page, lab, NAME)
    idle(page)
    book = read_saved(path)
    book["cells"][0]["source"] = "# Changed elsewhere"
    path.write_text(json.dumps(book))
    theirs = path.read_bytes()
    append(page, 3, "\n# mine")
    page.keyboard.press("Control+s")
    page.locator(".jp-Dialog").get_by_role("button", name="Cancel").click()
    says(page, "Not saved: changed on disk")
    page.evaluate("window.dispatchEvent(new Event('blur'))")
    page.wait_for_timeout(1500)  # longer than a save that nobody asked for waits
    assert path.read_bytes() == theirs
    page.keyboard.press("Control+s")
    page.locator(".jp-Dialog").get_by_role("button", name="Overwrite").click()
    says(page, "Saved at")
    assert b"# mine" in saved_bytes(path)
    found = lab.ask(f"rewind/api/v1/search?path={NAME}&text=Changed%20elsewhere")
    assert [hit["first"]["reason"] for hit in found["hits"]] == ["external-change"]


def test_the_status_bar_says_what_became_of_the_file(patient_lab: Lab, page: Any) -> None:
    """Another program changes the file, then it is deleted: it holds not what is seen."""
    lab = patient_lab
    path = lab.folder / NAME
    write_notebook(path)
    open_notebook(page, lab, NAME)
    idle(page)
    page.wait_for_function("jupyterapp.serviceManager.events._socket?.readyState === 1")
    says(page, "Saved")
    book = read_saved(path)
    book["cells"][0]["source"] = "# Changed elsewhere"
    path.write_text(json.dumps(book))
    lab.ask(f"api/contents/{NAME}")  # as any look of another browser
    says(page, "Changed on disk")
    page.locator(".jp-Rewind-standing button").click()
    page.locator(".jp-Dialog").get_by_role("button", name="Reload").click()
    page.get_by_role("heading", name="Changed elsewhere").wait_for()
    says(page, "Saved")
    lab.delete(NAME)
    says(page, "Not on disk")


def test_a_file_that_cannot_be_written_is_said_to_be_read_only(lab: Lab, page: Any) -> None:
    """Opened, it is called read-only; edited, what to do is said."""
    path = lab.folder / NAME
    write_notebook(path)

    def unwritable(route: Any) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "writable": False})

    # The tests may run as root, to whom every file is writable.
    page.route(f"**/api/contents/{NAME}?*", unwritable)
    open_notebook(page, lab, NAME, is_kept=False)
    idle(page)
    says(page, "Read-only")
    append(page, 3, "\n# mine")
    button = page.locator(".jp-Rewind-standing button")
    wait_until("advice", lambda: "another name" in (button.get_attribute("title") or ""))


def test_the_settings_stand_in_the_settings_editor(lab: Lab, page: Any) -> None:
    """With titles and help; switched off, the end of an execution saves nothing."""
    write_notebook(lab.folder / NAME)
    open_notebook(page, lab, NAME)
    idle(page)
    menu(page, "Settings", "Settings Editor")
    page.locator(".jp-PluginList input").fill("Jupyter Rewind")
    page.get_by_text("Jupyter Rewind: saving").first.click()
    page.get_by_text("Save when an execution ends").first.wait_for()
    page.get_by_text("Save when you leave the page").first.wait_for()
    shoot(page, "settings")


@pytest.mark.matrix
def test_notebook_7_saves_and_says_so_too(tmp_path: Path) -> None:
    """`jupyter notebook`: the magic works, and the line beside the menus tells how things are."""
    playwright = pytest.importorskip("playwright.sync_api")
    with (
        lab_over(tmp_path, "notebook") as server,
        playwright.sync_playwright() as tool,
        chromium_page(tool) as page,
    ):
        path = server.folder / NAME
        write_notebook(path)
        page.goto(f"{server.address}notebooks/{NAME}?token={TOKEN}")
        hears_keys(page)
        page.wait_for_selector(".jp-Notebook .jp-CodeCell .cm-content")
        listening(page, server)
        run_and_see(page, "%autosave 3600", "every 3600 seconds")
        run_and_see(page, "%autosave", "every 3600 seconds")
        run_and_see(page, "6 * 7", "42")
        wait_until("the save", lambda: "6 * 7" in path.read_text())
        says(page, "Saved at")
        shoot(page, "saving-notebook7")
