"""The history of a notebook in JupyterLab's sidebar, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import json5
import pytest

from tests.support.access import is_flawless
from tests.support.editing import editor
from tests.support.lab import (
    TOKEN,
    Lab,
    LabServer,
    chromium_page,
    hears_keys,
    idle,
    listening,
    open_notebook,
    saved_bytes,
    shoot,
    wait_until,
    write_notebook,
)
from tests.support.panel import (
    NAME,
    entry_of,
    list_all,
    open_history,
    run_cell,
    save_with,
)
from tests.support.toasts import hear, keep

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    # A checkpoint stands for what the test saved, and no other comes between.
    with LabServer(tmp_path, autosave=False) as server:
        yield server.lab


@pytest.mark.matrix
def test_each_save_appears_in_the_sidebar_and_comes_back_with_one_click(
    lab: Lab, page: Any
) -> None:
    """Restore shows the old state at once; what was typed and not saved is kept; Undo works, also
    from another notebook's tab."""
    path = lab.folder / NAME
    write_notebook(path)
    write_notebook(lab.folder / "other.ipynb")
    open_notebook(page, lab, NAME)
    panel = open_history(page)
    save_with(page, lab, "print('the good one')")
    good = saved_bytes(path)
    entries = panel.locator(".jp-Rewind-entry")
    wait_until("the first entry, by itself", lambda: entries.count() >= 1)
    listed = entries.count()
    save_with(page, lab, "print('the bad one')")
    wait_until("the second entry, by itself", lambda: entries.count() > listed)
    first = lab.checkpoints(NAME)[-2]

    editor(page, 2).click()
    page.keyboard.press("Control+Home")
    page.keyboard.type("# never saved\n")
    shoot(page, "history-panel")
    entry_of(panel, first).get_by_text("Restore", exact=True).click()
    keep(page, "Restored the state of")
    assert path.read_bytes() == good
    notebook = page.locator(".jp-Notebook")
    notebook.get_by_text("the good one").first.wait_for()
    wait_until("the bad line gone", lambda: notebook.get_by_text("the bad one").count() == 0)
    shoot(page, "history-restored")

    page.evaluate("void jupyterapp.commands.execute('docmanager:open', {path: 'other.ipynb'})")
    panel.get_by_role("heading", name="other.ipynb").wait_for()
    page.get_by_role("button", name="Undo").click()
    wait_until("the edit that was never saved", lambda: "never saved" in path.read_text())
    page.locator(".lm-TabBar-tab", has_text=NAME).first.click()
    notebook.get_by_text("the bad one").first.wait_for()


def test_the_sidebar_says_what_the_notebook_is_called_now(lab: Lab, page: Any) -> None:
    """It is renamed while it is open: the heading follows, and its history is listed as before."""
    write_notebook(lab.folder / NAME)
    open_notebook(page, lab, NAME)
    panel = open_history(page)
    list_all(panel, lab)
    page.evaluate(f"jupyterapp.serviceManager.contents.rename('{NAME}', 'thesis.ipynb')")
    panel.get_by_role("heading", name="thesis.ipynb").wait_for()
    list_all(panel, lab, "thesis.ipynb")


def test_a_notebook_of_which_cells_were_left_out_is_drawn_anew(lab: Lab, page: Any) -> None:
    """JupyterLab 4.2.0 at times fails while it puts the restored cells in: they are there all the
    same, each once, and one types on."""
    path = lab.folder / NAME
    write_notebook(path)
    open_notebook(page, lab, NAME)
    panel = open_history(page)
    save_with(page, lab, "print('the good one')")
    save_with(page, lab, "print('the bad one')")
    good = lab.checkpoints(NAME)[-2]
    page.evaluate(
        """() => {
          const {content} = jupyterapp.shell.currentWidget;
          const insert = content._insertCell;
          content._insertCell = () => {
            content._insertCell = insert;
            throw new Error('Calls to EditorView.update are not allowed');
          };
        }"""
    )
    entry_of(panel, good).get_by_text("Restore", exact=True).click()
    hear(page, "Restored the state of")
    cells = page.locator(".jp-Notebook .jp-Cell")
    wait_until("the cells", lambda: cells.count() == 4)
    cells.nth(3).get_by_text("the good one").wait_for()
    save_with(page, lab, "print('and on')")
    assert "the good one" in path.read_text() and "the bad one" not in path.read_text()


def test_a_checkpoint_is_compared_named_pinned_and_found_again(lab: Lab, page: Any) -> None:
    """Compare shows old and new side by side; names and pins stand in the list and in the store."""
    write_notebook(lab.folder / NAME)
    open_notebook(page, lab, NAME)
    panel = open_history(page)
    save_with(page, lab, "print('first')")
    save_with(page, lab, "print('second')")
    entry = entry_of(panel, lab.checkpoints(NAME)[0])
    entry.get_by_text("Name…", exact=True).click()
    page.locator(".jp-Dialog input").fill("draft for Ada")
    page.locator(".jp-Dialog").get_by_role("button", name="Name").click()
    entry.get_by_text("draft for Ada").wait_for()
    entry.get_by_text("Pin", exact=True).click()
    entry.get_by_text("pinned", exact=True).wait_for()
    assert lab.checkpoints(NAME)[0]["labels"] == ["draft for Ada"]

    panel.get_by_role("searchbox").fill("ada")
    wait_until("one entry", lambda: panel.locator(".jp-Rewind-entry").count() == 1)
    panel.get_by_role("searchbox").fill("")
    entry.get_by_text("Compare", exact=True).click()
    comparison = page.locator(".jp-Rewind-comparison")
    comparison.get_by_text("draft for Ada").first.wait_for()
    comparison.get_by_label("On the right:").locator("option").first.wait_for(state="attached")
    comparison.locator(".jp-Notebook-diff").get_by_text("second").first.wait_for()
    is_flawless(page, "history-comparison", ".jp-Rewind-comparison", ".jp-Rewind-history")
    comparison.evaluate("view => (view.dataset.earlier = 'yes')")
    entry.get_by_text("Compare", exact=True).click()
    page.locator(".jp-Rewind-comparison:not([data-earlier])").wait_for()
    assert page.locator(".lm-TabBar-tab", has_text="compared").count() == 1


def test_a_text_is_found_in_versions_that_are_gone(lab: Lab, page: Any) -> None:
    """Typing and Enter searches all versions; the slider goes through time."""
    write_notebook(lab.folder / NAME)
    open_notebook(page, lab, NAME)
    panel = open_history(page)
    save_with(page, lab, "def fit_model(): pass")
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    save_with(page, lab, "print('without it')")
    save_with(page, lab, "print('more')")
    list_all(panel, lab)
    slider = panel.get_by_label("Go through time")
    slider.focus()
    page.keyboard.press("Home")
    oldest = lab.checkpoints(NAME)[0]["id"]
    panel.locator(f"[data-checkpoint='{oldest}'].jp-mod-current").wait_for()
    panel.get_by_role("searchbox").fill("fit_model")
    page.keyboard.press("Enter")
    hit = panel.locator(".jp-mod-hit", has_text="def fit_model(): pass")
    hit.first.wait_for()
    shoot(page, "history-search")
    hit.first.get_by_text("Restore", exact=True).click()
    wait_until("the function again", lambda: "fit_model" in (lab.folder / NAME).read_text())


def test_a_notebook_and_its_variables_come_back_together(lab: Lab, page: Any) -> None:
    """With variables: the file and the running kernel are as they were at that moment; Undo takes
    both back."""
    path = lab.folder / NAME
    write_notebook(path)
    open_notebook(page, lab, NAME)
    panel = open_history(page)
    idle(page)
    editor(page, 1).click()
    page.keyboard.press("Control+Enter")
    page.locator(".jp-OutputArea-output", has_text="[1, 2, 3]").first.wait_for()
    wait_until("the first state", lambda: 1 in cells_with_states(lab))
    save_with(page, lab, "print('first')")
    first = lab.checkpoints(NAME)[-1]
    assert kept_states(lab)[first["id"]] == 1
    run_cell(page, 1, "rows = [9]\nrows")
    page.locator(".jp-OutputArea-output", has_text="[9]").first.wait_for()
    wait_until("the second state", lambda: 2 in cells_with_states(lab))
    save_with(page, lab, "print('second')")
    entry_of(panel, first).get_by_text("With variables", exact=True).click()
    keep(page, "Restored the notebook and its variables")
    assert "first" in path.read_text() and "second" not in path.read_text()
    run_cell(page, 3, "sum(rows) * 1000")
    page.locator(".jp-OutputArea-output", has_text="6000").first.wait_for()
    page.locator(".Toastify").get_by_role("button", name="Undo").click()
    hear(page, "The restore is undone.")
    assert "second" in path.read_text()
    run_cell(page, 3, "sum(rows) * 1000")
    page.locator(".jp-OutputArea-output", has_text="9000").first.wait_for()


def cells_with_states(lab: Lab) -> set[int]:
    """The numbers of the only kernel's cells after which a state is kept."""
    return {state["count"] for state in lab.states(lab.kernels()[0]["id"])}


def kept_states(lab: Lab) -> dict[str, int]:
    """By checkpoint, the number of the cell whose state belongs to it."""
    states = lab.ask(f"rewind/api/v1/history?path={NAME}")["states"]
    return {name: state["count"] for name, state in states.items()}


def test_the_sidebar_says_what_failed_and_offers_to_try_again(lab: Lab, page: Any) -> None:
    """An error is shown as one; a history that cannot be had is not shown as an empty one."""

    def refuse(route: Any) -> None:
        # Until somebody tries again: the panel itself asks anew whenever it is told of something.
        if page.evaluate("window.isTried === true"):
            route.continue_()
        else:
            route.fulfill(status=503, body="no")

    write_notebook(lab.folder / NAME)
    page.route("**/rewind/api/v1/history*", refuse)
    open_notebook(page, lab, NAME)
    panel = open_history(page)
    panel.get_by_role("alert").wait_for()
    assert panel.get_by_text("Nothing is kept yet").count() == 0
    again = panel.get_by_role("button", name="Try again")
    again.evaluate("it => it.addEventListener('mousedown', () => (window.isTried = true))")
    again.click()
    entries = panel.locator(".jp-Rewind-entry")
    wait_until("what is kept", lambda: entries.count() == len(lab.checkpoints(NAME)))
    assert panel.get_by_role("alert").count() == 0


def test_notebook_7_has_the_same_sidebar(tmp_path: Path) -> None:
    """`jupyter notebook`: View > Show History lists each save and restores."""
    playwright = pytest.importorskip("playwright.sync_api")
    with (
        LabServer(tmp_path, "notebook", autosave=False) as running,
        playwright.sync_playwright() as tool,
        chromium_page(tool) as page,
    ):
        server = running.lab
        path = server.folder / NAME
        write_notebook(path)
        page.goto(f"{server.address}notebooks/{NAME}?token={TOKEN}")
        hears_keys(page)
        page.wait_for_selector(".jp-Notebook .jp-CodeCell .cm-content")
        page.locator(".jp-Notebook .jp-Cell >> text=mean(rows)").wait_for()
        wait_until("its first checkpoint", lambda: server.checkpoints(NAME))
        opened = server.checkpoints(NAME)[0]
        panel = open_history(page)
        save_with(page, server, "print('the good one')")
        good = saved_bytes(path)
        save_with(page, server, "print('the bad one')")
        entry = entry_of(panel, server.checkpoints(NAME)[-2])
        entry.get_by_text("Restore", exact=True).click()
        hear(page, "Restored the state of")
        assert path.read_bytes() == good
        shoot(page, "history-notebook7")
        entry_of(panel, opened).get_by_text("Compare", exact=True).click()
        comparison = page.locator(".jp-Rewind-comparison .jp-Notebook-diff")
        comparison.get_by_text("the good one").first.wait_for()
        assert page.evaluate("document.querySelector('.jp-Rewind-comparison').offsetHeight") > 200
        shoot(page, "history-notebook7-comparison")
        page.locator(".jp-Dialog").get_by_role("button", name="Close").click()
        listening(page, server)
        run_cell(page, 1, "rows = [3, 1, 2]")
        panel.get_by_role("button", name="States", exact=True).click()
        panel.locator("[data-state]").get_by_text("Compare", exact=True).first.click()
        states = page.locator(".jp-Dialog .jp-Rewind-states")
        states.get_by_text("Nothing differs").wait_for()
        shoot(page, "history-notebook7-states")
        page.locator(".jp-Dialog").get_by_role("button", name="Close").click()
        panel.get_by_text("Variables", exact=True).first.click()
        view = page.locator(".jp-Dialog .jp-Rewind-variables")
        view.get_by_role("button", name="Bring rows back").click()
        page.locator(".jp-Dialog").get_by_text("There is a variable rows already").wait_for()
        assert view.count() == 0


def test_runs_and_states_stand_between_the_checkpoints(lab: Lab, page: Any) -> None:
    """Each run of a cell with its first line and how it ended, each state of the kernel; what
    happens from then on appears by itself, and each kind can be left out."""
    write_notebook(lab.folder / NAME)
    open_notebook(page, lab, NAME)
    panel = open_history(page)
    runs, states = panel.locator("[data-execution]"), panel.locator("[data-state]")
    idle(page)
    run_cell(page, 1, "import time; time.sleep(1.1); rows = [3, 1, 2]")
    wait_until("the first state", lambda: 1 in cells_with_states(lab))
    save_with(page, lab, "print('first')")
    run_cell(page, 2, "rows[7]")
    page.locator(".jp-OutputArea-output", has_text="IndexError").first.wait_for()
    assert runs.count() == 0 and states.count() == 0
    panel.get_by_role("button", name="Runs", exact=True).click()
    panel.get_by_role("button", name="States", exact=True).click()
    wait_until("both runs", lambda: runs.count() == 2)
    failed, first = runs.nth(0), runs.nth(1)
    failed.get_by_text("failed: IndexError").wait_for()  # it may be listed before it has ended
    assert "[2]" in failed.inner_text() and "rows[7]" in failed.inner_text()
    assert "import time; time.sleep(1.1)" in first.inner_text()
    assert " s" in first.inner_text() and "failed" not in first.inner_text()
    states.get_by_text("State after [1]").wait_for()
    order = panel.locator("[data-checkpoint], [data-execution], [data-state]")
    kinds = order.evaluate_all("rows => rows.map(row => Object.keys(row.dataset)[0])")
    later, earlier = (at for at, kind in enumerate(kinds) if kind == "execution")
    assert {"checkpoint", "state"} <= set(kinds[later:earlier]), kinds
    run_cell(page, 3, "total = sum(rows)")
    wait_until("the third run, by itself", lambda: runs.count() == 3)
    states.get_by_text("State after [3]").wait_for()
    is_flawless(page, "history-runs", ".jp-Rewind-history")
    panel.get_by_role("searchbox").fill("indexerror")
    wait_until("only the run that failed", lambda: order.count() == 1)
    panel.get_by_role("searchbox").fill("")
    panel.get_by_role("button", name="Checkpoints", exact=True).click()
    panel.get_by_role("button", name="States", exact=True).click()
    wait_until("only runs", lambda: runs.count() == order.count() == 3)


def test_what_is_listed_and_left_out_holds_over_a_reload(lab: Lab, page: Any) -> None:
    """The kinds of entries, and whether comparisons leave outputs out, in all workspaces."""
    write_notebook(lab.folder / NAME)
    open_notebook(page, lab, NAME)
    panel = open_history(page)
    save_with(page, lab, "print('first')")
    save_with(page, lab, "print('second')")
    compare_oldest(panel, lab)
    comparison = page.locator(".jp-Rewind-comparison")
    comparison.get_by_label("Hide outputs").check()
    kinds = panel.locator(".jp-Rewind-kinds button")
    panel.get_by_role("button", name="Runs", exact=True).click()
    panel.get_by_role("button", name="States", exact=True).click()
    panel.get_by_role("button", name="Checkpoints", exact=True).click()
    settings = lab.folder.parent / "home" / "config" / "lab" / "user-settings"
    kept = settings / "jupyter-rewind" / "history.jupyterlab-settings"
    wanted = {"kinds": ["execution", "state"], "hideOutputs": True}

    def is_kept() -> bool:
        # The server empties the file before it writes to it.
        text = kept.read_text() if kept.exists() else ""
        return bool(text) and json5.loads(text) == wanted

    wait_until("the choice", is_kept)
    page.goto(f"{lab.address}lab/workspaces/other/tree/{NAME}?token={TOKEN}&reset")
    hears_keys(page)
    page.wait_for_selector(".jp-Notebook .jp-Cell >> text=mean(rows)")
    open_history(page)
    chosen = "buttons => buttons.map(each => each.getAttribute('aria-pressed')).join(' ')"
    wait_until("the kinds", lambda: kinds.evaluate_all(chosen) == "false true true")
    panel.get_by_role("button", name="Checkpoints", exact=True).click()
    compare_oldest(panel, lab)
    assert comparison.get_by_label("Hide outputs").is_checked()


def compare_oldest(panel: Any, lab: Lab) -> None:
    entry = entry_of(panel, lab.checkpoints(NAME)[0])
    entry.get_by_text("Compare", exact=True).click()
    panel.page.locator(".jp-Rewind-comparison .jp-Notebook-diff").wait_for()


def test_going_back_and_on_is_drawn_as_a_branch(lab: Lab, page: Any) -> None:
    """The line that was left stands beside the one that goes on from the restored state."""
    write_notebook(lab.folder / NAME)
    open_notebook(page, lab, NAME)
    panel = open_history(page)
    for number in ("one", "two", "three"):
        save_with(page, lab, f"print('{number}')")
    good = lab.checkpoints(NAME)[-3]
    beside = panel.locator(".jp-Rewind-graph b.jp-mod-column1")
    assert beside.count() == 0
    entry_of(panel, good).get_by_text("Restore", exact=True).click()
    wait_until("the line that was left", lambda: beside.count() == 2)
    hear(page, "Restored the state of")
    save_with(page, lab, "print('on from one')")
    listed = panel.locator("[data-checkpoint]")
    wait_until("the new line", lambda: listed.count() == len(lab.checkpoints(NAME)))
    columns = panel.locator(".jp-Rewind-graph b").evaluate_all(
        "dots => dots.map(dot => /column(\\d)/.exec(dot.className)[1]).join('')"
    )
    assert re.fullmatch("00+110+", columns), columns
    is_flawless(page, "history-branches", ".jp-Rewind-history")
