"""The history panel in a browser: what the user does before it and in it."""

from __future__ import annotations

from typing import Any

from tests.support.lab import Lab, menu, wait_until

NAME = "analysis.ipynb"


def save_with(page: Any, lab: Lab, text: str) -> None:
    """Types a line into the last cell, saves, and waits for the checkpoint to be listed."""
    before = len(lab.checkpoints(NAME))
    page.locator(".jp-Notebook .jp-Cell .cm-content").nth(3).click()
    page.keyboard.press("Control+End")
    page.keyboard.type(f"\n{text}")
    page.keyboard.press("Control+s")
    wait_until("the save", lambda: text in (lab.folder / NAME).read_text())
    wait_until(
        "its checkpoint", lambda: len(lab.checkpoints(NAME)) > before and is_newest(lab, text)
    )


def is_newest(lab: Lab, text: str) -> bool:
    """Whether the newest checkpoint holds this text."""
    found = lab.ask(f"rewind/api/v1/content?path={NAME}&ref=head")["content"]
    return any(text in "".join(cell["source"]) for cell in found["cells"])


def open_history(page: Any) -> Any:
    menu(page, "View", "Show History")
    panel = page.locator(".jp-Rewind-history")
    panel.wait_for()
    return panel


def run_cell(page: Any, number: int, code: str) -> None:
    """Puts `code` into a cell and runs it."""
    page.locator(".jp-Notebook .jp-Cell .cm-content").nth(number).click()
    page.keyboard.press("Control+a")
    page.keyboard.type(code)
    page.keyboard.press("Control+Enter")
