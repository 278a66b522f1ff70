"""Why Jupyter does not open a notebook whose file is whole: its encoding, or what it is made of.

The oracle is `nbformat.reads(text, as_version=4)`, which Jupyter Server opens notebooks with; asked
for these things alone it takes a tenth of the time.
"""

from __future__ import annotations

import json
import re
from typing import Any

from jupyter_rewind.notebooks.condition import Condition, judge_notebook

MARK = b"\xef\xbb\xbf"
LONE = "it has half a character (a lone surrogate) in it"
_NEWEST_FORM = 4
_MAY_BE_LONE = re.compile(rb"\\u[dD][89a-fA-F]")


def judge_opening(raw: bytes, name: str) -> Condition:
    """The condition of the notebook `name`, whose file holds `raw`; ok only where Jupyter opens
    it."""
    condition = judge_notebook(raw, name)
    if not condition.is_ok:
        return condition
    fault = fault_of(raw) or fault_in(json.loads(raw))
    if not fault:
        return condition
    return Condition("invalid", f"Jupyter does not open {name}: {fault}.", is_whole=True)


def fault_of(raw: bytes) -> str:
    """Why Jupyter does not open this text, though it is JSON: its encoding; "" where it does."""
    if raw.startswith(MARK):
        return "it begins with a byte order mark"
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return "it is not in UTF-8"
    if _MAY_BE_LONE.search(raw) and _is_lone(raw):
        return LONE
    return ""


def fault_in(book: dict[str, Any]) -> str:
    """Why Jupyter does not open it: its format, or what it is made of; "" where it does."""
    cells, form = book.get("cells"), book.get("nbformat")
    if isinstance(form, int) and form > _NEWEST_FORM:
        return f"it says that its format is {form}, and the newest is {_NEWEST_FORM}"
    if type(book.get("nbformat", 1)) is not int or (isinstance(form, int) and form < 1):
        return f"it says that its format is {str(form)[:40]!r}, which is none"
    if form == _NEWEST_FORM and not isinstance(cells, list):
        return "it has no list of cells, as its format has"
    if form != _NEWEST_FORM or not isinstance(cells, list):
        return ""
    strange = sum(not isinstance(each, dict) for each in cells)
    if strange:
        things = "a thing" if strange == 1 else f"{strange} things"
        return f"{things} in its list of cells {'is' if strange == 1 else 'are'} no cell"
    if not isinstance(book.get("metadata"), dict):
        return "its metadata are missing"
    odd = [number for number, each in enumerate(cells, 1) if not _is_sound(each)]
    if not odd:
        return ""
    more = f" and {len(odd) - 1} more" if len(odd) > 1 else ""
    are = "are" if more else "is"
    return f"cell {odd[0]}{more} {are} not made as a cell is (its text, outputs or metadata)"


def _is_sound(cell: dict[str, Any]) -> bool:
    source, outputs = cell.get("source"), cell.get("outputs", [])
    if isinstance(source, list) and not all(isinstance(line, str) for line in source):
        return False
    if not isinstance(outputs, list) or not all(isinstance(each, dict) for each in outputs):
        return False
    return isinstance(cell.get("metadata"), dict)


def _is_lone(raw: bytes) -> bool:
    try:
        json.dumps(json.loads(raw), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    except (ValueError, RecursionError):
        return False
    return False
