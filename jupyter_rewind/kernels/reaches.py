"""Which of the notebook's variables a piece of code can reach by name, and when it can reach all.

Read from the compiled code: no guess about what a name holds. Code that can get at the namespace
itself (`globals`, `exec`, frames, the shell) can reach everything. Words in a text count as names:
it may be run as code, or be what `getattr` is given.
"""

from __future__ import annotations

import ast
import dis
import inspect
import itertools
import opcode
import re
import string
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from jupyter_rewind.kernels.unheard import CELL, unheard

_DYNAMIC = frozenset(
    (
        *("globals", "locals", "vars", "eval", "exec", "get_ipython", "gc", "inspect", "ctypes"),
        *("__main__", "builtins", "__builtins__", "runpy", "pdb", "breakpoint", "doctest"),
        *("unittest", "dill", "IPython", "ipykernel", "Out", "_oh", "In", "_ih"),
        *("_getframe", "_current_frames", "currentframe", "f_globals", "f_back", "f_locals"),
        *("tb_frame", "gi_frame", "cr_frame", "ag_frame", "__globals__"),
        *("user_ns", "user_global_ns", "user_module", "run_cell", "run_code", "ev", "ex"),
        *("run_line_magic", "run_cell_magic", "get_objects", "get_referrers", "get_referents"),
        *("settrace", "setprofile", "py_object", "from_address", "init_session", "load_session"),
        *("__import__", "import_module", "exec_module", "load_module", "cProfile"),
        *("from_formula", "dmatrix", "dmatrices"),
    )
)
"""Names through which code gets at a namespace that is not its own."""

ASKING = "query"
"""A method that runs the text it is given among the variables of its caller, as pandas' does."""

RUNNERS = frozenset(
    (
        *("cProfile", "profile", "timeit", "trace", "code", "codeop", "bdb", "pdb", "runpy"),
        *("doctest", "unittest", "line_profiler", "memory_profiler", "pyinstrument", "viztracer"),
        *("pytest", "_pytest", "ipytest", "IPython", "ipykernel", "perfplot", "pyperf"),
        *("patsy", "formulaic"),
    )
)
"""Packages that run text or functions as code in the notebook."""

SHOWS = frozenset(
    f"IPython.{name}"
    for name in ("display", "core.display", "core.display_functions", "lib.display")
)
"""Modules of those that show values, and run nothing."""

_INTRUDING = frozenset(
    (
        *("__main__", "_getframe", "_current_frames", "currentframe", "f_globals", "f_back"),
        *("f_locals", "tb_frame", "gi_frame", "cr_frame", "ag_frame", "__globals__", "stack"),
        *("get_ipython", "user_ns", "user_global_ns", "get_objects", "get_referrers"),
        *("settrace", "setprofile", "runpy", "cProfile", "timeit", "pdb", "ctypes", "IPython"),
        *("walk_stack", "extract_stack", "_getframemodulename"),
    )
)
"""Names through which code of another module gets at the notebook's variables unasked."""

_DYNAMIC_OF_SYS = frozenset({"modules", "last_traceback", "last_value", "exc_info", "__dict__"})
_BY_NAME = frozenset(
    opcode.opmap[name]
    for name in (
        "LOAD_NAME", "STORE_NAME", "DELETE_NAME", "STORE_GLOBAL", "DELETE_GLOBAL",
        "LOAD_FROM_DICT_OR_GLOBALS", "LOAD_CLASSDEREF",
    )
    if name in opcode.opmap and opcode.opmap[name] in dis.hasname
)  # fmt: skip
_LOAD_GLOBAL = opcode.opmap["LOAD_GLOBAL"]
_EXTENDED = opcode.opmap["EXTENDED_ARG"]
_IMPORT_NAME = opcode.opmap["IMPORT_NAME"]
_IMPORT_STAR = opcode.opmap.get("IMPORT_STAR", -1)
_INTRINSIC = opcode.opmap.get("CALL_INTRINSIC_1", -1)
_INTRINSIC_STAR = 2


@dataclass(frozen=True, slots=True)
class Reach:
    """What code can reach: variables by name, or everything and why."""

    names: frozenset[str] = frozenset()
    dynamic: str = ""
    mentioned: frozenset[str] = frozenset()
    """Every name and word in it, those of attributes and modules too."""

    def __or__(self, other: Reach) -> Reach:
        return Reach(
            self.names | other.names, self.dynamic or other.dynamic,
            self.mentioned | other.mentioned,
        )  # fmt: skip


def reach_of(code: types.CodeType) -> Reach:
    """What `code` reaches, and all code that stands in it."""
    found = _reach_of_one(code)
    for part in nested(code):
        found |= reach_of(part)
    return found


def nested(code: types.CodeType) -> Iterator[types.CodeType]:
    """The code objects that stand directly in `code`: its functions, classes, lambdas."""
    return (part for part in code.co_consts if isinstance(part, types.CodeType))


_AT_ONCE = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>"})


def deferred(code: types.CodeType) -> Iterator[types.CodeType]:
    """All functions in `code`, which may run later; class bodies and comprehensions run at once."""
    for part in nested(code):
        if not _runs_at_once(part):
            yield part
        yield from deferred(part)


def passing(code: types.CodeType) -> Iterator[types.CodeType]:
    """The generator expressions of a cell itself: made once, when it runs."""
    for part in nested(code):
        if part.co_name == "<genexpr>":
            yield part
        elif _runs_at_once(part):
            yield from passing(part)


def _runs_at_once(code: types.CodeType) -> bool:
    return code.co_name in _AT_ONCE or not code.co_flags & inspect.CO_OPTIMIZED


def _reach_of_one(code: types.CodeType) -> Reach:
    mentioned = set(code.co_names)
    words = _words_in(_constants(code))
    dynamic = sorted((mentioned | words) & _DYNAMIC)
    if "sys" in mentioned:
        dynamic += sorted(mentioned & _DYNAMIC_OF_SYS)
    is_asking = ASKING in mentioned and not all(map(_is_told, _texts_asked(code)))
    if is_asking or ASKING in _constants(code):
        dynamic.append(ASKING)
    names, imported, imports_all = _global_names(code)
    words.update(name.partition(".")[0] for name in imported)
    dynamic += sorted({name.partition(".")[0] for name in imported - SHOWS} & RUNNERS)
    if imports_all:
        dynamic.append("import *")
    spoken = words.union(part for name in code.co_names for part in name.split("."))
    why = f"it uses {dynamic[0]}" if dynamic else ""
    return Reach(frozenset(names | words), why, frozenset(spoken))


def _texts_asked(code: types.CodeType) -> Iterator[Iterable[dis.Instruction]]:
    """What stands after each place where the code names such a method."""
    found = [one for one in dis.get_instructions(code) if one.opname != "PUSH_NULL"]
    for place, one in enumerate(found):
        if one.argval == ASKING and one.opname != "LOAD_CONST":
            yield itertools.islice(found, place + 1, None)


def _is_told(after: Iterable[dis.Instruction]) -> bool:
    """True where the text is a constant, whose words count as names anyway."""
    given = list(itertools.takewhile(lambda one: one.opname not in _CALLS, after))
    is_loaded = bool(given) and all(one.opname.startswith("LOAD_") for one in given)
    return is_loaded and given[0].opname == "LOAD_CONST" and type(given[0].argval) is str


_CALLS = frozenset(("CALL", "PRECALL", "KW_NAMES", "CALL_KW"))


def intrusion_of(code: types.CodeType) -> str:
    """The name through which code of a module can get at the notebook's variables; or empty."""
    found = sorted((set(code.co_names) | _words_in(_constants(code))) & _INTRUDING)
    return found[0] if found else next(filter(None, map(intrusion_of, nested(code))), "")


def names_in(code: types.CodeType) -> frozenset[str]:
    """Every name in `code`, and in what stands in it: of variables, attributes and modules."""
    dotted = {part for name in code.co_names for part in name.split(".")}
    return frozenset(dotted).union(*map(names_in, nested(code)))


def calls_by_name(mentioned: Iterable[str]) -> bool:
    """True where code with these names may load a pickle, which leads to functions of the notebook
    by their names, and call what it loads."""
    return any(map(_UNPICKLES.search, mentioned))


_UNPICKLES = re.compile(r"load|pickl|restore|joblib|shelve|multiprocess|ProcessPool|Parallel", re.I)


def taken_from(
    code: types.CodeType, is_wanted: Callable[[str, int], bool]
) -> tuple[frozenset[str], frozenset[str]]:
    """The names that the code of a module gives to what it imports from modules that `is_wanted`
    says yes to, and those of them of which it imports everything. It is asked with the name that
    stands there, and how many dots stand before it."""
    found: set[str] = set()
    stars: set[str] = set()
    consts: list[Any] = []
    module, is_next = "", False
    for one in dis.get_instructions(code):
        if one.opname in ("LOAD_CONST", "LOAD_SMALL_INT"):
            consts = [*consts[-1:], one.argval]
        elif one.opname == "IMPORT_NAME":
            level = consts[0] if consts and type(consts[0]) is int else 0
            module, is_next = str(one.argval) if is_wanted(str(one.argval), level) else "", False
        elif one.opname == "IMPORT_FROM":
            is_next = bool(module)
        elif one.opcode == _IMPORT_STAR or (
            one.opcode == _INTRINSIC and one.arg == _INTRINSIC_STAR
        ):
            stars.add(module)
        elif one.opname.startswith("STORE_"):
            if is_next:
                found.add(str(one.argval))
            is_next = False
    return frozenset(found), frozenset(stars - {""})


def words_of(text: str) -> set[str]:
    """Every word in `text` that could be a name, or a part of one that is dotted."""
    return set(_WORD.findall(text))


_WORD = re.compile(r"[^\W\d]\w*")


def _words_in(texts: Iterator[str]) -> set[str]:
    return {word for text in texts for word in _WORD.findall(text)}


def _constants(code: types.CodeType) -> Iterator[str]:
    """The texts among the constants, without what documents a function."""
    if any(name.startswith("__dataclass_") for name in code.co_freevars):
        return  # written by dataclasses: the texts are names of the instance's own attributes
    parts = list(code.co_consts)
    if code.co_flags & inspect.CO_OPTIMIZED and not code.co_name.startswith("<"):
        parts = parts[1:]
    while parts:
        part = parts.pop()
        if type(part) is str:
            yield part
        elif type(part) is bytes:
            yield part.decode("utf-8", "replace")
        elif type(part) in (tuple, frozenset):
            parts += part


def _global_names(code: types.CodeType) -> tuple[set[str], set[str], bool]:
    """Names of variables, of modules that are imported, and whether all of a module's are."""
    found: set[str] = set()
    imported: set[str] = set()
    raw, names = code.co_code, code.co_names
    extended, imports_all = 0, False
    for place in range(0, len(raw), 2):
        operation, argument = raw[place], raw[place + 1] | extended
        extended = argument << 8 if operation == _EXTENDED else 0
        if operation == _LOAD_GLOBAL:
            found.add(names[argument >> 1])
        elif operation in _BY_NAME:
            found.add(names[argument])
        elif operation == _IMPORT_NAME:
            imported.add(names[argument])
        elif operation == _IMPORT_STAR or (operation == _INTRINSIC and argument == _INTRINSIC_STAR):
            imports_all = True
    return found, imported, imports_all


_OF_CELL = re.compile(r"<cell>\Z|<ipython-input-|<timed |.*[/\\]ipykernel_\d+[/\\]\d+\.py\Z")


def is_of_cell(code: types.CodeType) -> bool:
    """True for the body of a cell: it was read before it ran, its magics taken apart."""
    return code.co_name == "<module>" and _OF_CELL.match(code.co_filename) is not None


def compile_cell(source: str) -> types.CodeType | None:
    """The code of a cell, magics included where they can be read; None where it is no Python."""
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    for text in (source, _transformed(source)):
        if text is None:
            continue
        try:
            with unheard():
                code: types.CodeType = compile(text, CELL, "exec", flags, dont_inherit=True)
            return code
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
    return None


def _transformed(source: str) -> str | None:
    """What IPython makes of a cell with magics; a harmless magic leaves only its body."""
    shells = sys.modules.get("IPython.core.getipython")
    shell = shells.get_ipython() if shells is not None else None
    if shell is None:
        return None
    try:
        with unheard():
            tree = ast.parse(shell.transform_cell(source), CELL)
    except (SyntaxError, ValueError, RecursionError):
        return None
    try:
        return ast.unparse(_Bodies(shell).visit(tree))
    except (RecursionError, ValueError):
        return None


_TIMING = frozenset({"time", "timeit", "prun", "capture"})
_HARMLESS = frozenset(
    {"matplotlib", "pip", "conda", "mamba", "cd", "pwd", "ls", "env", "precision", "html"}
)
_THROUGH_SYSTEM = frozenset({"pip", "conda", "mamba", "ls"})
"""Their text is expanded a second time, with what the first time made of it."""
_OPTIONS = re.compile(r"(?:\s*-[a-z](?:\s*\d+)?)*\s*\Z")
_DOLLAR = re.compile(r"\$(\$?[\w.]+)")


class _Bodies(ast.NodeTransformer):
    """Calls of magics that only run their body are replaced by that body, and by what IPython
    evaluates in their text."""

    def __init__(self, shell: object) -> None:
        self._shell = shell

    def visit_Expr(self, node: ast.Expr) -> ast.AST | list[ast.stmt]:
        words = _words_of(node.value)
        found = self._statements(*words) if words is not None else None
        return node if found is None else (found or [ast.Pass()])

    def _statements(self, method: str, first: str, *more: str) -> list[ast.stmt] | None:
        """What the call may run; None where that is not known."""
        if method in ("system", "getoutput"):
            return _expansions(first)
        if method not in ("run_line_magic", "run_cell_magic"):
            return None
        line = more[0] if more else ""
        if first in _HARMLESS:
            is_again = first in _THROUGH_SYSTEM and ("{" in line or "$" in line)
            return None if is_again else _expansions(line)
        if first not in _TIMING:
            return None
        before: list[ast.stmt] | None = []
        if method.startswith("run_cell"):
            # The line of a cell that is timed is code too, and runs first.
            is_bare = _OPTIONS.match(line) is not None
            before = _expansions(line) if first == "capture" else [] if is_bare else None
        last = more[-1] if more else first
        body = last if method.startswith("run_cell") else last.lstrip()
        if before is None or body.startswith("-"):
            return None
        inner = _transformed(body)
        return None if inner is None else [*before, *ast.parse(inner).body]


def _expansions(text: str) -> list[ast.stmt] | None:
    """The `{expressions}` and `$names` that IPython evaluates in the text of a magic or a command;
    None where one cannot be read. What is no Python, as in `awk '{print $1}'`, fails there before
    it runs, and the text stays as it is."""
    found: list[str] = []
    try:
        for literal, name, rest, _ in string.Formatter().parse(text):
            names = _DOLLAR.findall(literal)
            found += [one for one in names if not one.startswith("$")]
            if name is not None:
                found.append(f"{name}:{rest}" if rest else name)
    except ValueError:
        pass  # IPython stops here as well, when what stands before has run
    statements: list[ast.stmt] = []
    for one in found:
        try:
            statements.append(ast.Expr(ast.parse(one.lstrip(" \t"), mode="eval").body))
        except (SyntaxError, ValueError):
            continue
        except (RecursionError, MemoryError):
            return None
    return statements


def _words_of(call: ast.AST) -> tuple[str, ...] | None:
    """`get_ipython().METHOD(FIRST, ..., LAST)` with plain texts, as the transformer writes it."""
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return None
    shell = call.func.value
    if not (isinstance(shell, ast.Call) and isinstance(shell.func, ast.Name)):
        return None
    texts = [one.value for one in call.args if isinstance(one, ast.Constant)]
    if shell.func.id != "get_ipython" or not texts or not all(isinstance(t, str) for t in texts):
        return None
    return call.func.attr, *map(str, texts)
