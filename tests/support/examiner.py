"""Makes every kind of object, keeps it, brings it back and says what became of it.

`python -m tests.support.examiner FOLDER STEP,TOOL,PLACE …` writes FOLDER/STEP,TOOL,PLACE.json for
each of these jobs: each kind in a forked process of its own, in an empty `__main__`. The steps:
`place` (kept, changed, brought back in the same process), `keep` and `killed` (kept; the process
then ends, or is killed), `fresh` (what one of those kept in this PLACE, brought back by a process
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
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from tests.support.kinds import Kind
from tests.support.kinds_awkward import AWKWARD
from tests.support.kinds_libraries import NUMPY, OTHERS, TABLES
from tests.support.kinds_live import LIVE
from tests.support.kinds_python import CODE, CONTAINERS, PLAIN

ALL = (*PLAIN, *CONTAINERS, *CODE, *AWKWARD, *LIVE, *NUMPY, *TABLES, *OTHERS)
PATIENCE = 60.0


def missing_libraries() -> set[str]:
    """Those that some kind needs and that cannot be imported here."""
    wanted = {module for kind in ALL for module in kind.libraries()}
    return {module for module in wanted if find_spec(module.partition(".")[0]) is None}


_missing = missing_libraries()
KINDS = tuple(kind for kind in ALL if not _missing & set(kind.libraries()))


class Tool(Protocol):
    """Something that keeps the variables of a namespace."""

    namespace: dict[str, Any]

    def run(self, source: str) -> None:
        """Runs a cell."""

    def keep(self) -> None:
        """The present state is safe on disk."""

    def back(self, names: list[str] | None) -> str:
        """Brings back what was kept last; what it tells of those that are not whole."""


@dataclass(frozen=True, slots=True)
class Job:
    """One tool, one step, and where its files lie."""

    step: str
    make_tool: Callable[[dict[str, Any], Path], Tool]
    folder: Path


def examine(jobs: Mapping[str, Job]) -> dict[str, dict[str, tuple[str, str]]]:
    """What became of each kind in each job: a status and words.

    One kind after another, so that the process holds few libraries while most kinds are tried:
    what looks at the whole heap takes as long as in a small kernel.
    """
    results: dict[str, dict[str, tuple[str, str]]] = {name: {} for name in jobs}
    for number, kind in enumerate(KINDS):
        for module in kind.libraries():
            importlib.import_module(module)
        for name, job in jobs.items():
            place = job.folder / str(number)
            place.mkdir(parents=True, exist_ok=True)
            results[name][kind.name] = _in_a_child(partial(_step, job, kind, place))
    return results


def _step(job: Job, kind: Kind, place: Path) -> tuple[str, str]:
    main = types.ModuleType("__main__")
    main.__dict__["__builtins__"] = __builtins__
    sys.modules["__main__"] = main
    os.chdir(place)
    tool = job.make_tool(main.__dict__, place)
    namespace = tool.namespace
    if job.step == "fresh":
        return _judge(kind, tool, namespace, None)
    tool.run(kind.prelude())
    before = set(namespace)
    tool.run(kind.make)
    names = [name for name in namespace if name not in before]
    try:
        tool.keep()
    except Exception as error:
        return "error", f"{type(error).__name__}: {error}"[:200]
    if job.step == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if job.step == "keep":
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
        self.namespace = namespace

    def run(self, source: str) -> None:
        exec(compile(source, "<cell>", "exec", dont_inherit=True), self.namespace)

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


def main(folder: str, *jobs: str) -> None:
    """Writes the results of each job as JSON."""
    warnings.simplefilter("ignore")
    asked = {}
    for job in jobs:
        step, tool, place = job.split(",")
        module, _, name = tool.partition(":")
        make_tool = getattr(importlib.import_module(module), name)
        asked[job] = Job(step, make_tool, Path(folder) / place)
    for job, found in examine(asked).items():
        (Path(folder) / f"{job}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
