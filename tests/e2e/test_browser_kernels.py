"""A kernel dies under an open notebook; the browser offers its variables, and brings them back."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from tests.support.lab import (
    Lab,
    idle,
    menu,
    open_notebook,
    shoot,
    wait_until,
    write_notebook,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow]
NAME = "analysis.ipynb"


def run_last_cell(page: Any, code: str) -> None:
    """Puts `code` into the last cell and runs it."""
    cell = page.locator(".jp-Notebook .jp-Cell .cm-content").nth(3)
    cell.click()
    page.keyboard.press("Control+a")
    page.keyboard.type(code)
    page.keyboard.press("Control+Enter")


def outputs(page: Any) -> str:
    return str(page.locator(".jp-Notebook .jp-Cell").nth(3).locator(".jp-OutputArea").inner_text())


def is_answer(reply: Any) -> bool:
    """Whether this answers the click on Restore."""
    return bool(reply.request.method == "POST" and "/kernels/resumable" in reply.url)


@pytest.mark.matrix
def test_the_variables_of_a_killed_kernel_come_back_with_one_click(lab: Lab, page: Any) -> None:
    """kill -9: a notification says what was kept; Restore; the next cell has it all."""
    write_notebook(lab.folder / NAME)
    open_notebook(page, lab, NAME)
    idle(page)
    run_last_cell(page, "import os; treasure = {'rows': [3, 1, 2]}; print('pid', os.getpid())")
    wait_until("the process id", lambda: "pid " in outputs(page))
    kernel = lab.kernels()[0]["id"]
    wait_until("its state", lambda: lab.states(kernel))
    os.kill(int(outputs(page).split("pid ")[1].split()[0]), signal.SIGKILL)
    told = page.get_by_text("The kernel of analysis.ipynb died. Its state after cell [1]")
    told.first.wait_for()
    shoot(page, "kernel-died")
    page.locator(".jp-Dialog").get_by_role("button", name="Ok").click()  # Lab's own word of it
    shoot(page, "kernel-offer")
    with page.expect_response(is_answer) as back:
        page.get_by_role("button", name="Restore", exact=True).last.click()
    assert back.value.ok, back.value.text()
    page.locator(".Toastify").get_by_text(back.value.json()["words"].splitlines()[0]).wait_for()
    shoot(page, "kernel-back")
    run_last_cell(page, "print('back', treasure)")
    wait_until("the variable", lambda: "back {'rows': [3, 1, 2]}" in outputs(page))
    shoot(page, "kernel-restored")


def test_a_restarted_kernel_is_offered_what_it_had(lab: Lab, page: Any) -> None:
    """Kernel > Restart on purpose: the same offer in other words; nothing comes back unasked."""
    write_notebook(lab.folder / NAME)
    open_notebook(page, lab, NAME)
    idle(page)
    run_last_cell(page, "treasure = 1; print('done')")
    wait_until("the cell", lambda: "done" in outputs(page))
    kernel = lab.kernels()[0]["id"]
    wait_until("its state", lambda: lab.states(kernel))
    menu(page, "Kernel", "Restart Kernel…")
    page.locator(".jp-Dialog").get_by_role("button", name="Confirm Kernel Restart").click()
    page.get_by_text("The kernel of analysis.ipynb was restarted.").first.wait_for()
    run_last_cell(page, "print('treasure' in globals())")
    wait_until("nothing unasked", lambda: "False" in outputs(page))
