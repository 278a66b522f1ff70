"""Why Jupyter does not open a notebook whose file is whole: its encoding, or what it is made of.

The oracle is `nbformat.reads(text, as_version=4)`, which Jupyter Server opens notebooks with, and
what the server asks of each cell then. What is as usual is known to pass, in a tenth of the time.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any

from jupyter_rewind.notebooks.condition import Condition, judge_notebook

MARK = b"\xef\xbb\xbf"
LONE = "it has half a character (a lone surrogate) in it"
_NEWEST_FORM = 4
_WITH_IDS = 5
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
    if _is_plain(book):
        return ""
    refusal = _refusal(book)
    return refusal and (_known_fault(book) or refusal)


def _known_fault(book: dict[str, Any]) -> str:
    """What is wrong with a notebook that Jupyter does not open, where that is something usual."""
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
    odd = [number for number, each in enumerate(cells, 1) if not _is_plain_cell(each)]
    if not odd:
        return ""
    more = f" and {len(odd) - 1} more" if len(odd) > 1 else ""
    are = "are" if more else "is"
    parts = "its type, text, outputs, attachments or metadata"
    return f"cell {odd[0]}{more} {are} not made as a cell is ({parts})"


def _is_plain(book: dict[str, Any]) -> bool:
    """True only for what Jupyter's reader takes for certain: it is asked about the others, for it
    takes ten times as long."""
    cells, form, minor = book.get("cells"), book.get("nbformat"), book.get("nbformat_minor", 0)
    if type(form) is not int or form != _NEWEST_FORM or type(minor) is not int:
        return False
    if not isinstance(cells, list) or not isinstance(book.get("metadata"), dict):
        return False
    return all(isinstance(each, dict) and _is_plain_cell(each) for each in cells)


def _is_plain_cell(cell: dict[str, Any]) -> bool:
    kind, source, pieces = cell.get("cell_type"), cell.get("source"), cell.get("attachments", {})
    if not isinstance(kind, str) or not isinstance(cell.get("metadata"), dict):
        return False
    if not isinstance(cell.get("id", ""), str) or not isinstance(pieces, dict):
        return False
    if not _is_text(source) or not all(isinstance(each, dict) for each in pieces.values()):
        return False
    outputs = cell.get("outputs", []) if kind == "code" else []
    return isinstance(outputs, list) and all(map(_is_plain_output, outputs))


def _is_plain_output(output: object) -> bool:
    if not isinstance(output, dict):
        return False
    kind = output.get("output_type")
    if kind in ("execute_result", "display_data"):
        return isinstance(output.get("data"), dict)
    return isinstance(kind, str) and _is_text(output.get("text", ""))


def _is_text(value: object) -> bool:
    if isinstance(value, list):
        return all(isinstance(line, str) for line in value)
    return isinstance(value, str)


def _refusal(book: dict[str, Any]) -> str:
    """What Jupyter's own reader says against it; "" where it takes it."""
    # A tenth of a second, which nobody waits for whose notebooks are as they should be.
    from nbformat import convert, reader

    try:
        _check_read(convert(reader.reads(json.dumps(book)), _NEWEST_FORM))
    except Exception as error:
        # It raises whatever its code meets in data that is not what it should be.
        return f"its reader says of it: {type(error).__name__}: {str(error)[:80]}"
    return ""


def _check_read(book: dict[str, Any]) -> None:
    """Raises where Jupyter gives up a notebook that it has read: to validate it and to say whether
    it is trusted asks for these. That it is invalid is no ground."""
    minor = book.get("nbformat_minor", 0)
    if type(book["nbformat"]) is not int or not isinstance(minor, int):
        raise TypeError("its format is no number")
    for cell in book["cells"]:
        if cell["cell_type"] == "code":
            cell["metadata"]["trusted"] = False
        hash(cell.get("id") if minor >= _WITH_IDS else None)
    if not all(isinstance(cell["cell_type"], str) for cell in book["cells"]):
        from nbformat import ValidationError, validate

        # It stumbles over the first thing that is wrong, or finds another one first.
        with suppress(ValidationError):
            validate(book)


def _is_lone(raw: bytes) -> bool:
    try:
        json.dumps(json.loads(raw), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    except (ValueError, RecursionError):
        return False
    return False
