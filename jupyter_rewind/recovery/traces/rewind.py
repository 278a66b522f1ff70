"""What Rewind itself kept: checkpoints of the notebook, edits that nobody saved, and the journal of
its runs.

The journal knows of each execution which cell it was, how it ended and what it put out, so a run
it tells of needs no guess.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_rewind.errors import Integrity, NotFound, RewindError, Unavailable
from jupyter_rewind.model.checkpoint import Checkpoint, HistoryInfo
from jupyter_rewind.model.entry import Entry
from jupyter_rewind.model.execution import (
    BEGIN,
    EXECUTION,
    RUN,
    Execution,
    Run,
    path_key,
    read_execution,
    read_run,
    run_key,
)
from jupyter_rewind.model.ids import DraftId
from jupyter_rewind.recovery.documents import read_document
from jupyter_rewind.recovery.evidence import (
    EVERYTHING,
    Evidence,
    Executed,
    FoundName,
    FoundRun,
    Holds,
    Problem,
    Scope,
    Trace,
)
from jupyter_rewind.recovery.runtime import is_below
from jupyter_rewind.recovery.walking import settle

if TYPE_CHECKING:
    from jupyter_rewind.notebooks.bindings import Stay
    from jupyter_rewind.notebooks.history import Histories
    from jupyter_rewind.store.repository import Repository

RAW = "raw"
"""In the handle of a checkpoint's trace: blake3 of the file that it is of."""
CHECKPOINT = "checkpoint"
"""In the handle of a checkpoint's trace: its id."""
KEPT_AS = "path"
DRAFT = "draft"
"""In the handle of a draft's trace: its id."""
CHECKPOINT_OF = "base"
"""In the same handle: the checkpoint that it is an edit of, "" for none."""
JOURNALED = "run"
"""In the handle of the trace of a run."""
MOST_CHECKPOINTS = 1000
"""So many of the newest checkpoints of one notebook are traces; `history` lists all of them."""


class RewindFinder:
    """Finds what the store holds of the notebook, under every path that it had."""

    kind = "rewind"
    title = "Jupyter Rewind's own store"
    asked_only = False
    holds: frozenset[Holds] = EVERYTHING
    where: Mapping[str, str] = {
        "linux": "the setting `store.path`: `~/.local/share/jupyter/rewind`",
        "macos": "the setting `store.path`: `~/Library/Jupyter/rewind`",
        "windows": "the setting `store.path`: `%APPDATA%\\jupyter\\rewind`",
    }

    def find(self, scope: Scope) -> Iterator[Trace | Problem]:
        try:
            with _store(scope) as repository:
                if repository is None:
                    return
                yield from _traces(repository, scope)
        except RewindError as error:
            words = f"Rewind's own store cannot be read: {error}"
            yield Problem(str(scope.store), words)

    def read(self, trace: Trace, scope: Scope) -> Evidence:
        """Raises NotFound, Integrity, Newer, Storage."""
        with _store(scope) as repository:
            if repository is None:
                raise NotFound("Rewind's own store is gone.")
            if JOURNALED in trace.handle:
                return _read_run(repository, trace)
            histories = _histories(repository)
            if DRAFT in trace.handle:
                return _read_draft(histories, trace)
            checkpoint = histories.get(None, trace.handle[CHECKPOINT])
            names = tuple(
                FoundName(trace, trace.notebook or "", stay.path, time_ns=stay.until)
                for stay in histories.earlier_places(trace.handle[KEPT_AS])
            )
            return read_document(trace, histories.read(checkpoint)) + Evidence(names=names)


@contextmanager
def _store(scope: Scope) -> Iterator[Repository | None]:
    """The store, where there is one; only then is the code that opens it loaded."""
    if scope.store is None or scope.store_keys is None or not os.path.isdir(scope.store):
        yield None
        return
    _refuse_pipes(scope.store, scope.store_keys)
    from jupyter_rewind.store.repository import Repository

    try:
        repository = Repository.open(scope.store, key_folder=scope.store_keys, create=False)
    except NotFound:
        yield None
        return
    with repository:
        repository.refresh()
        yield repository


def _refuse_pipes(*folders: Path) -> None:
    """Raises Unavailable where a pipe lies among the files that are opened first."""
    for folder in folders:
        try:
            with os.scandir(folder) as entries:
                pipes = [each.path for each in entries if stat.S_ISFIFO(each.stat().st_mode)]
        except OSError:
            # What opens the store tells it better.
            continue
        if pipes:
            raise Unavailable(f"{pipes[0]} is a pipe; nothing there was opened.")


def _histories(repository: Repository) -> Histories:
    from jupyter_rewind.notebooks.history import Histories

    return Histories(repository)


def _traces(repository: Repository, scope: Scope) -> Iterator[Trace | Problem]:
    histories = _histories(repository)
    if scope.notebook is not None:
        told = set[str]()
        for path in _names_of(scope.notebook, histories, scope):
            for trace in _of_notebook(histories, path, scope):
                if trace.place not in told:
                    told.add(trace.place)
                    yield trace
        return
    for info in histories.all():
        path = _settled(info.path, scope)
        if is_below(path, scope.folder):
            yield from _newest(info, path, scope)
            yield from _drafts(histories, info.id, path, scope)
    stays = _stays(histories)
    # Any path may lead here by a link, whatever it begins with.
    for path in (key.removeprefix("path:") for key in repository.keys(path_key(""))):
        if is_below(_settled(path, scope), scope.folder):
            for run in _runs(repository, path, scope):
                # A run whose notebook was renamed meanwhile is told under its last name alone.
                if run.path in ("", path):
                    yield _run(run, _settled(_name_of_now(path, run, stays), scope), scope)


def _settled(path: str, scope: Scope) -> str:
    return str(settle(Path(path), scope)) if path else path


def _stays(histories: Histories) -> list[tuple[Stay, str]]:
    """Where each notebook was before, the first to leave first, and where it is now."""
    stays = (
        (stay, info.path)
        for info in histories.all()
        for stay in histories.earlier_places(info.path)
    )
    return sorted(stays, key=lambda each: each[0].until)


def _name_of_now(path: str, run: Run, stays: Iterable[tuple[Stay, str]]) -> str:
    """What the notebook is called now that was at `path` when the run began."""
    for stay, now in stays:
        if stay.path == path and stay.since <= run.started_ns < stay.until:
            return now
    return path


def _names_of(notebook: Path, histories: Histories, scope: Scope) -> list[str]:
    """What the store may know the notebook by: its own path, and those from which links lead."""
    own, end = str(notebook), os.sep + notebook.name
    ran = (key.removeprefix("path:") for key in histories.repository.keys(path_key("")))
    kept = histories.bindings.named(notebook.name)
    others = {each for each in (*kept, *ran) if each != own and each.endswith(end)}
    return [own, *(each for each in sorted(others) if _settled(each, scope) == own)]


def _of_notebook(histories: Histories, path: str, scope: Scope) -> Iterator[Trace]:
    """What the store has of the notebook that is looked for under that path."""
    notebook = str(scope.notebook)
    try:
        found = histories.checkpoints(path, newest_first=True)
    except NotFound:
        found = []
    for checkpoint in found[:MOST_CHECKPOINTS]:
        if scope.covers(checkpoint.time_ns):
            yield _checkpoint(checkpoint, notebook, scope, kept_as=path)
    yield from _drafts(histories, path, notebook, scope)
    found_runs = {
        run.id: run
        for run in _runs(histories.repository, path, scope)
        if not found or run.path in ("", path)
    }
    earlier = {stay.path for stay in histories.earlier_places(path)}
    stays = _stays(histories) if earlier else []
    for place in sorted(earlier):
        for run in _runs(histories.repository, place, scope):
            # Another notebook may have had that name before, or since.
            if path in (run.path, _name_of_now(place, run, stays)):
                found_runs.setdefault(run.id, run)
    for run in found_runs.values():
        yield _run(run, notebook, scope)


def _newest(info: HistoryInfo, path: str, scope: Scope) -> Iterator[Trace]:
    if info.head is not None and scope.covers(info.head.time_ns):
        yield _checkpoint(info.head, path, scope, kept_as=info.path)


def _checkpoint(checkpoint: Checkpoint, path: str, scope: Scope, *, kept_as: str = "") -> Trace:
    return Trace(
        RewindFinder.kind,
        f"{scope.store} (checkpoint {checkpoint.id})",
        path,
        EVERYTHING,
        checkpoint.time_ns,
        checkpoint.size_bytes,
        f"a checkpoint of Rewind ({checkpoint.reason})",
        None if checkpoint.readable else "part of its content is lost",
        {
            CHECKPOINT: str(checkpoint.id),
            RAW: checkpoint.raw.hex(),
            KEPT_AS: kept_as or path,
        },
    )


def _drafts(histories: Histories, name: str, path: str, scope: Scope) -> Iterator[Trace]:
    from jupyter_rewind.notebooks.drafts import Drafts

    for draft in Drafts(histories).of(name):
        if scope.covers(draft.changed_ns):
            yield Trace(
                RewindFinder.kind,
                f"{scope.store} (draft {draft.id})",
                path,
                EVERYTHING,
                draft.changed_ns,
                draft.size_bytes,
                "edits that were never saved",
                handle={DRAFT: str(draft.id), CHECKPOINT_OF: str(draft.checkpoint or "")},
            )


def _read_draft(histories: Histories, trace: Trace) -> Evidence:
    from jupyter_rewind.notebooks.drafts import Drafts

    found = Drafts(histories).read(DraftId(trace.handle[DRAFT]))
    evidence = read_document(trace, found.raw)
    if not found.lost:
        return evidence
    words = f"{found.lost} of its updates do not read, nor what was built on them."
    documents = tuple(replace(each, damages=(words,)) for each in evidence.documents)
    return Evidence(documents=documents, problems=(Problem(trace.place, words, trace),))


def _runs(repository: Repository, place: str, scope: Scope) -> Iterator[Run]:
    """The runs that were filed under that path."""
    entries = repository.entries(kind=RUN, key=path_key(place))
    for name in dict.fromkeys(str(entry.body.get("run", "")) for entry in entries):
        run = read_run(repository.entries(kind=RUN, key=run_key(name)))
        if run is not None and scope.covers(run.ended_ns):
            yield run


def _run(run: Run, path: str, scope: Scope) -> Trace:
    return Trace(
        RewindFinder.kind,
        f"{scope.store} (run {run.id})",
        path,
        frozenset({Holds.CODE, Holds.OUTPUTS, Holds.ORDER, Holds.TIMES}),
        run.ended_ns or run.started_ns,
        words="what its kernel ran, with outputs",
        handle={JOURNALED: str(run.id)},
    )


def _read_run(repository: Repository, trace: Trace) -> Evidence:
    key = run_key(trace.handle[JOURNALED])
    run = read_run(repository.entries(kind=RUN, key=key))
    if run is None:
        raise NotFound(f"The store knows of no run {trace.handle['run']}.")
    groups: dict[str, list[Entry]] = {}
    for entry in repository.entries(kind=EXECUTION, key=key):
        groups.setdefault(str(entry.body.get("execution", "")), []).append(entry)
    executed, problems = [], []
    for entries in groups.values():
        try:
            found = _read_execution(repository, entries)
        except (Integrity, NotFound) as error:
            problems.append(Problem(trace.place, f"One execution cannot be read: {error}", trace))
            continue
        if found is not None and found.kept and found.source:
            executed.append(_executed(found))
    runs = (_found_run(trace, run, tuple(executed)),) if executed else ()
    return Evidence(runs=runs, problems=tuple(problems))


def journaled(scope: Scope) -> Iterator[FoundRun | Problem]:
    """All that the journal says was run, in whatever notebook, without its outputs."""
    try:
        with _store(scope) as repository:
            if repository is not None:
                yield from _journaled(repository, scope)
    except RewindError as error:
        yield Problem(str(scope.store), f"Rewind's own store cannot be read: {error}")


def _journaled(repository: Repository, scope: Scope) -> Iterator[FoundRun | Problem]:
    begun = repository.entries(kind=RUN)
    for name in dict.fromkeys(str(entry.body.get("run", "")) for entry in begun):
        run = read_run(repository.entries(kind=RUN, key=run_key(name)))
        if run is None or not scope.covers(run.ended_ns):
            continue
        trace = _run(run, run.path, scope)
        executed = []
        for entry in repository.entries(kind=EXECUTION, key=run_key(name)):
            if entry.body.get("phase") != BEGIN:
                continue
            try:
                found = read_execution([entry], repository.get_blob)
            except (Integrity, NotFound) as error:
                yield Problem(trace.place, f"One execution cannot be read: {error}", trace)
                continue
            if found is not None and found.kept and found.source:
                executed.append(_executed(found))
        yield _found_run(trace, run, tuple(executed))


def _read_execution(repository: Repository, entries: list[Entry]) -> Execution | None:
    """The execution; where its outputs are damaged, what it was without them."""
    try:
        return read_execution(entries, repository.get_blob)
    except Integrity:
        begun = [entry for entry in entries if entry.body.get("phase") == BEGIN]
        return read_execution(begun, repository.get_blob)


def _executed(found: Execution) -> Executed:
    return Executed(
        found.count,
        found.source,
        tuple(found.outputs),
        None,
        found.started_ns,
        None if found.status == "running" else found.status,
        found.cell_id,
        str(found.id),
    )


def _found_run(trace: Trace, run: Run, executed: tuple[Executed, ...]) -> FoundRun:
    return FoundRun(
        trace,
        0,
        executed,
        run.started_ns,
        run.ended_ns,
        trace.notebook,
        True,
        run.how,
    )
