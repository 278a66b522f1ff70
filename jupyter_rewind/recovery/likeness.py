"""How alike pieces of code are, and how much one looks like a passing look. Runs nothing.

Likeness counts what two sources share of words and of neighbouring words, so that a cell whose
lines were moved or half written still resembles itself. Words are weighed by how rare they are
in all that was found: that two cells both call `plt.show()` says little.
"""

from __future__ import annotations

import ast
import keyword
import math
import re
import warnings
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise

_WORD = re.compile(r"\w+|[^\w\s]")
_NAME = re.compile(r"[^\W\d]\w*")
_LONG = 20_000
_TEXT = re.compile(r"""\"{3}.*?\"{3}|'{3}.*?'{3}|"[^"\n]*"|'[^'\n]*'|\#[^\n]*""", re.S)
_VALUE = re.compile(r"(?<![\w.])[^\W\d]\w*")
_SLIP = 3
_DOUBT = 6.0
_TELLING = 16
_MOST_PAIRS = 100_000
_MAGIC = re.compile(r"^\s*(?:[%!?]|.*\?\??\s*$)")
_ASSIGNED_SHELL = re.compile(r"^(\s*[\w, .]+=\s*)[%!].*$")
_DEFINED = re.compile(r"^(?:async\s+def|def|class)\s+(\w+)|^(\w+)\s*(?::[^=\n]*)?=(?!=)", re.M)
_LOOK = re.compile(
    r"""(?:
        [\w.]+ | [\w.]+\?{1,2} | \?{1,2}[\w.]+ |
        (?:print|len|type|dir|help|repr|list|id|vars|str|set|sorted|sum|max|min)\([\w.]*\) |
        [\w.]+\.(?:head|tail|info|describe|sample|keys|values|items|dtypes|columns|shape)
            (?:\(\d*\))? |
        [\w.]+\[:?-?\d+:?\] | \d+\s*[-+*/]{1,2}\s*\d+ | \W+ |
        %(?:who|whos|debug|pwd|ls|timeit|time|history|hist|reset|pdb|precision|lsmagic|env|tb)\b.* |
        !\s*(?:ls|pwd|dir|nvidia-smi|pip|which|date|free|df|du|ps|top|whoami)\b.*
    )""",
    re.VERBOSE,
)
COMMON = frozenset(keyword.kwlist) | {
    *("print", "len", "range", "str", "int", "float", "list", "dict", "set", "tuple"),
    *("self", "np", "pd", "plt", "x", "y", "i", "j", "n"),
}

Parts = Counter[object]


class Likeness:
    """Compares sources, weighing words by their rarity among `sources`."""

    def __init__(self, sources: Iterable[str]) -> None:
        self._parts: dict[str, tuple[dict[object, float], float]] = {}
        self._pairs: dict[tuple[str, str], tuple[float, float]] = {}
        self._in: Counter[object] = Counter()
        distinct = set(sources)
        for source in distinct:
            self._in.update(set(_parts(source)))
        self._all = max(len(distinct), 1)

    def __call__(self, a: str, b: str) -> float:
        """From 0 (nothing in common) to 1 (the same); symmetric."""
        return 1.0 if a == b else self._shared(a, b)[0]

    def contained(self, a: str, b: str) -> float:
        """How much of the smaller of the two is in the other, from 0 to 1."""
        return 1.0 if a == b else self._shared(a, b)[1]

    def telling(self, source: str) -> list[tuple[str, float]]:
        """The rarest words of a source that anything else has too, with their weight."""
        words = [
            (self._in[part], part)
            for part in _parts(source)
            if isinstance(part, str) and self._in[part] > 1
        ]
        return [(part, self._weight(part)) for _, part in sorted(words)[:_TELLING]]

    def is_odd(self, source: str, beside: str = "") -> bool:
        """Whether it would not run, or has a word that nothing else has, as slips do."""
        if not parses(source):
            return True
        there = _parts(beside)
        return any(
            isinstance(part, str) and self._in[part] <= 1 and part not in there and len(part) > 1
            for part in _parts(source)
        )

    def _weighed(self, source: str) -> tuple[dict[object, float], float]:
        known = self._parts.get(source)
        if known is None:
            weigh = self._weight
            weighed = {part: count * weigh(part) for part, count in _parts(source).items()}
            known = self._parts[source] = (weighed, sum(weighed.values()))
        return known

    def _weight(self, part: object) -> float:
        return math.log(1 + self._all / max(1, self._in[part])) + 0.05

    def _shared(self, a: str, b: str) -> tuple[float, float]:
        key = (a, b) if a <= b else (b, a)
        known = self._pairs.get(key)
        if known is not None:
            return known
        (few, few_total), (many, many_total) = self._weighed(a), self._weighed(b)
        if len(few) > len(many):
            few, many = many, few
        get = many.get
        shared = sum(min(weight, get(part, 0.0)) for part, weight in few.items())
        total, least = few_total + many_total, min(few_total, many_total)
        answer = (2 * shared / (total + _DOUBT), shared / least if least else 0.0)
        if len(self._pairs) >= _MOST_PAIRS:
            self._pairs.clear()
        self._pairs[key] = answer
        return answer


@lru_cache(maxsize=8192)
def _parts(source: str) -> Counter[object]:
    found: list[object] = list(_WORD.findall(source[:_LONG]))
    counted = Counter(found)
    counted.update(pairwise(found))
    return counted


def is_slip(a: str, b: str) -> bool:
    """Whether the two differ in at most three letters at one place."""
    if abs(len(a) - len(b)) > _SLIP:
        return False
    start, least = 0, min(len(a), len(b))
    while start < least and a[start] == b[start]:
        start += 1
    end = 0
    while end < least - start and a[-1 - end] == b[-1 - end]:
        end += 1
    return max(len(a), len(b)) - start - end <= _SLIP


@lru_cache(maxsize=8192)
def names(source: str) -> frozenset[str]:
    """The names that say what the code is about: keywords and everybody's names left out."""
    return frozenset(_NAME.findall(source[:_LONG])) - COMMON


@lru_cache(maxsize=8192)
def values(source: str) -> frozenset[str]:
    """The names that stand for values: not in texts or comments, no attribute, no keyword."""
    found = _VALUE.findall(_TEXT.sub('""', source[:_LONG]))
    return frozenset(found) - frozenset(keyword.kwlist)


@lru_cache(maxsize=8192)
def defined(source: str) -> frozenset[str]:
    """The names that the code gives a meaning to, at its outer level."""
    return frozenset(a or b for a, b in _DEFINED.findall(source))


@lru_cache(maxsize=8192)
def used_at_once(source: str) -> frozenset[str]:
    """The names that must have a meaning when the code is run, not only when it is called."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return values(source)
    found: set[str] = set()
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            found.add(node.id)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += [node.args, *getattr(node, "decorator_list", ())]
        else:
            waiting += ast.iter_child_nodes(node)
    return frozenset(found)


@lru_cache(maxsize=8192)
def used_before_bound(source: str) -> frozenset[str]:
    """The names that it reads at its outer level before it gives them a meaning there.

    None are told of what does not parse.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            lines = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return frozenset()
    found: set[str] = set()
    bound: set[str] = set()
    for line in lines:
        if isinstance(line, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(line.name)
            continue
        names_of = [node for node in ast.walk(line) if isinstance(node, ast.Name)]
        stored = {node.id for node in names_of if isinstance(node.ctx, ast.Store)}
        read = {node.id for node in names_of if isinstance(node.ctx, ast.Load)}
        if isinstance(line, ast.AugAssign) and isinstance(line.target, ast.Name):
            read.add(line.target.id)
        if not isinstance(line, ast.Assign | ast.AnnAssign | ast.AugAssign):
            read -= stored
        found |= read - bound
        bound |= stored
    return frozenset(found)


@lru_cache(maxsize=8192)
def parses(source: str) -> bool:
    """Whether IPython could have compiled it: magics, shell lines and `?` count as good code."""
    if source.lstrip().startswith("%%") or _compiles(source):
        return True
    lines = []
    for line in source.split("\n"):
        if _MAGIC.match(line):
            lines.append(line[: len(line) - len(line.lstrip())] + "pass")
        else:
            lines.append(_ASSIGNED_SHELL.sub(r"\1None", line))
    return _compiles("\n".join(lines))


def _compiles(source: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def is_command(source: str) -> bool:
    """Whether it is a magic, a shell line, a question or nothing but numbers: about no cell."""
    line = source.strip()
    return line[:1] in ("%", "!", "?") or line.endswith("?") or not values(line)


@lru_cache(maxsize=8192)
def is_look(source: str) -> bool:
    """Whether it is one line that only looks at something: `x`, `df.head()`, `%who`, `f?`."""
    line = source.strip()
    return "\n" not in line and _LOOK.fullmatch(line) is not None
