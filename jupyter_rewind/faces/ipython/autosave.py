"""`%autosave` without a number says how the notebook is saved, instead of failing.

How often a notebook is saved is the front end's to know: it gets a question, in a MIME type of its
own, and answers in its place. With a number, IPython's own magic does as ever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

QUESTION = "application/vnd.jupyter-rewind.autosave+json"
_WORDS = (
    "How often this notebook is saved is set in the program you see it in."
    " `%autosave 60` asks for every 60 seconds, `%autosave 0` for never."
)


def offer_autosave(shell: Any) -> Callable[[], None]:
    """The magic answers from now on; what takes that back. Nothing changes where there is none."""
    magics = shell.magics_manager.magics["line"]
    stock = magics.get("autosave")
    if stock is None:
        return lambda: None

    def autosave(line: str) -> Any:
        """Sets every how many seconds the notebook is saved: `%autosave 60`, `%autosave 0`."""
        if line.strip():
            return stock(line)
        shell.display_pub.publish({"text/plain": _WORDS, QUESTION: {}})
        return None

    def undo() -> None:
        if magics.get("autosave") is autosave:
            magics["autosave"] = stock

    shell.register_magic_function(autosave, "line", "autosave")
    return undo
