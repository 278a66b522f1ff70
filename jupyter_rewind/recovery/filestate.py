"""In what state a notebook's file lies on the disk, in words for the person who made it."""

from __future__ import annotations

import json
import mmap
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_rewind.notebooks.condition import Condition, judge_notebook
from jupyter_rewind.notebooks.faults import LONE, MARK, fault_in, fault_of
from jupyter_rewind.recovery.broken.encodings import wide_encoding
from jupyter_rewind.recovery.broken.soundness import has_lone_half, look_through
from jupyter_rewind.recovery.misnamed import misnamed_in
from jupyter_rewind.recovery.regular import MOST_BYTES, open_file, read_file
from jupyter_rewind.recovery.walking import TEXTS

_HEAD_BYTES = 1 << 12
LARGE_BYTES = 1 << 24
"""Above this a file is looked at in pieces, which takes less room than parsing it whole."""
WHOLE = "whole"
MISSING = "missing"
DAMAGED = "damaged"
_TEXTS = ("source", "code", "text")
"""Where the text of a cell stands; the last two in format 1."""


@dataclass(frozen=True, slots=True)
class FileState:
    """`state` is whole, missing, empty, damaged or unreadable; `words` say it ("" for whole)."""

    state: str
    words: str = ""

    @property
    def is_whole(self) -> bool:
        return self.state == WHOLE

    @property
    def trouble(self) -> str:
        """What is wrong with a file that is there; "" where nothing is, or there is none."""
        return "" if self.state in (WHOLE, MISSING) else self.words


NO_FILE = FileState(MISSING)


def state_of(notebook: Path) -> FileState:
    """The state of the file: whole only where Jupyter opens it, and it has something in it."""
    name = notebook.name
    try:
        if is_kept_as_text(notebook):
            return FileState(WHOLE)
        large = _state_of_large(notebook)
        if large is not None:
            return large
        raw = read_file(notebook)
    except FileNotFoundError:
        return _state_of_missing(notebook)
    except OSError as error:
        reason = error.strerror or "no reason is given"
        return FileState("unreadable", f"{name} cannot be read: {reason}.")
    wide = wide_encoding(raw) if raw.strip(b"\0") else None
    if wide is not None:
        words = f"it is in {wide[0].upper()}, not in UTF-8"
        return FileState(DAMAGED, _closed(name, words))
    condition = judge_notebook(raw, name)
    if not condition.is_ok:
        return _not_ok(condition, name)
    fault = fault_of(raw)
    if fault:
        return FileState(DAMAGED, _closed(name, fault))
    book = json.loads(raw)
    misnamed = misnamed_in(book)
    if misnamed:
        return FileState(DAMAGED, _hidden(name, misnamed))
    if _has_no_text(book):
        return FileState("empty", f"{name} is there, but no cell of it has anything in it.")
    fault = fault_in(book)
    if fault:
        return FileState(DAMAGED, _closed(name, fault))
    return FileState(WHOLE)


def _state_of_missing(notebook: Path) -> FileState:
    try:
        to = os.readlink(notebook)
    except OSError:
        return FileState(MISSING, f"{notebook.name} is not there any more.")
    words = f"it is a link to {to}, which is not there"
    return FileState("unreadable", f"{notebook.name} cannot be read: {words}.")


def is_kept_as_text(notebook: Path) -> bool:
    """Whether it is a script or a text that Jupyter may open as a notebook: what tools make of
    notebooks is known by its form, and is no JSON. Raises OSError."""
    if notebook.suffix.lower() not in TEXTS:
        return False
    with open_file(notebook) as file:
        head = file.read(_HEAD_BYTES).strip()
    return bool(head) and not head.startswith(b"{")


def _state_of_large(notebook: Path) -> FileState | None:
    """The state of a file that is large; None where it is not, or too large. Raises OSError."""
    with open_file(notebook) as file:
        if not LARGE_BYTES < os.fstat(file.fileno()).st_size <= MOST_BYTES:
            return None
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            wide = wide_encoding(mapped)
            if wide is not None or mapped[:3] == MARK:
                return None
            condition, misnamed = look_through(mapped, notebook.name)
            if not condition.is_ok:
                return _not_ok(condition, notebook.name)
            if misnamed:
                return FileState(DAMAGED, _hidden(notebook.name, misnamed))
            if has_lone_half(mapped):
                return FileState(DAMAGED, _closed(notebook.name, LONE))
    return FileState(WHOLE)


def _not_ok(condition: Condition, name: str) -> FileState:
    state = "empty" if condition.state == "empty" else DAMAGED
    return FileState(state, _there(condition.words, name))


def _closed(name: str, fault: str) -> str:
    return f"{name} is there, but {fault}: Jupyter does not open it."


def _hidden(name: str, misnamed: str) -> str:
    return f"{name} is there, but {misnamed}: Jupyter does not show all of it."


def _there(words: str, name: str) -> str:
    """The words, so that nobody takes a damaged file for one that is gone."""
    told = words.removeprefix(name).strip()
    return f"{name} is there, but it {told}"


def _has_no_text(book: dict[str, Any]) -> bool:
    cells = book.get("cells")
    if not isinstance(cells, list):
        return False
    return not any(isinstance(each, dict) and not _is_blank(each) for each in cells)


def _is_blank(cell: dict[str, Any]) -> bool:
    texts = (cell.get(name) for name in _TEXTS)
    source = next((each for each in texts if each is not None), None)
    lines = source if isinstance(source, list) else [source]
    return not "".join(each for each in lines if isinstance(each, str)).strip()
