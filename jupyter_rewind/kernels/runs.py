"""The runs and executions that a store tells of. Nothing here asks a kernel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from jupyter_rewind.errors import NotFound
from jupyter_rewind.kernels.life import is_alive
from jupyter_rewind.model.entry import Entry
from jupyter_rewind.model.execution import (
    BEGIN,
    EXECUTION,
    RUN,
    Execution,
    Run,
    execution_key,
    kernel_key,
    path_key,
    read_execution,
    read_run,
    run_key,
)
from jupyter_rewind.model.ids import ExecutionId, RunId
from jupyter_rewind.store.repository import Repository


@dataclass(frozen=True, slots=True)
class RunState:
    """A run, whether its process lives, and how many executions the store knows of it."""

    run: Run
    alive: bool
    executions: int = 0

    @property
    def was_cut_short(self) -> bool:
        """True when nobody wanted it to end."""
        return not self.alive and self.run.ended_ns is None


class Runs:
    """The runs of one store. Callers have refreshed the repository."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    def all(self) -> list[Run]:
        """Every run, in the order in which they began. Raises Newer."""
        return _grouped(self._repository.entries(kind=RUN))

    def of_kernel(self, kernel: str) -> list[Run]:
        """The runs of a kernel, by Jupyter's id of it: one, and one more for each restart."""
        return self._find(kernel_key(kernel))

    def of_paths(self, paths: Iterable[str]) -> list[Run]:
        """The runs of the notebook that lies or lay at `paths` (absolute)."""
        found = {run.id: run for path in paths for run in self._find(path_key(path))}
        return sorted(found.values(), key=lambda run: (run.started_ns, run.id))

    def get(self, run: RunId) -> Run:
        """Raises NotFound, Newer."""
        found = read_run(self._repository.entries(kind=RUN, key=run_key(run)))
        if found is None:
            raise NotFound(f"The store knows of no run {run}.")
        return found

    def state(self, run: Run) -> RunState:
        """Whether the run lives, and how much it did."""
        count = len({_execution_of(entry) for entry in self._entries_of(run.id)})
        return RunState(run, is_alive(self._repository.layout, run), count)

    def executions(self, run: RunId) -> list[Execution]:
        """All executions of the run, in order, with their outputs.

        Raises Integrity where content of one is damaged, Newer.
        """
        groups: dict[str, list[Entry]] = {}
        for entry in self._entries_of(run):
            groups.setdefault(_execution_of(entry), []).append(entry)
        return [found for each in groups.values() if (found := self._read(each)) is not None]

    def sources(self, run: RunId) -> dict[ExecutionId, str]:
        """What the cells of the run said; outputs are not read. Raises Integrity, Newer."""
        begun = (each for each in self._entries_of(run) if each.body.get("phase") == BEGIN)
        found = (self._read([each]) for each in begun)
        return {each.id: each.source for each in found if each is not None}

    def execution(self, execution: ExecutionId) -> Execution:
        """Raises NotFound, Integrity, Newer."""
        key = execution_key(execution)
        found = self._read(self._repository.entries(kind=EXECUTION, key=key))
        if found is None:
            raise NotFound(f"The store knows of no execution {execution}.")
        return found

    def _read(self, entries: Sequence[Entry]) -> Execution | None:
        return read_execution(entries, self._repository.get_blob)

    def _entries_of(self, run: RunId) -> list[Entry]:
        return self._repository.entries(kind=EXECUTION, key=run_key(run))

    def _find(self, key: str) -> list[Run]:
        names = {_run_of(entry) for entry in self._repository.entries(kind=RUN, key=key)}
        found = (self._repository.entries(kind=RUN, key=run_key(name)) for name in sorted(names))
        runs = [run for entries in found if (run := read_run(entries)) is not None]
        return sorted(runs, key=lambda run: (run.started_ns, run.id))


def moved(run: Run, path: str) -> Run:
    """`run`, whose notebook lies at `path`."""
    return replace(run, path=path)


def _grouped(entries: Sequence[Entry]) -> list[Run]:
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(_run_of(entry), []).append(entry)
    return [run for each in groups.values() if (run := read_run(each)) is not None]


def _run_of(entry: Entry) -> str:
    return _text(entry.body, "run")


def _execution_of(entry: Entry) -> str:
    return _text(entry.body, "execution")


def _text(body: Mapping[str, object], name: str) -> str:
    return str(body.get(name, ""))
