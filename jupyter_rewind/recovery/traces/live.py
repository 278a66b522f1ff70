"""Kernels that still run: what they ran, what it evaluated to, and the functions they hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from jupyter_rewind.recovery.evidence import (
    Evidence,
    Executed,
    FoundRun,
    Fragment,
    Holds,
    Output,
    Problem,
    Scope,
    Trace,
)
from jupyter_rewind.recovery.historyfiles import session_of
from jupyter_rewind.recovery.kernelanswers import answer_of
from jupyter_rewind.recovery.kernelquestions import Told, listens
from jupyter_rewind.recovery.runtime import (
    Connection,
    connections_in,
    is_below,
    runtime_folders,
    sessions_by_kernel,
    settle_notebook,
)


class LiveKernelFinder:
    """Asks a running kernel through its connection file; one that is busy is left alone.

    What cells print is not asked for: a kernel may keep there what other clients had printed.
    Only with `--ask-kernels` is anything evaluated inside (`kernelquestions.py`).
    """

    kind = "live kernel"
    title = "kernels that still run"
    asked_only = False
    holds: frozenset[Holds] = frozenset({Holds.CODE, Holds.OUTPUTS, Holds.ORDER})
    where: Mapping[str, str] = {
        "linux": "asked over `~/.local/share/jupyter/runtime/kernel-*.json`",
        "macos": "asked over `~/Library/Jupyter/runtime/kernel-*.json`",
        "windows": "asked over `%APPDATA%\\jupyter\\runtime\\kernel-*.json`",
    }

    def find(self, scope: Scope) -> Iterator[Trace | Problem]:
        found = list(self._found(scope))
        # Whoever reads the first before it looks for the next asks all of them by that.
        scope.kernels.found.update(each.place for each in found)
        yield from found

    def _found(self, scope: Scope) -> Iterator[Trace]:
        named = sessions_by_kernel(scope)
        for folder in runtime_folders(scope):
            for found in connections_in(folder):
                if not isinstance(found, Connection):
                    # What does not read is told by the finder of connection files.
                    continue
                # Older kernels write the file anew, without the notebook; and a program that a
                # cell started writes the notebook of that cell into it.
                session = named.get(found.kernel, found.notebook)
                name = settle_notebook(session, scope)
                if _is_wanted(name, scope) and listens(found.path):
                    yield _trace(found, name)

    def read(self, trace: Trace, scope: Scope) -> Evidence:
        """Raises Unavailable (busy, or gone), Format."""
        scope.progress("asking a running kernel", None)
        told = answer_of(trace.place, scope)
        executions = tuple(
            Executed(line, source, _outputs(told, line), told.texts.get(line))
            for line, source in sorted(told.typed.items())
        )
        fragments = tuple(
            Fragment(trace, kind, name, source, session=told.session)
            for kind, name, source in told.sources
        )
        if not executions:
            return Evidence(fragments=fragments)
        run = FoundRun(
            trace,
            told.session,
            executions,
            _started(told, trace, scope),
            notebook=trace.notebook,
            certain=trace.notebook is not None,
            remark="running",
        )
        return Evidence(runs=(run,), fragments=fragments)


def _is_wanted(name: str, scope: Scope) -> bool:
    if not name:
        return True
    if scope.notebook is not None:
        return name == str(scope.notebook)
    return is_below(name, scope.folder)


def _trace(found: Connection, name: str) -> Trace:
    return Trace(
        LiveKernelFinder.kind,
        str(found.path),
        name or None,
        LiveKernelFinder.holds,
        found.written_ns,
        found.size_bytes,
        "a running kernel" if name else "a running kernel that does not say of which notebook",
    )


def _outputs(told: Told, line: int) -> tuple[Output, ...]:
    data = told.results.get(line)
    if data is None:
        return ()
    return (
        {
            "output_type": "execute_result",
            "data": data,
            "metadata": {},
            "execution_count": line,
        },
    )


def _started(told: Told, trace: Trace, scope: Scope) -> int | None:
    """As its own history says, so that the run is known to be the one that is found there."""
    if told.session and told.history:
        session = session_of(Path(told.history), told.session, scope)
        if session is not None and session.started_ns is not None:
            return session.started_ns
    return trace.time_ns
