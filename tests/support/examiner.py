"""Makes every kind of object, keeps it, brings it back and says what became of it.

`python -m tests.support.examiner STEP TOOL FOLDER RESULTS`: each kind in a forked process of its
own, in an empty `__main__`. The steps: `place` (kept, changed, brought back in the same process),
`keep` and `killed` (kept; the process then ends, or is killed), `fresh` (brought back by a process
that never made it). A tool keeps and brings back; it knows nothing of the kinds.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import signal
import sys
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from tests.support.kinds import LIBRARIES, Kind
from tests.support.kinds_libraries import NUMPY, OTHERS, TABLES
from tests.support.kinds_live import LIVE
from tests.support.kinds_python import CODE, CONTAINERS, PLAIN

KINDS = (*PLAIN, *CONTAINERS, *CODE, *NUMPY, *TABLES, *OTHERS, *LIVE)
PATIENCE = 60.0


class Tool(Protocol):
    """Something that keeps the variables of a namespace."""

    def run(self, source: str) -> None:
        """Runs a cell."""

    def keep(self) -> None:
        """The present state is safe on disk."""

    def back(self, names: list[str] | None) -> str:
        """Brings back what was kept last; what it tells of those that are not whole."""


def examine(step: str, make_tool: Callable[[dict[str, Any], Path], Tool], folder: Path) -> Any:
    """What became of each kind: its name, then a status and words."""
    results = {}
    for number, kind in enumerate(KINDS):
        place = folder / str(number)
        place.mkdir(parents=True, exist_ok=True)
        results[kind.name] = _in_a_child(lambda k=kind, p=place: _step(step, k, make_tool, p))
    return results


def _step(
    step: str, kind: Kind, make_tool: Callable[[dict[str, Any], Path], Tool], place: Path
) -> tuple[str, str]:
    main = types.ModuleType("__main__")
    main.__dict__["__builtins__"] = __builtins__
    sys.modules["__main__"] = main
    namespace = main.__dict__
    os.chdir(place)
    tool = make_tool(namespace, place)
    if step == "fresh":
        return _judge(kind, tool, namespace, None)
    tool.run(kind.prelude())
    before = set(namespace)
    tool.run(kind.make)
    names = [name for name in namespace if name not in before]
    try:
        tool.keep()
    except Exception as error:
        return "error", f"{type(error).__name__}: {error}"[:200]
    if step == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if step == "keep":
        return "kept", ""
    tool.run(kind.change)
    return _judge(kind, tool, namespace, names)


def _judge(
    kind: Kind, tool: Tool, namespace: dict[str, Any], names: list[str] | None
) -> tuple[str, str]:
    try:
        told = tool.back(names)
    except Exception as error:
        return "error", f"{type(error).__name__}: {error}"[:200]
    if names is None:
        exec(kind.prelude(), namespace)
    if kind.holds(namespace):
        return "ok", told
    words = repr(namespace.get("value"))[:200]
    if "it cannot be kept" in words and told:
        return "placeholder", told
    return ("told", told) if told else ("wrong", words)


def _in_a_child(work: Callable[[], tuple[str, str]]) -> tuple[str, str]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        answer = ("crashed", "")
        try:
            os.close(reading)
            answer = work()
        except BaseException as error:
            answer = ("crashed", f"{type(error).__name__}: {error}"[:300])
        finally:
            os.write(writing, json.dumps(answer).encode())
            os._exit(0)
    os.close(writing)
    answer: tuple[str, str] = ("hung", "")
    if select.select([reading], [], [], PATIENCE)[0]:
        said = os.read(reading, 65536)
        answer = tuple(json.loads(said)) if said else ("killed", "")
    os.close(reading)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return answer


class Bare:
    """No tool at all: shows that the checks hold, and that the changes break them."""

    def __init__(self, namespace: dict[str, Any], folder: Path) -> None:
        self._namespace = namespace

    def run(self, source: str) -> None:
        exec(compile(source, "<cell>", "exec", dont_inherit=True), self._namespace)

    def keep(self) -> None:
        pass

    def back(self, names: list[str] | None) -> str:
        return ""


class Untouched(Bare):
    """Runs no cell that changes anything."""

    def __init__(self, namespace: dict[str, Any], folder: Path) -> None:
        super().__init__(namespace, folder)
        self._cells = 0

    def run(self, source: str) -> None:
        self._cells += 1
        if self._cells < 3:
            super().run(source)


def main(step: str, tool: str, folder: str, results: str) -> None:
    """Writes the results as JSON."""
    warnings.simplefilter("ignore")
    for module in LIBRARIES.values():
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    place, _, name = tool.partition(":")
    found = examine(step, getattr(importlib.import_module(place), name), Path(folder))
    Path(results).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
