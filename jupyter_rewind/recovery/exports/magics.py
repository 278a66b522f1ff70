"""Magics in files that plain Python reads: commented out (jupytext), or as calls (nbconvert)."""

from __future__ import annotations

import ast
import re

_MAGIC = (
    r"(?:%{1,3}[a-zA-Z]|![\w./~\-]|!\s+\w|\?{1,2}[\w.]+\s*$|[\w.]+\?{1,2}\s*$"
    r"|[\w, ]+?=\s?(?:%{1,2}[a-zA-Z]|!\w))"
)
_BORDER = r"(?:# )+%%(?:\s|\[|$)"
_HIDE = re.compile(rf"\s*(?:(?:# )*{_MAGIC}|{_BORDER})")
_SHOWN = re.compile(rf"(\s*)# ((?:# )*{_MAGIC}|{_BORDER})")
_CALL = re.compile(
    r"(?P<before>\s*(?:[\w, ]+=\s*)?)get_ipython\(\)\."
    r"(?P<name>run_line_magic|run_cell_magic|system|getoutput|magic)"
    r"\((?P<arguments>.*)\)\s*\Z",
    re.DOTALL,
)


def comment_magics(source: str) -> str:
    """`source` so that Python reads it; `uncomment_magics` turns it back."""
    return "\n".join(_commented(line) if _HIDE.match(line) else line for line in source.split("\n"))


def _commented(line: str) -> str:
    indent = line[: len(line) - len(line.lstrip())]
    return f"{indent}# {line[len(indent) :]}"


def uncomment_magics(source: str) -> str:
    """`source` as it was before its magics were commented out."""
    return "\n".join(map(_uncommented, source.split("\n")))


def _uncommented(line: str) -> str:
    found = _SHOWN.match(line)
    return line if found is None else found[1] + line[found.end(1) + 2 :]


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
