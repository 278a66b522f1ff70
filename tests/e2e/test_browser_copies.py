"""What the status bar says of copies elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.lab import LabServer, open_notebook, shoot, wait_until, write_notebook

pytestmark = [pytest.mark.browser, pytest.mark.slow]
NAME = "analysis.ipynb"


def test_the_status_bar_says_how_far_behind_a_copy_is(tmp_path: Path, page: Any) -> None:
    """Everything is there; then the place is gone, which is said with what helps; then it is back,
    and nobody has to reload the page."""
    place = tmp_path / "replica"
    place.mkdir()
    config = f"c.Rewind.replica_url = {place.as_uri()!r}\nc.Rewind.replica_interval_seconds = 1\n"
    with LabServer(tmp_path, config=config) as server:
        write_notebook(server.lab.folder / NAME)
        open_notebook(page, server.lab, NAME)
        item = page.locator(".jp-Rewind-copies button")
        page.keyboard.press("Control+s")
        wait_until("that all is copied", lambda: item.count() and item.inner_text() == "Copied")
        place.rename(tmp_path / "away")
        page.keyboard.press("Escape")
        page.locator(".jp-Notebook .jp-Cell .cm-content").nth(3).click()
        page.keyboard.insert_text("# more")
        page.keyboard.press("Control+s")
        wait_until("that it is not copied", lambda: item.inner_text() == "Not copied")
        item.click()
        body = page.locator(".jp-Dialog-body").inner_text()
        assert str(place) in body and "lacks" in body and "This helps" in body
        shoot(page, "copies-failing")
        page.keyboard.press("Escape")
        (tmp_path / "away").rename(place)
        wait_until("that all is copied again", lambda: item.inner_text() == "Copied")
