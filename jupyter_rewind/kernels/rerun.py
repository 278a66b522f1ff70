"""Which cells would have to run again to get at a state, and what they would do to the world.

Nothing is run here: a plan is made, and whoever shows it asks. What a cell does outside the kernel
can only be guessed from its words; the guess errs on the side of a warning.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from jupyter_rewind.kernels.unheard import CELL, unheard
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
_WORD = re.compile(r"[^\W\d]\w*")
_OWN = ("%rewind", "%load_ext jupyter_rewind")


@dataclass(frozen=True, slots=True)
class Step:
    """One cell that would run again; `effects` are what it likely does outside the kernel."""

    execution: Execution
    effects: tuple[str, ...]
    before: Snapshot | None = None
    """The state that it is to find; None for what stands there when its turn comes."""
    is_exact: bool = True
    """Whether that is the state that it found the first time."""
    makes: tuple[str, ...] = ()
    """The wanted variables that have their value from here on."""


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


def plan_for(
    base: Snapshot,
    snapshots: Sequence[Snapshot],
    executions: Sequence[Execution],
    names: Iterable[str],
) -> Plan:
    """What makes the variables `names` again, which `base` does not hold: for each of them the last
    cell on the way there that gave it a value, and those after it that name it, each from the state
    of `snapshots` (oldest first) that it found."""
    line = _line_to(base, snapshots)
    past = [each for each in _past_of(line, executions) if not _is_own(each.source)]
    found: dict[str, Execution] = {}
    makes: dict[str, list[str]] = {}
    for name in sorted(set(names)):
        last = next((at for at in range(len(past))[::-1] if _gives(past[at], name)), None)
        if last is None:
            continue
        makes.setdefault(past[last].id, []).append(name)
        found[past[last].id] = past[last]
        words = {name}
        for each in past[last + 1 :]:
            if not words.isdisjoint(named_in(each.source)):
                found[each.id] = each
                words |= _ways_to(words, each.source)
    steps = []
    for each in sorted(found.values(), key=lambda one: one.started_ns):
        before = _found_by(each, line)
        is_exact = before is None or not any(
            before.time_ns < one.started_ns < each.started_ns for one in past
        )
        step = _step(each)
        steps.append(
            Step(each, step.effects, before, is_exact, tuple(makes.get(each.id, ())))
        )  # fmt: skip
    made = sorted(name for one in makes.values() for name in one)
    return Plan(base, tuple(steps), tuple(made))


def _line_to(base: Snapshot, snapshots: Sequence[Snapshot]) -> list[Snapshot]:
    """The states on the way to `base`, oldest first."""
    known = {each.id: each for each in snapshots}
    line: list[Snapshot] = []
    at: Snapshot | None = base
    while at is not None:
        line.append(at)
        at = known.get(at.parent) if at.parent is not None else None
    return line[::-1]


def _past_of(line: Sequence[Snapshot], executions: Sequence[Execution]) -> list[Execution]:
    """The cells that led to the last of these states; all of those before the first one."""
    ids = {one for each in line for one in (each.execution, *each.merged)}
    first = line[0]
    older = first.time_ns if first.parent is not None else 0
    found = [one for one in executions if one.id in ids or one.started_ns < older]
    return sorted(found, key=lambda one: one.started_ns)


def _found_by(execution: Execution, line: Sequence[Snapshot]) -> Snapshot | None:
    older = [each for each in line if each.time_ns <= execution.started_ns]
    return older[-1] if older else None


def _gives(execution: Execution, name: str) -> bool:
    return name in assigned_names(execution.source)


def named_in(source: str) -> set[str]:
    """The variables that the cell names, in its functions too."""
    tree = _parsed(source)
    if tree is None:
        return set(_WORD.findall(source))
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _ways_to(names: set[str], source: str) -> set[str]:
    """The functions and classes of the cell that name one of these."""
    tree = _parsed(source)
    found = set()
    for node in tree.body if tree is not None else ():
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            inner = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
            if not names.isdisjoint(inner):
                found.add(node.name)
    return found


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
        with unheard():
            return ast.parse("\n".join(kept), CELL)
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
