"""Cells that read whole, and may yet be put together of two places of the file.

Where a block is missing or stands twice, the text goes on in the middle of another one. Mostly the
brackets tell: behind the joint they close more than is open, or less.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from jupyter_rewind.recovery.evidence import EvidenceCell

SOURCES = ("source", "input", "code", "text")
"""The names that the text of a cell has had."""
WELD = "rewind_weld"
"""The key in a cell's metadata that says why it is doubted, mostly as one of two places."""
MENDED = "it was mended where the file does not read: it may be put together of two places"


def marked(cell: EvidenceCell, words: str) -> EvidenceCell:
    """The cell with the reason why it is doubted."""
    return replace(cell, metadata={**cell.metadata, WELD: words})


def weld_in_words(cell: EvidenceCell) -> str:
    """What a person is told of the cell; "" where nothing speaks against it."""
    words = cell.metadata.get(WELD)
    return words if isinstance(words, str) else ""


def has_swallowed(members: Mapping[str, Any]) -> bool:
    """Whether other cells, or the notebook's own end, stand within the cell: one of its texts
    runs over into what follows."""
    outputs = members.get("outputs")
    items = outputs if isinstance(outputs, list) else []
    return (
        "nbformat" in members
        or any(_has_objects(members.get(key)) for key in SOURCES)
        or any(isinstance(i, dict) and ("cell_type" in i or runs_over(i)) for i in items)
    )


def runs_over(output: Mapping[str, Any]) -> bool:
    """Whether objects stand where the output has lines of text; in JSON they may."""
    data = output.get("data")
    values = [*output.items(), *(data.items() if isinstance(data, dict) else ())]
    return any(_has_objects(value) for key, value in values if not key.endswith("json"))


def _has_objects(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(each, dict) for each in value)
