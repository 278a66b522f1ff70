"""The Python of a cell, without its magics: read, never run."""

from __future__ import annotations

import ast
import inspect
import re

from jupyter_rewind.kernels.reaches import compile_cell
from jupyter_rewind.kernels.unheard import CELL, unheard

_TIMED = re.compile(r"%%?(?:time|timeit|prun)\b((?:\s+-\w+(?:\s*\d+)?)*)\s*")
_OTHERWISE = re.compile(
    r"%%(?:bash|sh|script|cmd|perl|ruby|python\d?|pypy|writefile|file|html|javascript|js|svg|latex"
    r"|markdown|sql|R|cython)\b",
    re.IGNORECASE,
)
_TAKEN = re.compile(r"(\s*[^\W\d][\w, ]*=\s*)(?:!|%(?![ \d]))")
"""What a command put out, or a magic answered, is given to a name."""


def parse_cell(source: str) -> ast.Module | None:
    """The cell as Python; magics and commands in it do nothing. None where it is no Python, and an
    empty module for one in another language."""
    lines = source.splitlines()
    if lines and lines[0].startswith("%%"):
        if _OTHERWISE.match(lines[0]):
            return ast.Module([], [])
        lines = ["", *lines[1:]]
    try:
        with unheard():
            return ast.parse("\n".join(map(_without_magic, lines)), CELL)
    except (SyntaxError, ValueError):
        return None


def awaits(source: str) -> bool:
    """True for a cell that awaits something itself, and not in a function."""
    code = compile_cell(source)
    return code is not None and bool(code.co_flags & inspect.CO_COROUTINE)


def _without_magic(line: str) -> str:
    bare = line.lstrip()
    if timed := _TIMED.match(bare):
        bare = bare[timed.end() :] or "pass"
    if taken := _TAKEN.match(bare):
        bare = f"{taken[1]}None"
    return line[: len(line) - len(line.lstrip())] + (
        "pass" if bare.startswith(("%", "!")) else bare
    )
