"""Finds what a piece of code defines, also where it is no whole program.

IPython's magics are set aside and the rest is parsed. What does not parse is read token by token,
which still finds `def`, `class`, `import` and plain assignments. Nothing is ever run.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from jupyter_rewind.errors import InvalidInput

_QUERY = re.compile(
    r"""\s*(?:
        (?P<kind>async\s+def|def|class|import|from)\s+(?P<name>[\w.*?\[\]]+)\s*(?:\(.*|:)?
      | (?P<variable>[\w.*?\[\]]+)\s*=?
    )\s*\Z""",
    re.VERBOSE,
)
_MAGIC = re.compile(r"^(?P<indent>\s*+)(?:[%!?].*|[^#'\"]*\?\s*|(?:[\w, .]+=\s*[%!].*))$")
_PROMPT = re.compile(r"^\s*(?:>>> ?|\.\.\. ?|In \[\d+\]: ?)")
_LONGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for: "def", "class", "import" or "variable" (any of them where ""), by name."""

    kind: str
    name: str

    def fits(self, definition: Definition) -> bool:
        kind = not self.kind or self.kind == definition.kind
        return kind and fnmatchcase(definition.name, self.name)


@dataclass(frozen=True, slots=True)
class Definition:
    """Something that a source defines, with its first and last line (from 1)."""

    kind: str
    name: str
    first: int
    last: int


def parse_query(text: str) -> Query:
    """The query in words such as `def f`, `class Model`, `import numpy`, `x =`, `load_*`.

    Raises InvalidInput.
    """
    match = _QUERY.match(text)
    if match is None:
        raise InvalidInput(
            f"{text!r} names no definition.",
            hint="Write `def NAME`, `class NAME`, `import NAME`, `NAME =` or NAME (* fits all).",
        )
    if match["variable"]:
        kind = "variable" if text.rstrip().endswith("=") else ""
        return Query(kind, match["variable"])
    kind = {"from": "import"}.get(match["kind"], match["kind"].split()[-1])
    return Query(kind, match["name"])


def find_definitions(source: str, query: Query) -> list[Definition]:
    """What `source` defines that fits the query, in the order of its lines."""
    plain = query.name.strip("*?[].")
    if plain and not any(part in source for part in re.split(r"[*?\[\].]+", plain) if part):
        return []
    found = [each for each in definitions(source) if query.fits(each)]
    return sorted(set(found), key=lambda each: (each.first, each.name))


def definitions(source: str) -> list[Definition]:
    """Everything that `source` defines, at any depth."""
    if len(source) > _LONGEST:
        return list(_by_tokens(source))
    text = "\n".join(_without_magic(line) for line in source.split("\n"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
        return [each for node in ast.walk(tree) for each in _of_node(node)]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return list(_by_tokens(text))


def _without_magic(line: str) -> str:
    line = _PROMPT.sub("", line)
    match = _MAGIC.match(line)
    return f"{match['indent']}pass" if match else line


def _of_node(node: ast.AST) -> Iterator[Definition]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        kind = "class" if isinstance(node, ast.ClassDef) else "def"
        first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
        yield Definition(kind, node.name, first, node.end_lineno or node.lineno)
    elif isinstance(node, ast.Import | ast.ImportFrom):
        for name in _imported(node):
            yield Definition("import", name, node.lineno, node.end_lineno or node.lineno)
    elif isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            for each in ast.walk(target):
                if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
                    last = node.end_lineno or node.lineno
                    yield Definition("variable", each.id, node.lineno, last)


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    if isinstance(node, ast.ImportFrom) and node.module:
        yield node.module
    for alias in node.names:
        yield alias.name
        if alias.asname:
            yield alias.asname


def _by_tokens(text: str) -> Iterator[Definition]:
    """Definitions of code that does not parse; each ends where a line stands further left."""
    lines = text.split("\n")
    tokens = list(_tokens(text))
    for at, token in enumerate(tokens[:-1]):
        following = tokens[at + 1]
        if token.type != tokenize.NAME:
            continue
        row, column = token.start
        if token.string in {"def", "class"} and following.type == tokenize.NAME:
            last = _end_of_block(lines, row, column)
            yield Definition(token.string, following.string, row, last)
        elif token.string in {"import", "from"} and following.type == tokenize.NAME:
            yield Definition("import", following.string, row, row)
        elif following.string == "=" and column == _indent(lines[row - 1]):
            yield Definition("variable", token.string, row, row)


def _tokens(text: str) -> Iterator[tokenize.TokenInfo]:
    try:
        yield from tokenize.generate_tokens(io.StringIO(text).readline)
    except (tokenize.TokenError, SyntaxError):
        # What came before the place that is no Python has been given.
        return


def _end_of_block(lines: list[str], first: int, column: int) -> int:
    last = first
    for number in range(first + 1, len(lines) + 1):
        line = lines[number - 1]
        if not line.strip():
            continue
        if _indent(line) <= column and not line.lstrip().startswith(")"):
            break
        last = number
    return last


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
