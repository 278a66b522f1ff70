"""Reading the source of a cell before it runs, without what Python would warn of."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

CELL = "<cell>"
"""The file name of what is read so."""


@contextmanager
def unheard() -> Iterator[None]:
    """What Python warns of in a cell is told when it runs. The filters stay as they are: to change
    them would make Python forget what it has told already."""
    shown = vars(warnings).get("_showwarnmsg")
    if shown is None:
        yield
        return
    own: Any = warnings
    own._showwarnmsg = lambda message: None if message.filename == CELL else shown(message)
    try:
        yield
    finally:
        own._showwarnmsg = shown
