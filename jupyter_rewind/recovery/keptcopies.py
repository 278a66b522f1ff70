"""Jupyter's checkpoints that git has as files of their own: copies of a notebook, and no notebooks.

Whoever commits `.ipynb_checkpoints` has them under their own names there. Where the notebook itself
stands in the list of a folder, and its own traces are of the same kind, they are not listed beside
it; where nothing else is left, they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_rewind.recovery.checkpointplaces import USUAL
from jupyter_rewind.recovery.filestate import DAMAGED, MISSING

if TYPE_CHECKING:
    from jupyter_rewind.recovery.survey import Standing, Survey

_COPY = re.compile(r"(?P<stem>.+)-checkpoint(?P<suffix>\.ipynb)\Z")
_HURT = frozenset({MISSING, DAMAGED, "empty", "unreadable"})


def notebook_of(path: Path) -> Path | None:
    """The notebook that `path` is Jupyter's checkpoint of; None where it is none by its name."""
    match = _COPY.match(path.name)
    if match is None or path.parent.name != USUAL:
        return None
    return path.parent.parent / f"{match['stem']}{match['suffix']}"


def without_copies(surveyed: Survey) -> Survey:
    """The survey without checkpoints that tell nothing beside their notebooks."""
    listed = {each.notebook: each for each in surveyed.standings}
    kept = (each for each in surveyed.standings if not _is_told_by_its_own(each, listed))
    return replace(surveyed, standings=tuple(kept))


def _is_told_by_its_own(copy: Standing, listed: Mapping[Path, Standing]) -> bool:
    notebook = notebook_of(copy.notebook)
    own = None if notebook is None else listed.get(notebook)
    if own is None:
        return False
    kinds = {each.kind for each in own.traces}
    is_like = all(each.kind in kinds for each in copy.traces)
    return not copy.can_gain or own.state not in _HURT or is_like
