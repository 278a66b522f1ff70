"""Trees of Beautiful Soup: kept as their text, which is parsed again, as their author says."""

from __future__ import annotations

from typing import Any

from bs4 import BeautifulSoup

from jupyter_rewind.kernels.reducers.contract import Context, Reduction
from jupyter_rewind.kernels.reducers.registry import Registry
from jupyter_rewind.model.snapshot import Fidelity


def register(registry: Registry) -> None:
    registry.add(BeautifulSoup, reduce_soup, subclasses=True, always=True)


def reduce_soup(value: Any, context: Context) -> Reduction:
    reason = "its text, parsed again: tags of it that are held apart are no parts of it then"
    context.note(Fidelity.REBUILT, reason)
    reduction: Reduction = value.__reduce_ex__(5)
    return reduction
