"""The user's hands in an open notebook: typing, also while the server is away, and saving."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from tests.support.lab import wait_until

_HEAR_SAVE = """() => {
  window.rewindSave = '';
  const {commands} = jupyterapp;
  const hear = (_, {id, result}) => {
    if (id === 'docmanager:save') {
      commands.commandExecuted.disconnect(hear);
      const end = words => () => (window.rewindSave = words);
      result.then(end('done'), end('failed'));
    }
  };
  commands.commandExecuted.connect(hear);
}"""


def editor(page: Any, cell: int) -> Any:
    """Where the source of a cell is typed."""
    return page.locator(".jp-Notebook .jp-Cell").nth(cell).locator(".cm-content")


def append(page: Any, cell: int, text: str) -> None:
    """Puts `text` at the end of a cell, all at once."""
    editor(page, cell).click()
    page.keyboard.press("Control+End")
    page.keyboard.insert_text(text)


def append_away(page: Any, cell: int, text: str) -> None:
    """The same, though JupyterLab may say at any moment that its server is gone, and takes the
    keyboard with it."""
    said = page.locator(".jp-Dialog")

    def is_there() -> bool:
        if said.count():
            page.keyboard.press("Enter")
            page.wait_for_timeout(300)
            return False
        with suppress(Exception):
            editor(page, cell).click(timeout=3000)
            page.keyboard.press("Control+End")
            page.keyboard.insert_text(text)
        return text in editor(page, cell).inner_text()

    wait_until("what is typed in the cell", is_there)


def save(page: Any) -> None:
    """Ctrl+S, and waits for JupyterLab: the file is written, and its checkpoint is stored. Until
    then JupyterLab would not hear another Ctrl+S."""
    page.evaluate(_HEAR_SAVE)
    page.keyboard.press("Control+s")
    page.wait_for_function("window.rewindSave")
    assert page.evaluate("window.rewindSave") == "done", "JupyterLab could not save"
