"""What JupyterLab's notifications said in a page, also those that are gone again."""

from __future__ import annotations

from typing import Any

#: Runs in each page before anything else. Most notifications go by themselves after some seconds,
#: in which a loaded machine may have had no time for the test.
RECORDER = """(() => {
  const told = (window.rewindTold = new Set());
  const look = () => {
    for (const toast of document.getElementsByClassName('Toastify__toast')) {
      told.add(toast.textContent);
    }
  };
  const all = {childList: true, characterData: true, subtree: true};
  new MutationObserver(look).observe(document, all);
})()"""
_TOLD = "words => [...window.rewindTold].some(each => each.includes(words))"


def hear(page: Any, words: str) -> None:
    """Waits until a notification with these words has been on the screen since the page was
    loaded; it may be gone by then."""
    page.wait_for_function(_TOLD, arg=words, polling=100)


def keep(page: Any, words: str) -> Any:
    """The notification with these words, which stays as long as the mouse is not moved."""
    toast = page.locator(".Toastify__toast", has_text=words)
    toast.hover()
    return toast
