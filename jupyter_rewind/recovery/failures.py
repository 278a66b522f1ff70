"""Tries that failed: what ran next took their place, and they were in the notebook no more.

A trace may say how each execution ended. Where none does, a cell that reads a name which nothing
ever gave a meaning to cannot have run. Either is a try only where something like it ran later.
"""

from __future__ import annotations

import ast
import builtins
import re
import warnings
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cached_property

from jupyter_rewind.recovery.likeness import (
    Likeness,
    defined,
    names,
    parses,
    used_before_bound,
)
from jupyter_rewind.recovery.slots import Slot

ALIKE = 0.5
HALF = 0.5
_GIVEN = frozenset(dir(builtins)) | {"get_ipython", "display", "exit", "quit", "In", "Out"}
_BINDS_MORE = re.compile(
    r"import\s*\*|^\s*%+\s*(?:run|pylab|store|load|time\w*|capture|env)\b|\bexec\(|\bglobals\(",
    re.MULTILINE,
)
"""What may give names a meaning that does not show."""


class Failures:
    """Which of the sources that ran are tries that failed."""

    def __init__(
        self, ran: Sequence[tuple[str, str | None]], known: Iterable[str], like: Likeness
    ) -> None:
        """`ran` are all executions in order, each with how it ended; `known` is all other code."""
        self._like = like
        self._last = {source: at for at, (source, _) in enumerate(ran)}
        self._well = {source for source, status in ran if status != "error"}
        self._told = {source for source, status in ran if status is not None}
        self._all = {*self._last, *known}

    def is_try(self, slot: Slot, later: Iterable[Slot], likely: float) -> bool:
        """Whether the new cell failed, and one of `later` took its place.

        What no trace says to have failed must be doubtful (`likely` tells how likely it is).
        """
        source = slot.source
        if source not in self._told and likely >= HALF:
            return False
        if slot.origin is not None or slot.told or slot.swept or not self._failed(source):
            return False
        at = self._last[source]
        return any(
            self._last.get(each.source, -1) > at
            and not self._failed(each.source)
            and (
                bool(defined(source) & defined(each.source))
                or self._like(source, each.source) >= ALIKE
            )
            for each in later
        )

    def _failed(self, source: str) -> bool:
        if source not in self._last or not parses(source):
            return False  # what does not parse is known to be a try already
        if source in self._told:
            return source not in self._well
        return bool(self._bound) and any(
            name not in self._bound and not name.startswith("_")
            for name in used_before_bound(source) - _GIVEN
        )

    @cached_property
    def _bound(self) -> Collection[str]:
        """Every name that any code gives a meaning to; none where that cannot be told."""
        if any(_BINDS_MORE.search(source) for source in self._all):
            return frozenset()
        return {name for source in self._all for name in _names_bound(source)} | {""}


def _names_bound(source: str) -> Iterator[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        yield from names(source)
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((each.asname or each.name).partition(".")[0] for each in node.names)
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            yield node.name
        elif isinstance(node, ast.MatchMapping) and node.rest:
            yield node.rest
        elif isinstance(node, ast.Global | ast.Nonlocal):
            yield from node.names
