"""A login that ends while somebody types, with a real password, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.drafting import (
    NAME,
    TYPED,
    is_kept,
    offer,
    shelved,
    the_drafts,
    type_into,
)
from tests.support.editing import append_away
from tests.support.lab import Chromium, Lab, LabServer, idle, shoot, wait_until, write_notebook

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[LabServer]:
    """A server that wants a password."""
    with LabServer(tmp_path, autosave=False, password="correct horse") as running:
        yield running


def sign_in(page: Any, lab: Lab) -> None:
    """JupyterLab's own form, which stands before every page of whoever is not signed in."""
    page.goto(f"{lab.address}lab/workspaces/a/tree/{NAME}")
    page.locator("input[name=password]").fill(lab.password)
    page.locator("#login_submit").click()
    page.wait_for_selector(".jp-Notebook .jp-Cell >> text=mean(rows)")


def test_an_expired_login_loses_nothing(locked: LabServer, chromium: Chromium) -> None:
    """Signed out in another tab: what is typed stays in the browser, and reaches the server by
    itself once somebody signs in again."""
    lab = locked.lab
    write_notebook(lab.folder / NAME)
    page, other = chromium.page(), chromium.page()
    sign_in(page, lab)
    idle(page)
    type_into(page, 3, "\n# before")
    wait_until("the draft", lambda: is_kept(lab, "# before"))
    other.goto(f"{lab.address}logout")
    append_away(page, 3, f" {TYPED}")
    wait_until("the draft in the browser", lambda: TYPED in shelved(page))
    standing = page.locator(".jp-Rewind-standing", has_text="Kept in this browser")
    standing.wait_for()
    shoot(page, "signed-out")
    assert not is_kept(lab, TYPED)
    sign_in(other, lab)
    wait_until("the draft on the server", lambda: is_kept(lab, f"# before {TYPED}"))


def test_an_expired_login_and_a_killed_browser_lose_nothing(
    locked: LabServer, chromium: Chromium
) -> None:
    """Whoever signs in with the next start of the browser is offered what was typed meanwhile."""
    lab = locked.lab
    write_notebook(lab.folder / NAME)
    page = chromium.page()
    sign_in(page, lab)
    idle(page)
    chromium.context.clear_cookies()
    append_away(page, 3, f"\n{TYPED}")
    wait_until("the draft in the browser", lambda: TYPED in shelved(page))
    chromium.kill()
    assert the_drafts(lab) == []
    chromium.start()
    page = chromium.page()
    sign_in(page, lab)
    offer(page).get_by_role("button", name="Restore").click()
    page.get_by_text(TYPED).first.wait_for()
