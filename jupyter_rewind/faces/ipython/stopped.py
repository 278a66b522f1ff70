"""A kernel that Rewind cannot start in: the user hears of it, and `%rewind` says why.

What is written when a kernel starts goes to the server's log, which nobody reads; so the words are
told once more below the first cell. Where Rewind is switched off, `%rewind` says so, and no more.
"""

from __future__ import annotations

from typing import Any

_ATTRIBUTE = "_jupyter_rewind_stopped"
_EVENT = "post_run_cell"
AGAIN = "`%reload_ext jupyter_rewind` tries again."


class Stopped:
    """What stands in a shell for a Rewind that is not on."""

    def __init__(self, shell: Any, words: str, *, is_news: bool) -> None:
        """`words` say why; the user hears of them unasked where that `is_news`."""
        self._shell = shell
        self._words = words
        self._is_news = is_news

    def install(self) -> None:
        leave(self._shell)
        self._shell.register_magic_function(self._answer, "line", "rewind")
        if self._is_news:
            self._shell.events.register(_EVENT, self._tell)
        setattr(self._shell, _ATTRIBUTE, self)

    def remove(self) -> None:
        self._be_quiet()
        self._shell.magics_manager.magics["line"].pop("rewind", None)
        delattr(self._shell, _ATTRIBUTE)

    def _answer(self, line: str) -> None:
        """Says why Jupyter Rewind is not on in this kernel."""
        from IPython.core.error import UsageError

        self._be_quiet()
        raise UsageError(f"{self._words} {AGAIN}")

    def _tell(self, *_: object) -> None:
        from jupyter_rewind.faces.ipython.extension import tell

        self._be_quiet()
        tell(f"{self._words} `%rewind` says this again.")

    def _be_quiet(self) -> None:
        if self._is_news:
            self._is_news = False
            self._shell.events.unregister(_EVENT, self._tell)


def leave(shell: Any) -> None:
    """Nothing stands there any more."""
    found = getattr(shell, _ATTRIBUTE, None)
    if isinstance(found, Stopped):
        found.remove()
