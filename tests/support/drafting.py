"""Typing into a notebook in a browser, and what the server keeps of it."""

from __future__ import annotations

import json
import urllib.error
from typing import Any

from tests.support.editing import append_away, editor
from tests.support.lab import Lab

NAME = "analysis.ipynb"
TYPED = "# typed and never saved"
_SHELVED = """async () => {
  const decoder = new TextDecoder();
  const found = [];
  for (const {name} of await indexedDB.databases()) {
    if (!/rewind/.test(name)) continue;
    const base = await new Promise((done, fail) => {
      const asked = indexedDB.open(name);
      asked.onsuccess = () => done(asked.result);
      asked.onerror = () => fail(asked.error);
    });
    for (const store of base.objectStoreNames) {
      const all = await new Promise((done, fail) => {
        const asked = base.transaction(store).objectStore(store).getAll();
        asked.onsuccess = () => done(asked.result);
        asked.onerror = () => fail(asked.error);
      });
      found.push(...all.map(one => decoder.decode(one.update)));
    }
    base.close();
  }
  return found.join('\\n');
}"""


def type_into(page: Any, cell: int, text: str) -> None:
    editor(page, cell).click()
    page.keyboard.press("Control+End")
    page.keyboard.type(text)


def type_on(page: Any, cell: int, text: str) -> None:
    """Types on, after JupyterLab has said that its server is gone."""
    page.locator(".jp-Dialog").first.wait_for()
    append_away(page, cell, text)


def shelved(page: Any) -> str:
    """The texts in the updates that this browser keeps."""
    return str(page.evaluate(_SHELVED))


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
