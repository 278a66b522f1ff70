"""Edits that nobody saved stay kept whatever is clicked: after an Undo, and for another browser or
another tab."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.drafting import NAME, TYPED, is_kept, offer, shown, the_drafts, type_into
from tests.support.editing import append, editor, save
from tests.support.lab import (
    Chromium,
    LabServer,
    open_notebook,
    shoot,
    wait_until,
    write_notebook,
)
from tests.support.toasts import hear, keep

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LabServer]:
    # What is typed stays unsaved until somebody saves.
    with LabServer(tmp_path, autosave=False) as running:
        yield running


@pytest.fixture
def other(chromium: Chromium, tmp_path: Path) -> Iterator[Chromium]:
    """Another browser, with a profile of its own."""
    browser = Chromium(chromium.tool, tmp_path / "another-profile")
    yield browser
    browser.close()


def leave_edits(server: LabServer, chromium: Chromium) -> Any:
    """A browser that was killed after somebody typed, and the page of the next."""
    write_notebook(server.lab.folder / NAME)
    page = chromium.page()
    open_notebook(page, server.lab, NAME)
    type_into(page, 3, f"\n{TYPED}")
    wait_until("the draft", lambda: is_kept(server.lab, TYPED))
    chromium.kill()
    chromium.start()
    page = chromium.page()
    open_notebook(page, server.lab, NAME)
    return page


def test_undo_of_a_restored_draft_keeps_the_draft(server: LabServer, chromium: Chromium) -> None:
    """Restore, then Undo: the edits are offered again, come back again, and go once saved. What is
    typed meanwhile stays, whatever is clicked."""
    page = leave_edits(server, chromium)
    cells = page.locator(".jp-Notebook")
    offer(page).wait_for()
    type_into(page, 1, "\n# typed since")
    offer(page).get_by_role("button", name="Restore").click()
    cells.get_by_text(TYPED).first.wait_for()
    back = keep(page, "are back in")
    assert "# typed since" in shown(page)
    append(page, 2, "\n# and on")
    page.get_by_role("button", name="Undo").click()
    wait_until("the state before", lambda: cells.get_by_text(TYPED).count() == 0)
    assert {"# typed since", "# and on"} <= set(shown(page).splitlines())
    # Else it would be taken for the second one.
    back.wait_for(state="detached")
    assert is_kept(server.lab, TYPED)
    offer(page).get_by_role("button", name="Restore").click()
    cells.get_by_text(TYPED).first.wait_for()
    # From then on the page hears of a save.
    back.wait_for()
    editor(page, 3).click()
    save(page)
    assert TYPED in (server.lab.folder / NAME).read_text()
    wait_until("no draft left", lambda: the_drafts(server.lab) == [])


def test_another_browser_cannot_drop_what_is_typed_in_this_one(
    server: LabServer, chromium: Chromium, other: Chromium
) -> None:
    """It is told that the edits are somebody's, can look at them, and deletes nothing."""
    write_notebook(server.lab.folder / NAME)
    mine = chromium.page()
    open_notebook(mine, server.lab, NAME)
    type_into(mine, 3, f"\n{TYPED}")
    wait_until("the draft", lambda: is_kept(server.lab, TYPED))
    page = other.page()
    open_notebook(page, server.lab, NAME)
    told = page.locator(".Toastify__toast", has_text="made in another browser")
    told.wait_for()
    shoot(page, "draft-of-another-browser")
    assert told.get_by_role("button", name="Discard").count() == 0
    told.get_by_role("button", name="Dismiss").click()
    told.wait_for(state="detached")
    assert is_kept(server.lab, TYPED)
    menu_of_edits(page)
    told.get_by_role("button", name="Restore").click()
    page.locator(".jp-Notebook").get_by_text(TYPED).first.wait_for()
    chromium.kill()
    assert is_kept(server.lab, TYPED)
    chromium.start()
    mine = chromium.page()
    open_notebook(mine, server.lab, NAME)
    offer(mine).get_by_role("button", name="Restore").wait_for()


def test_pages_without_locks_know_each_other(server: LabServer, chromium: Chromium) -> None:
    """As over plain http: what is typed in one tab is no other tab's to offer, until that one is
    gone."""
    write_notebook(server.lab.folder / NAME)
    chromium.context.add_init_script("Object.defineProperty(navigator, 'locks', {})")
    one, two, three = (chromium.page() for _ in range(3))
    open_notebook(one, server.lab, NAME)
    assert one.evaluate("navigator.locks === undefined")
    type_into(one, 3, f"\n{TYPED}")
    wait_until("the draft", lambda: is_kept(server.lab, TYPED))
    open_notebook(two, server.lab, NAME)
    menu_of_edits(two)
    hear(two, "saved or in an open tab")
    one.close(run_before_unload=False)
    open_notebook(three, server.lab, NAME)
    offer(three).get_by_role("button", name="Restore").wait_for()
    assert not two.evaluate("[...rewindTold].some(each => each.includes('unsaved edits of'))")


def menu_of_edits(page: Any) -> None:
    page.evaluate("void jupyterapp.commands.execute('jupyter-rewind:show-drafts')")


def test_a_rename_leaves_unsaved_edits_unsaved(server: LabServer, chromium: Chromium) -> None:
    """The tab goes on saying that they are not in the file, and a save brings them there."""
    write_notebook(server.lab.folder / NAME)
    page = chromium.page()
    open_notebook(page, server.lab, NAME)
    type_into(page, 3, f"\n{TYPED}")
    wait_until("the draft", lambda: is_kept(server.lab, TYPED))
    page.evaluate("name => jupyterapp.serviceManager.contents.rename(name, 'thesis.ipynb')", NAME)
    page.locator(".lm-TabBar-tab", has_text="thesis.ipynb").first.wait_for()
    standing = page.locator(".jp-Rewind-standing")
    standing.get_by_text("Kept as draft").wait_for()
    editor(page, 3).click()
    save(page)
    assert TYPED in (server.lab.folder / "thesis.ipynb").read_text()
