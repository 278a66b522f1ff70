"""Breaks between lines, spelled out where a diff of notebooks would show nothing of them.

nbdime shows a text by its lines and leaves out what ends them, so that a cell whose breaks another
system wrote, or that got a last one, differs in nothing that can be seen. Only for the eye: what
programs are given tells the texts as they are.
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Sequence
from typing import Any

_SIGNS = re.compile("[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
"""What else than a line feed ends a line for Python, and so for nbdime."""


def spell_breaks(base: Any, operations: Sequence[Any]) -> tuple[Any, list[Any]]:
    """`base` and the same changes of it, in nbdime's format, with breaks spelled out in the texts
    that would seem to be changed in nothing, or in less than they are. `base` stays as it is."""
    shown, told = base, []
    for operation in operations:
        if operation["op"] == "patch":
            key, inner = operation["key"], operation["diff"]
            spell = _spell_text if isinstance(base[key], str) else spell_breaks
            value, changes = spell(base[key], inner)
            if value is not base[key]:
                shown = type(base)(base) if shown is base else shown
                shown[key] = value
                operation = {**operation, "diff": changes}
        told.append(operation)
    for at, (one, other) in enumerate(itertools.pairwise(told)):
        if _is_exchange(one, other):
            items = slice(other["key"], other["key"] + other["length"])
            if _lines(base[items]) == _lines(one["valuelist"]):
                shown = type(base)(base) if shown is base else shown
                shown[items] = _spell_all(base[items])
                told[at] = {**one, "valuelist": _spell_all(one["valuelist"])}
    return shown, told


def _is_exchange(one: Any, other: Any) -> bool:
    """Whether items of a list are taken out and others put in their place."""
    return (one["op"], other["op"], one["key"]) == ("addrange", "removerange", other["key"])


def _lines(value: Any) -> Any:
    """`value` with each text as its lines."""
    if isinstance(value, dict):
        return {key: _lines(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_lines(each) for each in value]
    return tuple(value.splitlines()) if isinstance(value, str) else value


def _spell_all(value: Any) -> Any:
    if isinstance(value, dict):
        return type(value)({key: _spell_all(each) for key, each in value.items()})
    if isinstance(value, list):
        return [_spell_all(each) for each in value]
    return _SIGNS.sub(_spell_sign, value) if isinstance(value, str) else value


def _spell_text(before: str, operations: Sequence[Any]) -> tuple[str, Sequence[Any]]:
    from nbdime.diff_utils import to_diffentry_dicts
    from nbdime.patching import patch

    after = patch(before, to_diffentry_dicts(operations))
    if not hides(before, after):
        return before, operations
    one, two = _spelled(before), _spelled(after)
    return one, [
        {"op": "addrange", "key": 0, "valuelist": two.splitlines(keepends=True)},
        {"op": "removerange", "key": 0, "length": len(one.splitlines())},
    ]


def hides(before: str, after: str) -> bool:
    """Whether lines that are the same in two texts differ in how they end."""
    one, two = before.splitlines(), after.splitlines()
    mine, theirs = _ends(before, one), _ends(after, two)
    if len({*mine, *theirs} - {""}) > 1:
        for i, j, size in difflib.SequenceMatcher(None, one, two).get_matching_blocks():
            pairs = zip(mine[i : i + size], theirs[j : j + size], strict=True)
            if any(end and other and end != other for end, other in pairs):
                return True
    return bool(mine and theirs) and bool(mine[-1]) != bool(theirs[-1])


def _ends(text: str, lines: Sequence[str]) -> list[str]:
    whole = text.splitlines(keepends=True)
    return [each[len(line) :] for each, line in zip(whole, lines, strict=True)]


def _spelled(text: str) -> str:
    """`text` with nothing but line feeds between its lines; a last one stands as an empty line."""
    return _SIGNS.sub(_spell_sign, text) + "\n"


def _spell_sign(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"^{chr(code ^ 0x40)}" if code < 0x20 else f"\\u{code:04x}"
