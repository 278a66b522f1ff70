"""Process images from the menu, in JupyterLab and in Notebook 7, with the real CRIU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.access import is_flawless
from tests.support.criu import require_criu
from tests.support.lab import (
    TOKEN,
    LabServer,
    idle,
    listening,
    shoot,
    wait_until,
    write_notebook,
)
from tests.support.panel import run_cell
from tests.support.toasts import hear

pytestmark = pytest.mark.images
NAME = "analysis.ipynb"


def outputs(page: Any) -> str:
    area = page.locator(".jp-Notebook .jp-Cell").nth(3).locator(".jp-OutputArea")
    return str(area.inner_text()) if area.count() else ""


def choose(page: Any, name: str) -> None:
    """Kernel > Process Images > `name`."""
    page.get_by_role("menuitem", name="Kernel", exact=True).click()
    page.locator(".lm-Menu-itemLabel", has_text="Process Images").click()
    page.get_by_role("menuitem", name=name, exact=True).click()


@pytest.mark.parametrize("interface", ["lab", "notebook"])
def test_the_menu_makes_restores_and_deletes_images(
    page: Any, tmp_path: Path, interface: str
) -> None:
    """The open page goes on with the restored kernel, with no reload; each step is told."""
    config = (
        "c.Rewind.kernels_host = True\nc.Rewind.kernels_images = True\n"
        f"c.Rewind.kernels_criu = {require_criu().path!r}\n"
    )
    with LabServer(tmp_path, interface, config=config) as server:
        lab = server.lab
        write_notebook(lab.folder / NAME)
        place = "lab/tree" if interface == "lab" else "notebooks"
        page.goto(f"{lab.address}{place}/{NAME}?token={TOKEN}")
        page.wait_for_selector(".jp-Notebook .jp-Cell >> text=mean(rows)")
        idle(page) if interface == "lab" else listening(page, lab)
        page.evaluate("window.sameposition = 'no reload'")
        run_cell(page, 3, "g = (n for n in range(9)); print('first', next(g))")
        wait_until("the cell", lambda: "first 0" in outputs(page))
        choose(page, "Create Process Image")
        hear(page, "Process image of")
        run_cell(page, 3, "print('then', next(g))")
        wait_until("the cell", lambda: "then 1" in outputs(page))
        choose(page, "Restore Process Image…")
        dialog = page.locator(".jp-Dialog")
        dialog.get_by_text("The kernel becomes what it was then.").wait_for()
        shoot(page, f"image-restore-{interface}")
        is_flawless(page, "image-restore", ".jp-Dialog-content")
        dialog.get_by_role("button", name="Restore").click()
        hear(page, "The kernel is as it was at")
        run_cell(page, 3, "print('again', next(g))")
        wait_until("the cell", lambda: "again 1" in outputs(page))
        assert page.evaluate("window.sameposition") == "no reload"
        choose(page, "Delete Process Images…")
        page.locator(".jp-Dialog").get_by_role("button", name="Delete").click()
        hear(page, "Process images deleted: 2. Kept: 0.")
        choose(page, "Restore Process Image…")
        hear(page, "There is no process image")
