"""Magics in files that plain Python reads: commented out (jupytext), or as calls (nbconvert)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

_MAGIC = (
    r"(?:%{1,3}[a-zA-Z]|![\w./~\-]|!\s+\w|\?{1,2}[\w.]+\s*$|[\w.]+\?{1,2}\s*$"
    r"|[\w, ]+?=\s?(?:%{1,2}[a-zA-Z]|!\w))"
)
_BORDER = r"(?:# )+%%(?:\s|\[|$)"
_HIDE = re.compile(rf"\s*(?:(?:# )*{_MAGIC}|{_BORDER})")
_SHOWN = re.compile(rf"(\s*)# ((?:# )*{_MAGIC}|{_BORDER})")
_BORDERED = re.compile(rf"\s*{_BORDER}")
_SHOWN_BORDER = re.compile(rf"(\s*)# ({_BORDER})")
_CELL_MAGIC = re.compile(r"\s*(?:# )*%%[a-zA-Z]")
_QUOTE_OR_COMMENT = re.compile(r"\"\"\"|'''|[\"'#]")
_ENDS = {each: re.compile(rf"(?:[^\\]|\\.)*?{each}") for each in ('"""', "'''", '"', "'")}
_CALL = re.compile(
    r"(?P<before>\s*(?:[\w, ]+=\s*)?)get_ipython\(\)\."
    r"(?P<name>run_line_magic|run_cell_magic|system|getoutput|magic)"
    r"\((?P<arguments>.*)\)\s*\Z",
    re.DOTALL,
)


def comment_magics(source: str) -> str:
    """`source` so that Python reads it; `uncomment_magics` turns it back.

    In a string that goes over several lines no magic stands; what would part two cells does.
    """
    return "\n".join(
        _commented(line) if (_BORDERED if inside else _HIDE).match(line) else line
        for line, inside in _lines(source, _HIDE)
    )


def _commented(line: str) -> str:
    indent = line[: len(line) - len(line.lstrip())]
    return f"{indent}# {line[len(indent) :]}"


def uncomment_magics(source: str) -> str:
    """`source` as it was before its magics were commented out."""
    return "\n".join(_uncommented(line, inside) for line, inside in _lines(source, _SHOWN))


def _uncommented(line: str, inside: bool) -> str:
    found = (_SHOWN_BORDER if inside else _SHOWN).match(line)
    return line if found is None else found[1] + line[found.end(1) + 2 :]


def _lines(source: str, magic: re.Pattern[str]) -> Iterator[tuple[str, bool]]:
    """Each line, and whether it begins inside a string. A line that is a `magic` opens none, nor
    does anything in a cell of another language."""
    lines = source.split("\n")
    is_other = _CELL_MAGIC.match(lines[0]) is not None
    closing = ""
    for line in lines:
        yield line, bool(closing)
        if not is_other and (closing or not magic.match(line)):
            closing = _open_string(line, closing)


def _open_string(line: str, closing: str) -> str:
    """The quotes that close the string which is open behind the line; "" for none."""
    at = 0
    while at < len(line):
        if closing:
            end = _ENDS[closing].match(line, at)
            if end is None:
                return closing
            at, closing = end.end(), ""
            continue
        found = _QUOTE_OR_COMMENT.search(line, at)
        if found is None or found[0] == "#":
            return ""
        at = found.end()
        if len(found[0]) == 3:
            closing = found[0]
        else:
            end = _ENDS[found[0]].match(line, at)
            at = len(line) if end is None else end.end()
    return closing


def uncall_magics(source: str) -> str:
    """`source` with magics in place of the calls that nbconvert writes for them."""
    if "get_ipython()" not in source:
        return source
    whole = _uncall(source)
    if whole is not None:
        return whole
    lines = []
    for line in source.split("\n"):
        told = _uncall(line) if "get_ipython()" in line else None
        lines.append(line if told is None else told)
    return "\n".join(lines)


def _uncall(text: str) -> str | None:
    found = _CALL.match(text)
    if found is None:
        return None
    try:
        given = ast.literal_eval(f"({found['arguments']},)")
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None
    if not given or not all(isinstance(one, str) for one in given):
        return None
    before, name = found["before"], found["name"]
    if name in ("system", "getoutput"):
        return f"{before}!{given[0]}"
    if name == "run_cell_magic" and len(given) == 3:
        body = given[2].removesuffix("\n")
        return f"%%{given[0]} {given[1]}".rstrip() + f"\n{body}"
    if given[0] in ("pinfo", "pinfo2") and len(given) == 2:
        return f"{before}{given[1]}{'?' if given[0] == 'pinfo' else '??'}"
    return f"{before}%{' '.join(given)}".rstrip()
