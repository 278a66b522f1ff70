"""What a cell likely does outside the kernel, read from its words; the guess errs on the side of a
warning.

A cell does what the functions of the notebook do that it names, and the methods: those that cells
before it defined are looked into as well. What a library does that only its own code shows is
not seen.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from jupyter_rewind.kernels.cellcode import parse_cell

FILES, NETWORK, PROGRAM = "writes files", "uses the network", "runs a program"
DATABASE, INPUT = "uses a database", "asks for input"
UNREAD = "cannot be looked into"

_WRITING_METHODS = {
    "write", "writelines", "dump", "tofile", "unlink", "rmdir", "mkdir", "rename", "replace_file",
    "touch", "rmtree", "copyfile", "copytree", "move", "remove", "makedirs", "removedirs",
    "extractall", "imwrite", "imsave", "to_csv", "to_parquet", "to_sql", "to_pickle", "to_excel",
    "to_json", "to_feather", "to_hdf", "to_stata", "to_orc", "to_xml", "to_zarr", "to_netcdf",
    "to_file", "to_clipboard", "symlink_to", "hardlink_to", "chmod",
}  # fmt: skip
_WRITING_WORDS = ("write_", "save")
_WRITING_CALLS = {
    "os.replace", "os.link", "os.symlink", "os.truncate", "os.utime", "shutil.copy",
    "shutil.copy2", "shutil.copymode", "shutil.copystat", "shutil.make_archive",
    "shutil.unpack_archive",
}  # fmt: skip
_DATABASE_METHODS = {"execute", "executemany", "executescript", "commit", "insert_one"}
_NETWORK = {"requests", "urllib", "http", "httpx", "aiohttp", "socket", "smtplib", "boto3"}
_PROCESSES = {"subprocess", "multiprocessing", "pexpect"}
_PROCESS_CALLS = {"os.system", "os.popen", "os.kill", "os.killpg", "os.fork"}
_PROCESS_WORDS = ("os.exec", "os.spawn", "os.posix_spawn")
_OF_SHELL = {"system", "getoutput", "run_line_magic", "run_cell_magic"}
_RUNNING_MAGICS = (
    "!", "%%bash", "%%sh", "%%script", "%%cmd", "%%perl", "%%ruby", "%%python", "%%pypy", "%sx",
    "%sc", "%system", "%pip", "%conda", "%mamba",
)  # fmt: skip
_WRITING_MAGICS = ("%%writefile", "%%file", "%save", "%notebook")
_TAKES_OUTPUT = re.compile(r"\s*[^\W\d][\w, ]*=\s*!")
_WRITES = frozenset("wax+")
_OPENS = {"open", "fdopen", "File", "ZipFile", "TarFile", "GzipFile", "BZ2File", "LZMAFile"}
_MODE = re.compile(r"[rwxabtU+]{1,4}(?:[:|].*)?")
_ADDRESS = re.compile(r"(?!file:)[a-z][a-z0-9+.-]+://")


class Notebook:
    """What the cells up to now have defined and imported."""

    def __init__(self) -> None:
        self._definitions: dict[str, list[ast.AST]] = {}
        self._imports: dict[str, str] = {}

    def add(self, source: str) -> None:
        """The cell runs next."""
        tree = parse_cell(source)
        for node in ast.walk(tree) if tree is not None else ():
            if isinstance(node, ast.Import | ast.ImportFrom):
                self._imports.update(_imported(node))
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                self._definitions[node.name] = [node]
            elif isinstance(node, ast.ClassDef):
                # To make one runs no more than these.
                self._definitions[node.name] = [
                    one
                    for one in node.body
                    if not isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
                    or one.name.startswith("__")
                ]

    def effects_of(self, source: str) -> tuple[str, ...]:
        """What the cell likely does outside the kernel, in words; empty where nothing speaks for
        it."""
        tree, words = parse_cell(source), dict.fromkeys(_of_magics(source))
        if tree is None:
            return (*words, UNREAD)
        words |= dict.fromkeys(self._within(tree))
        seen: set[str] = set()
        left = list(_named(tree))
        while left:
            name = left.pop()
            if name in seen:
                continue
            seen.add(name)
            for part in self._definitions.get(name, ()):
                left += _named(part)
                for word in self._within(part):
                    if word not in words:
                        words[f"{word} ({name})"] = None
        return tuple(words)

    def _within(self, tree: ast.AST) -> Iterator[str]:
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and (word := self._of_call(node)):
                yield word

    def _of_call(self, call: ast.Call) -> str:
        name = _dotted(call.func)
        head, _, rest = name.partition(".")
        is_imported = head in self._imports
        full = self._imports.get(head, head) + (f".{rest}" if rest else "")
        root, last = full.partition(".")[0], full.rpartition(".")[2]
        if last in _OPENS and _WRITES.intersection(_mode(call)):
            return FILES
        if full == "print" and any(map(_is_to_file, call.keywords)):
            return FILES
        if root in _NETWORK or any(map(_is_address, call.args)):
            return NETWORK
        if root in _PROCESSES or full in _PROCESS_CALLS or full.startswith(_PROCESS_WORDS):
            return PROGRAM
        if last in _OF_SHELL and _is_shell(call.func):
            return PROGRAM
        if full in _WRITING_CALLS:
            return FILES
        if isinstance(call.func, ast.Attribute) or is_imported:
            if last in _WRITING_METHODS or last.startswith(_WRITING_WORDS):
                return FILES
            if last in _DATABASE_METHODS:
                return DATABASE
        return INPUT if full == "input" else ""


def likely_effects(source: str, before: Iterable[str] = ()) -> tuple[str, ...]:
    """What the cell likely does outside the kernel, where the cells `before` it ran."""
    notebook = Notebook()
    for each in (*before, source):
        notebook.add(each)
    return notebook.effects_of(source)


def _of_magics(source: str) -> Iterator[str]:
    for line in source.splitlines():
        bare = line.lstrip()
        if bare.startswith(_RUNNING_MAGICS) or _TAKES_OUTPUT.match(line):
            yield PROGRAM
        if bare.startswith(_WRITING_MAGICS):
            yield FILES
        if bare.startswith(("%sql", "%%sql")):
            yield DATABASE


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.ImportFrom):
        for alias in node.names:
            yield alias.asname or alias.name, f"{node.module or ''}.{alias.name}"
        return
    for alias in node.names:
        first = alias.name.partition(".")[0]
        yield alias.asname or first, alias.name if alias.asname else first


def _named(tree: ast.AST) -> Iterator[str]:
    """Variables, and attributes: a method may be one that a class of the notebook has."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _is_shell(function: ast.AST) -> bool:
    held = function.value if isinstance(function, ast.Attribute) else None
    return isinstance(held, ast.Call) and _dotted(held.func) == "get_ipython"


def _is_address(node: ast.AST) -> bool:
    text = node.value if isinstance(node, ast.Constant) else None
    return isinstance(text, str) and _ADDRESS.match(text) is not None


def _mode(call: ast.Call) -> set[str]:
    """How a file is opened, in letters; those that write, where only running would tell."""
    is_method = isinstance(call.func, ast.Attribute) and len(call.args) == 1
    given = call.args[0:1] if is_method else call.args[1:2]
    given = [*given, *(each.value for each in call.keywords if each.arg == "mode")]
    letters: set[str] = set()
    for one in given:
        if not isinstance(one, ast.Constant):
            return set(_WRITES)
        # A file's name stands in the same place.
        if isinstance(one.value, str) and _MODE.fullmatch(one.value):
            letters |= set(one.value.partition(":")[0])
    return letters


def _is_to_file(given: ast.keyword) -> bool:
    return given.arg == "file" and _dotted(given.value) not in ("sys.stdout", "sys.stderr")
