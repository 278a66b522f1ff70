"""Notebook 7: what is offered there after a crash of the browser, the server or a kernel, and what
becomes of what gave way."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.support.drafting import (
    NAME,
    TYPED,
    is_kept,
    offer,
    shelved,
    shown,
    the_drafts,
    type_into,
)
from tests.support.editing import append_away
from tests.support.lab import (
    TOKEN,
    Chromium,
    Lab,
    LabServer,
    hears_keys,
    listening,
    menu,
    shoot,
    wait_until,
    write_notebook,
)
from tests.support.panel import run_cell
from tests.support.toasts import hear

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def open_page(chromium: Chromium, lab: Lab) -> Any:
    page = chromium.page()
    page.goto(f"{lab.address}notebooks/{NAME}?token={TOKEN}")
    hears_keys(page)
    page.locator(".jp-Notebook .jp-Cell >> text=mean(rows)").wait_for()
    listening(page, lab)
    return page


def has_state(lab: Lab) -> bool:
    return any(lab.states(each["id"]) for each in lab.kernels())


@pytest.mark.matrix
def test_edits_and_variables_come_back_after_a_crash(tmp_path: Path, chromium: Chromium) -> None:
    """kill -9 of the browser, then of the kernel: each is offered in the page, and one click
    brings it back."""
    with LabServer(tmp_path, "notebook", autosave=False) as server:
        lab = server.lab
        write_notebook(lab.folder / NAME)
        page = open_page(chromium, lab)
        type_into(page, 3, f"\n{TYPED}")
        wait_until("the draft", lambda: is_kept(lab, TYPED))
        chromium.kill()
        chromium.start()
        page = open_page(chromium, lab)
        assert TYPED not in shown(page)
        offer(page).get_by_role("button", name="Restore").click()
        hear(page, "are back in")
        shoot(page, "notebook7-draft")
        assert TYPED in shown(page)

        run_cell(page, 1, "import os; treasure = 7; print('pid', os.getpid(), 'is it')")
        wait_until("the process id", lambda: re.search(r"pid \d+ is it", shown(page)))
        wait_until("its state", lambda: has_state(lab))
        os.kill(int(shown(page).split("pid ")[-1].split()[0]), signal.SIGKILL)
        told = page.locator(".Toastify__toast", has_text=f"The kernel of {NAME} died.")
        told.wait_for()
        shoot(page, "notebook7-kernel")
        page.locator(".jp-Dialog").get_by_role("button", name="Ok").click()
        told.get_by_role("button", name="Restore").click()
        hear(page, "variable")
        run_cell(page, 1, "print('back', treasure + 1)")
        wait_until("the variable", lambda: "back 8" in shown(page))


def test_two_tabs_and_a_killed_server_lose_nothing(tmp_path: Path, chromium: Chromium) -> None:
    """Both type, the server is killed, both go on: the next server has what each of them typed."""
    with LabServer(tmp_path, "notebook", autosave=False) as server:
        lab = server.lab
        write_notebook(lab.folder / NAME)
        pages = {"one": open_page(chromium, lab), "two": open_page(chromium, lab)}
        for cell, (word, page) in enumerate(pages.items(), 2):
            type_into(page, cell, f"\n# {word}")
            wait_until("its draft", lambda said=word: is_kept(lab, f"# {said}"))
        server.kill()
        for cell, (word, page) in enumerate(pages.items(), 2):
            append_away(page, cell, " goes on")
            wait_until(
                "its browser", lambda page=page, said=word: f"{said} goes on" in shelved(page)
            )
        server.start()
        for word in pages:
            wait_until("the draft", lambda said=word: is_kept(lab, f"# {said} goes on"))
        assert len(the_drafts(lab)) == 2


def change_elsewhere(path: Path, title: str) -> None:
    # JupyterLab takes what changes within half a second of its own save for that save, and asks
    # nothing.
    wait_until("JupyterLab to tell them apart", lambda: time.time() - path.stat().st_mtime > 1)
    book = nbformat.read(path, 4)
    book.cells[0].source = title
    nbformat.write(book, path)


def test_the_loser_of_a_conflict_is_kept(tmp_path: Path, chromium: Chromium) -> None:
    """The file changed elsewhere: what Overwrite gives up is in the history, and what Revert does
    is among the unsaved edits."""
    with LabServer(tmp_path, "notebook", autosave=False) as server:
        lab = server.lab
        path = lab.folder / NAME
        write_notebook(path)
        page = open_page(chromium, lab)
        type_into(page, 3, "\n# mine")
        change_elsewhere(path, "# Theirs")
        page.keyboard.press("Control+s")
        dialog = page.locator(".jp-Dialog")
        dialog.get_by_role("button", name="Overwrite").click()
        wait_until("the save", lambda: "# mine" in path.read_text())
        hits = lab.ask(f"rewind/api/v1/search?path={NAME}&text=Theirs")["hits"]
        assert [each["first"]["reason"] for each in hits] == ["external-change"]

        type_into(page, 3, f"\n{TYPED}")
        wait_until("the draft", lambda: is_kept(lab, TYPED))
        change_elsewhere(path, "# Theirs again")
        page.keyboard.press("Control+s")
        dialog.get_by_role("button", name="Revert").click()
        page.locator(".jp-Notebook").get_by_text("Theirs again").wait_for()
        assert TYPED not in shown(page)
        menu(page, "View", "Show Unsaved Edits That Were Kept")
        offer(page).get_by_role("button", name="Restore").click()
        hear(page, "are back in")
        assert TYPED in shown(page)
