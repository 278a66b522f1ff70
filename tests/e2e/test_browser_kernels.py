"""A kernel dies under an open notebook; the browser offers its variables, and brings them back."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from tests.support.access import is_flawless
from tests.support.lab import (
    Lab,
    connected,
    idle,
    menu,
    open_notebook,
    shoot,
    wait_until,
    write_notebook,
)
from tests.support.panel import run_cell
from tests.support.toasts import hear

pytestmark = [pytest.mark.browser, pytest.mark.slow]
NAME = "analysis.ipynb"


def outputs(page: Any, cell: int = 3) -> str:
    shown = page.locator(".jp-Notebook .jp-Cell").nth(cell)
    return str(shown.locator(".jp-OutputArea").inner_text())


def states(lab: Lab) -> set[int]:
    """The numbers of the only kernel's cells after which a state is kept."""
    return {one["count"] for one in lab.states(lab.kernels()[0]["id"])}


def is_answer(reply: Any) -> bool:
    """Whether this answers the click on Restore."""
    return bool(reply.request.method == "POST" and "/kernels/resumable" in reply.url)


@pytest.mark.matrix
def test_the_variables_of_a_killed_kernel_come_back_with_one_click(lab: Lab, page: Any) -> None:
    """kill -9: a notification says what was kept; Restore; the next cell has it all."""
    write_notebook(lab.folder / NAME)
    open_notebook(page, lab, NAME)
    idle(page)
    run_cell(page, 3, "import os; treasure = {'rows': [3, 1, 2]}; print('pid', os.getpid())")
    wait_until("the process id", lambda: "pid " in outputs(page))
    wait_until("its state", lambda: 1 in states(lab))
    os.kill(int(outputs(page).split("pid ")[1].split()[0]), signal.SIGKILL)
    told = page.get_by_text("The kernel of analysis.ipynb died. Its state after cell [1]")
    told.first.wait_for()
    shoot(page, "kernel-died")
    page.locator(".jp-Dialog").get_by_role("button", name="Ok").click()  # Lab's own word of it
    is_flawless(page, "kernel-offer", ".Toastify__toast")
    with page.expect_response(is_answer) as back:
        page.get_by_role("button", name="Restore", exact=True).last.click()
    assert back.value.ok, back.value.text()
    hear(page, back.value.json()["words"].splitlines()[0])
    shoot(page, "kernel-back")
    run_cell(page, 3, "print('back', treasure)")
    wait_until("the variable", lambda: "back {'rows': [3, 1, 2]}" in outputs(page))
    shoot(page, "kernel-restored")


def test_a_kernel_that_died_while_nobody_looked_is_offered_on_opening(lab: Lab, page: Any) -> None:
    """Close the page, the kernel is killed, open the notebook: what it had is offered at once, and
    comes back with one click, before any cell is run."""
    write_notebook(lab.folder / NAME)
    open_notebook(page, lab, NAME)
    idle(page)
    run_cell(page, 1, "import os; treasure = {'rows': [3, 1, 2]}; print('pid', os.getpid())")
    wait_until("the process id", lambda: "pid " in outputs(page, 1))
    wait_until("its state", lambda: 1 in states(lab))
    pid = int(outputs(page, 1).split("pid ")[1].split()[0])
    page.goto("about:blank")
    os.kill(pid, signal.SIGKILL)
    wait_until("the next kernel", lambda: len(lab.ask("rewind/api/v1/kernels")["runs"]) == 2)
    open_notebook(page, lab, NAME)
    hear(page, "The kernel of analysis.ipynb died. Its state after cell [1] was kept.")
    told = page.locator(".Toastify__toast", has_text="The kernel of analysis.ipynb died.")
    with page.expect_response(is_answer) as back:
        told.get_by_role("button", name="Restore", exact=True).click()
    assert back.value.ok, back.value.text()
    run_cell(page, 1, "print('back', treasure)")
    wait_until("the variable", lambda: "back {'rows': [3, 1, 2]}" in outputs(page, 1))


def test_a_restarted_kernel_is_offered_what_it_had(lab: Lab, page: Any) -> None:
    """Kernel > Restart on purpose: the same offer in other words; nothing comes back unasked."""
    write_notebook(lab.folder / NAME)
    open_notebook(page, lab, NAME)
    idle(page)
    run_cell(page, 3, "treasure = 1; print('done')")
    wait_until("the cell", lambda: "done" in outputs(page))
    wait_until("its state", lambda: 1 in states(lab))
    menu(page, "Kernel", "Restart Kernel…")
    page.locator(".jp-Dialog").get_by_role("button", name="Confirm Kernel Restart").click()
    hear(page, "The kernel of analysis.ipynb was restarted.")
    wait_until("the new kernel", lambda: connected(lab))
    idle(page)
    run_cell(page, 3, "print('treasure' in globals())")
    wait_until("nothing unasked", lambda: "False" in outputs(page))


def open_state(page: Any, count: int) -> Any:
    """The entry of a state in the history panel."""
    menu(page, "View", "Show History")
    panel = page.locator(".jp-Rewind-history")
    panel.get_by_role("button", name="States", exact=True).click()
    entry = panel.locator("[data-state]", has_text=f"State after [{count}]")
    entry.first.wait_for()
    return entry.first


def test_a_states_variables_are_shown_and_one_comes_back(lab: Lab, page: Any) -> None:
    """Name, type, size, what changed, how it is kept; a name that is taken is asked about."""
    write_notebook(lab.folder / NAME)
    open_notebook(page, lab, NAME)
    idle(page)
    run_cell(page, 3, "rows = [3, 1, 2]; gone = 'x' * 5000; log = open('run.log', 'w'); print(1)")
    wait_until("the first cell", lambda: "1" in outputs(page))
    run_cell(page, 3, "import json; rows.append(9); del gone; names = ['Ada']; print('two')")
    wait_until("the second cell", lambda: "two" in outputs(page))
    run_cell(page, 3, "rows = 'spoiled'; print('three')")
    wait_until("the third cell", lambda: "three" in outputs(page))
    wait_until("its states", lambda: {1, 2} <= states(lab))
    open_state(page, 2).get_by_text("Variables", exact=True).click()
    view = page.locator(".jp-Rewind-variables")
    view.get_by_role("heading", name="analysis.ipynb: State after [2]").wait_for()
    told = {
        row.get_attribute("data-variable"): row.inner_text()
        for row in view.locator("[data-variable]").all()
    }
    assert "list" in told["rows"] and "changed" in told["rows"] and "exact" in told["rows"]
    assert "4 items" in told["rows"] and "was: 3 items" in told["rows"]
    assert "gone" in told["gone"] and "Bring back" not in told["gone"]
    assert "new" in told["json"] and "by reference" in told["json"]
    assert "missing" in told["log"] and "run.log" in told["log"]
    is_flawless(page, "state-variables", ".jp-Rewind-variables", ".jp-Rewind-history")
    view.get_by_label("Only what changed").check()
    wait_until("only those", lambda: view.locator("[data-variable='log']").count() == 0)

    view.get_by_role("button", name="Bring rows back").click()
    dialog = page.locator(".jp-Dialog")
    dialog.get_by_text("There is a variable rows already").wait_for()
    assert dialog.get_by_role("textbox").input_value() == "rows_2"
    shoot(page, "state-name-taken")
    dialog.get_by_role("button", name="Bring Back").click()
    hear(page, "rows_2 is what rows was after cell [2].")
    page.locator(".lm-TabBar-tab", has_text=NAME).first.click()
    run_cell(page, 3, "print('now', rows, rows_2)")
    wait_until("both", lambda: "now spoiled [3, 1, 2, 9]" in outputs(page))


def test_two_states_are_compared_variable_by_variable(lab: Lab, page: Any) -> None:
    """Compare on a state: beside the running kernel first, then beside any other state; what it
    had can be brought back from there."""
    write_notebook(lab.folder / NAME)
    open_notebook(page, lab, NAME)
    idle(page)
    run_cell(page, 3, "rows = [3, 1, 2]; gone = 'x' * 5000; kept = 7; print('one')")
    wait_until("the first cell", lambda: "one" in outputs(page))
    run_cell(page, 3, "rows.append(9); del gone; names = ['Ada']; print('two')")
    wait_until("the second cell", lambda: "two" in outputs(page))
    run_cell(page, 3, "rows = 'spoiled'; print('three')")
    wait_until("the third cell", lambda: "three" in outputs(page))
    wait_until("its states", lambda: {1, 2} <= states(lab))
    open_state(page, 1).get_by_role("button", name="Compare").click()
    view = page.locator(".jp-Rewind-states")

    def told(name: str, side: str) -> str:
        return str(view.locator(f"[data-variable='{name}'] .jp-mod-{side}").inner_text())

    view.get_by_text("1 new, 1 changed, 1 gone, 1 the same.").wait_for()
    kept, now = told("rows", "left"), told("rows", "right")
    assert "3 items" in kept and "list · " in kept and "exact" in kept
    assert "'spoiled'" in now and "str · exact" in now
    assert told("names", "left") == told("gone", "right") == "not there"
    assert view.locator("[data-variable='kept']").count() == 0
    view.get_by_label("Also what is the same").check()
    view.locator("[data-variable='kept']").wait_for()
    is_flawless(page, "state-comparison", ".jp-Rewind-states", ".jp-Rewind-history")
    second = view.locator("option", has_text="State after [2]").get_attribute("value")
    view.get_by_label("On the right:").select_option(second)
    wait_until("the other state", lambda: "4 items" in told("rows", "right"))
    view.get_by_role("button", name="Bring gone back").click()
    hear(page, "gone is what gone was after cell [1].")
    page.locator(".lm-TabBar-tab", has_text=NAME).first.click()
    run_cell(page, 3, "print('now', len(gone))")
    wait_until("the variable", lambda: "now 5000" in outputs(page))


def test_all_variables_go_back_to_a_state_and_forth(lab: Lab, page: Any) -> None:
    """Restore variables on a state in the panel; the notification has an Undo."""
    write_notebook(lab.folder / NAME)
    open_notebook(page, lab, NAME)
    idle(page)
    run_cell(page, 3, "rows = [3, 1, 2]; print('one')")
    wait_until("the first cell", lambda: "one" in outputs(page))
    run_cell(page, 3, "rows = 'spoiled'; print('two')")
    wait_until("the second cell", lambda: "two" in outputs(page))
    wait_until("its states", lambda: {1, 2} <= states(lab))
    state = open_state(page, 1)
    state.get_by_text("Restore variables", exact=True).click()
    undo = page.locator(".Toastify").get_by_role("button", name="Undo")
    hear(page, "Undo")
    run_cell(page, 3, "print('now', rows); rows = 'other'")
    wait_until("the state", lambda: "now [3, 1, 2]" in outputs(page))
    wait_until("the first notification gone", lambda: undo.count() == 0)
    state.get_by_text("Restore variables", exact=True).click()
    undo.click()
    hear(page, "Undone")
    run_cell(page, 3, "print('then', rows)")
    wait_until("what was there before", lambda: "then other" in outputs(page))


def test_what_failed_is_told_where_no_kernel_runs(lab: Lab, page: Any) -> None:
    """A state outlives its kernel; bringing a variable back without one says what is missing."""
    write_notebook(lab.folder / NAME)
    open_notebook(page, lab, NAME)
    idle(page)
    run_cell(page, 3, "rows = [3, 1, 2]; print('one')")
    wait_until("the first cell", lambda: "one" in outputs(page))
    wait_until("its state", lambda: 1 in states(lab))
    menu(page, "Kernel", "Shut Down Kernel")
    wait_until("no kernel", lambda: not lab.kernels())
    page.wait_for_function("!jupyterapp.shell.currentWidget.sessionContext.session?.kernel")
    open_state(page, 1).get_by_text("Variables", exact=True).click()
    view = page.locator(".jp-Rewind-variables")
    view.get_by_role("button", name="Bring rows back").click()
    page.get_by_text("This notebook has no kernel now.").first.wait_for()
