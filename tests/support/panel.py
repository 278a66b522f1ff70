"""The history panel in a browser: what the user does before it and in it."""

from __future__ import annotations

from typing import Any

from tests.support.editing import editor, save
from tests.support.lab import Lab, menu, wait_until

NAME = "analysis.ipynb"


def save_with(page: Any, lab: Lab, text: str) -> None:
    """Types a line into the last cell and saves; the newest checkpoint holds it."""
    editor(page, 3).click()
    page.keyboard.press("Control+End")
    page.keyboard.type(f"\n{text}")
    save(page)
    wait_until("the save", lambda: text in (lab.folder / NAME).read_text())
    wait_until("its checkpoint", lambda: is_newest(lab, text))


def is_newest(lab: Lab, text: str, name: str = NAME) -> bool:
    """Whether the newest checkpoint holds this text."""
    found = lab.ask(f"rewind/api/v1/content?path={name}&ref=head")["content"]
    return any(text in "".join(cell["source"]) for cell in found["cells"])


def open_history(page: Any) -> Any:
    menu(page, "View", "Show History")
    panel = page.locator(".jp-Rewind-history")
    panel.wait_for()
    return panel


def entry_of(panel: Any, checkpoint: dict[str, Any]) -> Any:
    """Its entry; the first or the last one listed is another as soon as the panel is told."""
    return panel.locator(f"[data-checkpoint='{checkpoint['id']}']")


def list_all(panel: Any, lab: Lab, name: str = NAME) -> None:
    """Waits until the panel lists the newest checkpoint: no news are on their way to it."""
    entry_of(panel, lab.checkpoints(name)[-1]).wait_for()


def run_cell(page: Any, number: int, code: str) -> None:
    """Puts `code` into a cell and runs it; the mouse stays where it is."""
    editor(page, number).focus()
    page.keyboard.press("Control+a")
    page.keyboard.type(code)
    page.keyboard.press("Control+Enter")
