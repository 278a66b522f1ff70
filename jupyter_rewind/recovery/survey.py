"""What can be brought back in a folder: each notebook with traces, and how its file stands."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from jupyter_rewind.notebooks.condition import judge_notebook
from jupyter_rewind.recovery.evidence import Scope, Trace
from jupyter_rewind.recovery.regular import read_file
from jupyter_rewind.recovery.search import Found
from jupyter_rewind.recovery.traces.present import PresentFinder

WHOLE = "whole"
_NEWER_NS = 60_000_000_000
_BY_ITS_TIME = frozenset({"checkpoint", "vscode", "backup"})
"""Traces whose time says when their content was the notebook's: a commit or an export is later."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a notebook stands: `state` is whole, outdated, missing, empty, damaged or unreadable.

    `traces` are those of it beside its file, the newest first.
    """

    notebook: Path
    state: str
    words: str
    traces: tuple[Trace, ...]

    @property
    def can_gain(self) -> bool:
        """Whether something is wrong with the file and something else tells of it."""
        return self.state != WHOLE and bool(self.traces)


def survey(scope: Scope, found: Found) -> tuple[Standing, ...]:
    """The notebooks of the scope's folder that have a file or a trace, those in need first."""
    own: dict[Path, list[Trace]] = {}
    for trace in found.traces:
        if trace.notebook is not None and Path(trace.notebook).is_relative_to(scope.folder):
            own.setdefault(Path(trace.notebook), []).append(trace)
    standings = []
    for number, (notebook, traces) in enumerate(sorted(own.items())):
        scope.progress(f"Looking at {notebook.name}", number / len(own))
        standings.append(_stand(notebook, traces))
    return tuple(sorted(standings, key=lambda each: (not each.can_gain, each.notebook)))


def _stand(notebook: Path, traces: Iterable[Trace]) -> Standing:
    others = [each for each in traces if each.kind != PresentFinder.kind]
    others.sort(key=lambda each: each.time_ns or 0, reverse=True)
    state, words = judge(notebook)
    newest = max((each.time_ns or 0 for each in others if each.kind in _BY_ITS_TIME), default=0)
    if state == WHOLE and _is_older(notebook, newest):
        state, words = "outdated", f"Something newer than {notebook.name} was found."
    return Standing(notebook, state, words, tuple(others))


def judge(notebook: Path) -> tuple[str, str]:
    """The state of the file, and words for it."""
    try:
        raw = read_file(notebook)
    except FileNotFoundError:
        return "missing", f"{notebook.name} is not there any more."
    except OSError as error:
        return "unreadable", f"{notebook.name} cannot be read: {error.strerror}."
    condition = judge_notebook(raw, notebook.name)
    if not condition.is_ok:
        return ("empty" if condition.state == "empty" else "damaged"), condition.words
    if _has_no_text(json.loads(raw)):
        return "empty", f"{notebook.name} has no cell with anything in it."
    return WHOLE, ""


def _has_no_text(book: dict[str, object]) -> bool:
    cells = book.get("cells")
    if not isinstance(cells, list):
        return False
    return not any(isinstance(each, dict) and _blank(each) is False for each in cells)


def _blank(cell: dict[str, object]) -> bool:
    source = cell.get("source")
    lines = source if isinstance(source, list) else [source]
    return not "".join(each for each in lines if isinstance(each, str)).strip()


def _is_older(notebook: Path, time_ns: int) -> bool:
    try:
        return notebook.stat().st_mtime_ns + _NEWER_NS < time_ns
    except OSError:
        return False
