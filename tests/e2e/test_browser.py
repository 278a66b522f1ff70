"""A new user in JupyterLab, in a real browser: edit, save, break, restore with Lab's own Revert.

Set SCREENSHOTS to a folder to get the pictures of the documentation.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.editing import append, editor, save
from tests.support.lab import (
    Lab,
    LabServer,
    menu,
    open_notebook,
    saved_bytes,
    shoot,
    wait_until,
    write_notebook,
)
from tests.support.panel import is_newest

pytestmark = pytest.mark.browser


@pytest.mark.slow
def test_labs_own_revert_brings_any_earlier_save_back(tmp_path: Path, page: Any) -> None:
    """You save, break the notebook, save again; Revert offers each save and brings it back."""
    with LabServer(tmp_path, autosave=False) as server:  # no other save comes between
        revert(server.lab, page)


def revert(lab: Lab, page: Any) -> None:
    path = lab.folder / "analysis.ipynb"
    write_notebook(path)
    open_notebook(page, lab, "analysis.ipynb")
    editor(page, 3).click()
    page.keyboard.press("Control+End")
    page.keyboard.type("\nprint('the good one')")
    save(page)
    wait_until("the first save", lambda: "the good one" in path.read_text())
    good = saved_bytes(path)
    shoot(page, "lab-edit")

    editor(page, 2).click()
    page.keyboard.press("Control+a")
    page.keyboard.type("# oh no: the function is gone")
    editor(page, 3).click()
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    save(page)
    wait_until("the second save", lambda: "oh no" in path.read_text())
    wait_until("its checkpoint", lambda: is_newest(lab, "oh no"))
    shoot(page, "lab-broken")

    menu(page, "File", "Revert Notebook to Checkpoint…")
    dialog = page.locator(".jp-Dialog")
    dialog.wait_for()
    chooser = dialog.locator("select")
    wait_until("why each was made", lambda: "Saved by hand" in chooser.inner_text())
    shoot(page, "lab-revert")
    # The chooser has the newest first; the good one is the one before it.
    assert chooser.locator("option").count() >= 2, dialog.inner_text()
    chooser.select_option(index=1)
    shoot(page, "lab-revert-chosen")
    dialog.get_by_role("button").last.click()
    page.locator(".jp-Dialog").get_by_text("is kept in the history").wait_for()
    sure = page.locator(".jp-Dialog .jp-mod-warn, .jp-Dialog .jp-mod-accept")

    def is_back() -> bool:
        # JupyterLab asks once more, in a second dialog that comes by itself.
        if sure.count():
            with suppress(Exception):  # the one that was just closed
                sure.last.click(timeout=2000)
        return path.read_bytes() == good

    wait_until("the good bytes on disk", is_back)
    page.get_by_text("the good one").first.wait_for()
    shoot(page, "lab-restored")
    # The file is there a moment before its checkpoint.
    wait_until(
        "its checkpoint", lambda: lab.checkpoints("analysis.ipynb")[-1]["reason"] == "restore"
    )


@pytest.mark.slow
def test_lab_saves_by_itself_ten_seconds_after_an_edit(lab: Lab, page: Any) -> None:
    """Nobody pressed anything: the edit is on the disk and in the history within seconds."""
    path = lab.folder / "auto.ipynb"
    write_notebook(path)
    open_notebook(page, lab, "auto.ipynb")
    append(page, 3, "\n# typed and never saved by hand")
    # JupyterLab alone does it every two minutes.
    wait_until("the autosave", lambda: "never saved by hand" in path.read_text(), 60)
    wait_until("its checkpoint", lambda: is_newest(lab, "never saved by hand", "auto.ipynb"))
    assert lab.checkpoints("auto.ipynb")[-1]["reason"] == "autosave"


@pytest.mark.slow
def test_a_state_can_be_saved_under_a_name(lab: Lab, page: Any) -> None:
    """File > Save and Name Checkpoint…: what you see is saved, and keeps that name."""
    path = lab.folder / "named.ipynb"
    write_notebook(path)
    open_notebook(page, lab, "named.ipynb")
    append(page, 3, "\n# worth a name")
    menu(page, "File", "Save and Name Checkpoint…")
    dialog = page.locator(".jp-Dialog")
    dialog.locator("input").fill("before the review")
    shoot(page, "lab-name")
    dialog.get_by_role("button", name="Save").click()

    def named() -> bool:
        return any("before the review" in one["labels"] for one in lab.checkpoints("named.ipynb"))

    wait_until("the name in the history", named)
    assert b"worth a name" in saved_bytes(path)
