"""Notebook 7: what is offered there after a crash of the browser or of a kernel."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.support.drafting import NAME, TYPED, is_kept, offer, shown, type_into
from tests.support.lab import (
    TOKEN,
    Chromium,
    Lab,
    LabServer,
    hears_keys,
    listening,
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
