"""Typing into a notebook in a browser, and what the server keeps of it."""

from __future__ import annotations

import json
import urllib.error
from contextlib import suppress
from typing import Any

from tests.support.lab import Lab, wait_until

NAME = "analysis.ipynb"
TYPED = "# typed and never saved"


def type_into(page: Any, cell: int, text: str) -> None:
    page.locator(".jp-Notebook .jp-Cell .cm-content").nth(cell).click()
    page.keyboard.press("Control+End")
    page.keyboard.type(text)


def type_on(page: Any, cell: int, text: str) -> None:
    """Types on, after JupyterLab has said that its server is gone."""
    said = page.locator(".jp-Dialog")
    said.first.wait_for()

    def is_away() -> bool:
        if said.count():
            page.keyboard.press("Enter")
            page.wait_for_timeout(300)
        return said.count() == 0

    def is_typed() -> bool:
        # It says so again at any moment, and takes the keyboard with it.
        with suppress(Exception):
            content = page.locator(".jp-Notebook .jp-Cell .cm-content").nth(cell)
            content.click(timeout=3000)
            page.keyboard.press("Control+End")
            page.keyboard.insert_text(text)
            return text in content.inner_text()
        return False

    wait_until("what is typed in the cell", lambda: is_away() and is_typed())


def the_drafts(lab: Lab, name: str = NAME) -> list[dict[str, Any]]:
    return list(lab.ask(f"rewind/api/v1/drafts?path={name}")["drafts"])


def is_kept(lab: Lab, text: str, name: str = NAME) -> bool:
    """Whether some draft of the notebook holds this text."""
    return any(text in _words(lab, each["draft"], name) for each in the_drafts(lab, name))


def _words(lab: Lab, draft: str, name: str) -> str:
    """The notebook with a draft's edits; nothing where it was saved since, and went."""
    try:
        return json.dumps(lab.ask(f"rewind/api/v1/drafts/{draft}?path={name}")["notebook"])
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return ""
        raise


def offer(page: Any) -> Any:
    told = page.locator(".Toastify__toast", has_text="unsaved edits of")
    told.first.wait_for()
    return told.first


def shown(page: Any) -> str:
    return str(page.locator(".jp-Notebook").inner_text())
