"""Which cells would have to run again to get at a state, and what they would do to the world.

Nothing is run here: a plan is made, and whoever shows it asks. What a cell does outside the kernel
can only be guessed from its words; the guess errs on the side of a warning.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from jupyter_rewind.model.execution import Execution
from jupyter_rewind.model.snapshot import Snapshot

_WRITING_METHODS = {
    "write", "writelines", "write_text", "write_bytes", "to_csv", "to_parquet", "to_sql",
    "to_pickle", "to_excel", "to_json", "to_feather", "to_hdf", "save", "savefig", "savetxt",
    "dump", "tofile", "unlink", "rmdir", "mkdir", "rename", "replace_file", "touch", "rmtree",
    "copyfile", "copytree", "move", "remove", "makedirs", "removedirs",
}  # fmt: skip
_DATABASE_METHODS = {"execute", "executemany", "executescript", "commit", "insert_one"}
_NETWORK = {"requests", "urllib", "http", "httpx", "aiohttp", "socket", "smtplib", "boto3"}
_PROCESSES = {"subprocess", "os.system", "os.popen", "multiprocessing"}
_OWN = ("%rewind", "%load_ext jupyter_rewind")


@dataclass(frozen=True, slots=True)
class Step:
    """One cell that would run again; `effects` are what it likely does outside the kernel."""

    execution: Execution
    effects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Start from `base`, then run `steps` in order; `wanted` are the variables that need it."""

    base: Snapshot
    steps: tuple[Step, ...]
    wanted: tuple[str, ...] = ()


def plan_after(base: Snapshot, executions: Sequence[Execution], count: int) -> Plan:
    """What leads from `base` to the state after `In[count]`."""
    steps = [
        each
        for each in executions
        if each.kept and base.count < each.count <= count and not _is_own(each.source)
    ]
    return Plan(base, tuple(map(_step, steps)))


def plan_for(base: Snapshot, executions: Sequence[Execution], names: Iterable[str]) -> Plan:
    """What makes the variables `names` again, which `base` does not hold: for each of them the last
    cell up to there that gave it a value."""
    past = [each for each in executions if each.count <= base.count and not _is_own(each.source)]
    found = dict[str, Execution]()
    made = []
    for name in sorted(set(names)):
        maker = next((each for each in reversed(past) if name in assigned_names(each.source)), None)
        if maker is not None:
            found[maker.id] = maker
            made.append(name)
    steps = sorted(found.values(), key=lambda each: each.started_ns)
    return Plan(base, tuple(map(_step, steps)), tuple(made))


def assigned_names(source: str) -> set[str]:
    """The variables that the cell's own lines give a value."""
    tree = _parsed(source)
    return set() if tree is None else set(_assigned(tree))


def likely_effects(source: str) -> tuple[str, ...]:
    """What the cell likely does outside the kernel, in words; empty where nothing speaks for it."""
    found: dict[str, None] = {}
    for line in source.splitlines():
        if line.lstrip().startswith(("!", "%%bash", "%%sh", "%%script", "%sx", "%system", "%pip")):
            found["runs a program"] = None
        if line.lstrip().startswith("%%writefile"):
            found["writes files"] = None
    tree = _parsed(source)
    if tree is None:
        return (*found, "cannot be looked into")
    for node in ast.walk(tree):
        words = _effect(node)
        if words:
            found[words] = None
    return tuple(found)


def _step(execution: Execution) -> Step:
    return Step(execution, likely_effects(execution.source))


def _is_own(source: str) -> bool:
    return source.strip().startswith(_OWN)


def _parsed(source: str) -> ast.Module | None:
    lines = source.splitlines()
    if lines and lines[0].startswith("%%"):
        lines = ["", *lines[1:]]
    kept = [_without_magic(each) for each in lines]
    try:
        return ast.parse("\n".join(kept))
    except (SyntaxError, ValueError):
        return None


def _without_magic(line: str) -> str:
    bare = line.lstrip()
    return line[: len(line) - len(bare)] + "pass" if bare.startswith(("%", "!")) else line


def _assigned(tree: ast.Module) -> Iterator[str]:
    pending: list[ast.AST] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
            continue
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0]
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        if not isinstance(node, (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp)):
            pending.extend(ast.iter_child_nodes(node))


def _effect(node: ast.AST) -> str:
    if not isinstance(node, ast.Call):
        return ""
    name = _dotted(node.func)
    last = name.rpartition(".")[2]
    if last == "open" and _mode(node) & set("wax+"):
        return "writes files"
    if name.partition(".")[0] in _NETWORK:
        return "uses the network"
    if name.partition(".")[0] in _PROCESSES or name in _PROCESSES:
        return "runs a program"
    if isinstance(node.func, ast.Attribute) and last in _WRITING_METHODS:
        return "writes files"
    if isinstance(node.func, ast.Attribute) and last in _DATABASE_METHODS:
        return "uses a database"
    return "asks for input" if name == "input" else ""


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _mode(call: ast.Call) -> set[str]:
    values = [*call.args[1:2], *(each.value for each in call.keywords if each.arg == "mode")]
    texts = [each.value for each in values if isinstance(each, ast.Constant)]
    return {letter for text in texts if isinstance(text, str) for letter in text}
