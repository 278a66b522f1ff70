"""JupyterLab where the store cannot be used: what the user came for goes on all the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.editing import append
from tests.support.lab import LabServer, lab_settings, open_notebook, shoot, wait_until
from tests.support.lab import write_notebook as write
from tests.support.panel import NAME, open_history

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_notebook_opens_and_is_saved_though_the_key_does_not_fit(
    tmp_path: Path, page: Any
) -> None:
    """The status bar says that nothing is kept, and why."""
    with LabServer(tmp_path, autosave=False) as server:
        lab = server.lab
        write(lab.folder / NAME)
        wait_until("a store", lambda: lab.ask("rewind/api/v1/health")["store"]["open"])
        lab.checkpoints(NAME)
        server.kill()
        (key,) = Path(lab_settings(lab).store_key_folder).iterdir()
        key.write_bytes(bytes(32))
        server.start()

        open_notebook(page, server.lab, NAME, is_kept=False)
        append(page, 3, "\nprint('saved')")
        page.keyboard.press("Control+s")
        wait_until("the save", lambda: "print('saved')" in (lab.folder / NAME).read_text())
        told = page.locator(".jp-Rewind-copies").get_by_role("button", name="History not kept")
        told.wait_for()
        assert page.locator(".jp-Dialog").count() == 0
        open_history(page).get_by_role("alert").wait_for()
        shoot(page, "without-store")
        told.click()
        page.locator(".jp-Dialog").get_by_text("key").first.wait_for()
        shoot(page, "without-store-why")
