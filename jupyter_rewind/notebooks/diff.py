"""What changed between two states: nbdime's diff of notebooks, a line diff of anything else.

The diff is a list of operations in nbdime's format
(https://nbdime.readthedocs.io/en/latest/diffing.html). Old notebooks (nbformat 1 to 3) are
upgraded in memory first, so that any two states can be compared; nothing is written.
"""

from __future__ import annotations

import difflib
import io
import json
import logging
import re
import warnings
from dataclasses import dataclass, field
from typing import Any

from jupyter_rewind.notebooks.abridging import Abridgement
from jupyter_rewind.notebooks.aligning import diff_aligned, is_much
from jupyter_rewind.notebooks.breaks import spell_breaks
from jupyter_rewind.notebooks.condition import judge_notebook, read_wide

log = logging.getLogger(__name__)
_TRIPPED = (AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What nbdime raises on notebooks that have not the fields which the schema asks for."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two states side by side. `operations` is nbdime's diff from the first to the second.

    Where one of them is no notebook, `operations` is empty and `text` holds a unified diff of
    their lines, or says that they are no text; `differs` says whether there is any difference.
    """

    names: tuple[str, str]
    differs: bool
    operations: list[Any]
    base: dict[str, Any] | None = None
    remote: dict[str, Any] | None = None
    text: str = ""
    states: tuple[bytes, bytes] = field(default=(b"", b""), repr=False, compare=False)

    def as_read(self) -> dict[str, Any] | None:
        """The first state as nbformat reads it, which `operations` apply to; else None."""
        return None if self.base is None or self.remote is None else dict(_joined(self.base))

    def as_text(self, *, color: bool = False, width: int | None = None) -> str:
        """The difference as a person reads it on a terminal; empty when there is none."""
        text = self.text
        if self.base is not None and self.remote is not None:
            try:
                return _render(self, color=color)
            except _TRIPPED:  # to show a deep one takes more room than to compare it
                log.debug("nbdime does not show %s beside %s", *self.names, exc_info=True)
                text = _line_diff(*self.states, self.names)
        text = _visible(text)
        return _colored(text) if color else text


def compare(before: bytes, after: bytes, names: tuple[str, str]) -> Comparison:
    """What changed from `before` to `after`, which are called `names`."""
    base, remote = parse_notebook(before), parse_notebook(after)
    if base is not None and remote is not None:
        try:
            operations = diff_notebooks(base, remote)
            return Comparison(
                names, bool(operations), operations, base, remote, states=(before, after)
            )
        except _TRIPPED:
            log.debug("nbdime does not compare %s with %s", *names, exc_info=True)
    return Comparison(names, before != after, [], text=_line_diff(before, after, names))


def diff_notebooks(base: dict[str, Any], remote: dict[str, Any]) -> list[Any]:
    """nbdime's diff, as plain JSON values, of two notebooks of nbformat 4.

    Equal cells at the front and the end are not handed to nbdime, which compares every cell with
    every other: most checkpoints differ in a few cells from the next. Where too many are left for
    that, cells are told by their ids; texts too long for it are compared by their lines.
    """
    from nbdime.diffing.notebooks import diff_notebooks as diff

    before, after = base["cells"], remote["cells"]
    front = _common(before, after)
    back = _common(before[front:][::-1], after[front:][::-1])
    one = _joined(base | {"cells": before[front : len(before) - back]})
    other = _joined(remote | {"cells": after[front : len(after) - back]})
    abridgement = Abridgement(one, other)
    short, later = abridgement.books
    found = (diff_aligned if is_much(short["cells"], later["cells"]) else diff)(short, later)
    operations = abridgement.tell(json.loads(json.dumps(found)), one)
    for operation in operations:
        if operation["op"] == "patch" and operation["key"] == "cells":
            for inner in operation["diff"]:
                inner["key"] += front
    return operations


def _common(before: list[Any], after: list[Any]) -> int:
    """How many items at the front are equal."""
    pairs = zip(before, after, strict=False)
    return next(
        (i for i, (one, two) in enumerate(pairs) if one != two), min(len(before), len(after))
    )


def parse_notebook(raw: bytes) -> dict[str, Any] | None:
    """The notebook as a JSON object of nbformat 4, or None where `raw` is no notebook."""
    raw = read_wide(raw) or raw
    if not judge_notebook(raw, "").is_ok:
        return None
    try:
        book: dict[str, Any] = json.loads(raw.decode("utf-8-sig"))
    except ValueError:
        return None
    return upgrade(book)


def upgrade(book: dict[str, Any]) -> dict[str, Any] | None:
    """`book` as nbformat 4, or None where it cannot be told so."""
    if "cells" in book and book.get("nbformat") == 4:
        return book
    from nbformat import convert, reader

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # The reader of the format joins its lists of lines, which its converter expects.
            told: dict[str, Any] = convert(reader.reads(json.dumps(book)), 4)
    except Exception:
        # The converters of old formats raise whatever comes up in a malformed one.
        return None
    if not isinstance(told.get("cells"), list):
        return None
    # The converter draws an id for each cell by lot: two states would differ in every one.
    for cell in told["cells"]:
        cell.pop("id", None)
    return told | {"nbformat_minor": min(told["nbformat_minor"], 4)}


def _render(comparison: Comparison, *, color: bool) -> str:
    if not comparison.operations:
        return ""
    from nbdime.diff_utils import to_diffentry_dicts
    from nbdime.prettyprint import PrettyPrintConfig, pretty_print_diff

    out = io.StringIO()
    # Without git and diff programs: one behaviour on every machine, and no colours in a pipe.
    config = PrettyPrintConfig(out=out, use_color=color, use_git=False, use_diff=False)
    head = "--- {}\n+++ {}\n".format(*comparison.names)
    out.write(_colored(head) if color else head)
    base, changes = spell_breaks(_joined(comparison.base or {}), comparison.operations)
    pretty_print_diff(base, to_diffentry_dicts(changes), "", config)
    return out.getvalue()


def _joined(book: dict[str, Any]) -> Any:
    """As nbformat gives a notebook it has read: lists of lines are one text each."""
    import nbformat
    from nbformat.v4.rwbase import rejoin_lines

    return rejoin_lines(nbformat.from_dict(book))


def _line_diff(before: bytes, after: bytes, names: tuple[str, str]) -> str:
    if before == after:
        return ""
    if _is_binary(before) or _is_binary(after):
        return "{} and {} are no text, and differ.\n".format(*names)
    lines = difflib.unified_diff(_lines(before), _lines(after), *names)
    return "".join(line if line.endswith("\n") else f"{line}\n{_ENDLESS}\n" for line in lines)


def _is_binary(raw: bytes) -> bool:
    """True for what is neither text nor a notebook that NUL bytes stand in."""
    if b"\0" not in raw or read_wide(raw) is not None:
        return False
    try:
        raw.decode()
    except UnicodeDecodeError:
        return True
    return False


def _lines(raw: bytes) -> list[str]:
    # `splitlines` ends a line at a form feed and a dozen other signs, too.
    text = (read_wide(raw) or raw).decode(errors="replace")
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _visible(text: str) -> str:
    """The diff with the ends of lines that only one side has made visible."""
    lines = text.split("\n")
    told = [line for line in lines[2:] if line.startswith(("-", "+"))]
    if all(line.endswith("\r") for line in told):
        return text
    return "\n".join(f"{line[:-1]}^M" if line.endswith("\r") else line for line in lines)


_ENDLESS = "\\ No newline at end of file"
_COLORS = {"-": "\x1b[31m", "+": "\x1b[32m", "@": "\x1b[36m"}


def _colored(text: str) -> str:
    # A form feed, too, counts as the end of a line to `splitlines`.
    return "\n".join(
        f"{_COLORS[line[0]]}{line}\x1b[0m" if line[:1] in _COLORS else line
        for line in text.split("\n")
    )
