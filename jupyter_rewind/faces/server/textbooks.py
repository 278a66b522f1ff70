"""Notebooks that Jupytext reads from text, and writes as text beside the .ipynb.

Nothing here needs Jupytext, or learns of its pairs in another way than by asking its own manager.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from jupyter_server.services.contents.manager import ContentsManager


def find_moved_along(manager: ContentsManager, old: str, new: str) -> list[tuple[str, str]]:
    """The other files, before and after, of the pair that `manager` has just renamed as `old` and
    `new`: API paths. None where the notebook has no other files, or another manager renamed it."""
    pairs = getattr(manager, "paired_notebooks", None)
    told = pairs.get(new) if isinstance(pairs, Mapping) else None
    if told is None:
        return []
    from jupytext.paired_paths import paired_paths

    try:
        before, after = paired_paths(old, *told), paired_paths(new, *told)
    except Exception:
        return []  # Jupytext's own error for a name that its formats do not allow
    couples = [(one, other) for (one, _), (other, _) in zip(before, after, strict=True)]
    return [(one, other) for one, other in couples if one != old and one != other]


def count_text_cells(raw: bytes, file: str) -> int:
    """How many cells with something in them the text `file` has when it is opened as a notebook.

    Where Jupytext does not tell, text that is not blank counts as one.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return 1
    try:
        import jupytext

        nb = jupytext.reads(text, fmt=os.path.splitext(file)[1])
        return sum(bool(cell.source.strip()) for cell in nb.cells)
    except Exception:  # whatever is wrong with the text, or with Jupytext: rather keep than empty
        return int(bool(text.strip()))
