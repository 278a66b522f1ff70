"""What the status bar says of copies elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.editing import append, save
from tests.support.lab import (
    Lab,
    LabServer,
    idle,
    open_notebook,
    shoot,
    wait_until,
    write_notebook,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow]
NAME = "analysis.ipynb"


def is_copied(lab: Lab) -> bool:
    (replica,) = lab.ask("rewind/api/v1/health")["replicas"]
    return replica["state"] == "current" and not replica["behind_records"]


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
        idle(page)  # what its kernel tells of itself is copied, too
        save(page)
        wait_until("that nothing is left to copy", lambda: is_copied(server.lab))
        wait_until("that all is copied", lambda: item.count() and item.inner_text() == "Copied")
        place.rename(tmp_path / "away")
        append(page, 3, "# more")
        save(page)
        wait_until("that it is not copied", lambda: item.inner_text() == "Not copied")
        item.click()
        body = page.locator(".jp-Dialog-body").inner_text()
        assert str(place) in body and "lacks" in body and "This helps" in body
        shoot(page, "copies-failing")
        page.keyboard.press("Escape")
        (tmp_path / "away").rename(place)
        wait_until("that all is copied again", lambda: item.inner_text() == "Copied")
