"""A state of a notebook beside what is open, the file, or another state, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.access import is_flawless
from tests.support.editing import editor
from tests.support.lab import (
    TOKEN,
    Lab,
    LabServer,
    hears_keys,
    open_notebook,
    shoot,
    wait_until,
    write_notebook,
)
from tests.support.panel import NAME, entry_of, open_history, save_with
from tests.support.toasts import keep

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    # What is typed stays unsaved until somebody saves.
    with LabServer(tmp_path, autosave=False) as server:
        yield server.lab


def test_a_checkpoint_is_compared_with_what_is_open(lab: Lab, page: Any) -> None:
    """The present is what stands in the tab, unsaved edits included; once the tab is closed it is
    the file, which could be chosen before."""
    write_notebook(lab.folder / NAME)
    open_notebook(page, lab, NAME)
    panel = open_history(page)
    save_with(page, lab, "print('kept')")
    editor(page, 2).click()
    page.keyboard.type("# never saved\n")
    entry = entry_of(panel, lab.checkpoints(NAME)[-1])
    entry.get_by_text("Compare", exact=True).click()
    comparison = page.locator(".jp-Rewind-comparison")
    comparison.locator(".jp-Notebook-diff").get_by_text("# never saved").first.wait_for()
    choice = comparison.get_by_label("On the right:")
    shown = choice.locator("option:checked")
    assert shown.inner_text() == "what is open now, with unsaved edits"
    choice.select_option(label="the file on disk now")
    comparison.get_by_text("Nothing differs.").wait_for()
    comparison.get_by_text("Edits that are not saved yet are not shown here.").wait_for()
    choice.select_option(label="what is open now, with unsaved edits")
    comparison.locator(".jp-Notebook-diff").get_by_text("# never saved").first.wait_for()
    other = lab.checkpoints(NAME)[0]["id"]
    choice.select_option(value=other)
    page.locator(".lm-TabBar-tab", has_text=NAME).first.get_by_title("Close").click()
    page.locator(".jp-Dialog").get_by_role("button", name="Discard").click()
    wait_until("the tab gone", lambda: page.locator(".jp-NotebookPanel").count() == 0)
    choice.select_option(value="open")
    comparison.get_by_text("Nothing differs.").wait_for()
    assert shown.inner_text() == "the file on disk now"


def test_one_cell_alone_comes_back_from_a_comparison(lab: Lab, page: Any) -> None:
    """Compare, Restore this cell: the other cells stay as they are; Undo takes it back."""
    path = lab.folder / NAME
    write_notebook(path)
    open_notebook(page, lab, NAME)
    panel = open_history(page)
    save_with(page, lab, "print('old call')")
    editor(page, 2).click()
    page.keyboard.type("# newer mean\n")
    editor(page, 3).click()
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    save_with(page, lab, "print('new call')")
    entry = entry_of(panel, lab.checkpoints(NAME)[-2])
    entry.get_by_text("Compare", exact=True).click()
    comparison = page.locator(".jp-Rewind-comparison")
    buttons = comparison.get_by_role("button", name="Restore this cell")
    wait_until("a button at each changed cell", lambda: buttons.count() == 2)
    shoot(page, "comparison-cells")
    choice = comparison.get_by_label("On the right:")
    choice.select_option(value=lab.checkpoints(NAME)[0]["id"])
    wait_until("the comparison with another state", lambda: buttons.count() == 1)
    choice.select_option(value="present")
    wait_until("the comparison with the file", lambda: buttons.count() == 2)
    # Whichever the user has looked at meanwhile, it is about this notebook.
    write_notebook(lab.folder / "other.ipynb")
    page.evaluate(
        "jupyterapp.commands.execute('docmanager:open', {path: 'other.ipynb'}).then(() => 0)"
    )
    panel.get_by_role("heading", name="other.ipynb").wait_for()
    page.locator(".lm-TabBar-tab", has_text="compared").first.click()
    cell = comparison.locator(".jp-Cell-diff", has_text="old call")
    cell.get_by_role("button", name="Restore this cell").click()
    keep(page, "Restored the cell of")
    saved = path.read_text()
    assert "old call" in saved and "newer mean" in saved and "new call" not in saved
    wait_until("nothing left to restore there", lambda: buttons.count() == 1)
    page.get_by_role("button", name="Undo").click()
    wait_until("the new cell again", lambda: "new call" in path.read_text())


def test_a_text_is_compared_side_by_side(lab: Lab, page: Any) -> None:
    """A script as it was found beside what is open: each changed line beside what it was."""
    name = "clean.py"
    (lab.folder / name).write_text("import re\n\n\ndef clean(text):\n    return text.strip()\n")
    page.goto(f"{lab.address}lab?token={TOKEN}")
    hears_keys(page)
    page.evaluate("path => { void jupyterapp.commands.execute('docmanager:open', {path}) }", name)
    text = page.locator(".jp-FileEditor .cm-content")
    text.get_by_text("import re").wait_for()
    wait_until("its first checkpoint", lambda: lab.checkpoints(name))
    panel = open_history(page)
    entry = entry_of(panel, lab.checkpoints(name)[0])
    entry.get_by_text("As it was found").wait_for()
    text.click()
    page.keyboard.press("Control+End")
    page.keyboard.insert_text("# never saved\n")
    entry.get_by_text("Compare", exact=True).click()
    comparison = page.locator(".jp-Rewind-comparison")
    comparison.locator("ins").get_by_text("# never saved").wait_for()
    assert comparison.locator("del").count() == 0
    assert comparison.get_by_label("Hide outputs").is_hidden()
    is_flawless(page, "text-comparison", ".jp-Rewind-comparison")
