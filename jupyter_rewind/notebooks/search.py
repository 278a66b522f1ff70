"""Which checkpoints held a text: each different state of a cell is read and told once."""

from __future__ import annotations

import bisect
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from jupyter_rewind.errors import Integrity, RewindError, Storage, Unavailable
from jupyter_rewind.model.checkpoint import Checkpoint
from jupyter_rewind.notebooks.condition import read_wide
from jupyter_rewind.notebooks.contents import read_cell
from jupyter_rewind.notebooks.expressions import Find, make_finder
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.notebooks.reading import naming
from jupyter_rewind.store.partial import ABSENT

_LONGEST = 400
_SECONDS = 5.0
# The last ones are what nbformat 3 has in place of `data`.
_TEXTS = ("text", "traceback", "ename", "evalue", "html", "latex", "javascript", "json", "svg")


@dataclass(frozen=True, slots=True)
class Hit:
    """A line that matches, in one state of one cell; `first` and `last` are the checkpoints
    between which that state was seen."""

    first: Checkpoint
    last: Checkpoint
    cell_id: str | None
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """What was found, oldest first, and in words what could not be searched."""

    hits: tuple[Hit, ...]
    problems: tuple[str, ...] = ()


@dataclass(slots=True)
class _State:
    first: Checkpoint
    last: Checkpoint
    cell_id: str | None
    lines: list[tuple[int, str]]


def search(histories: Histories, path: str, text: str, *, regex: bool = False) -> Found:
    """The lines of all checkpoints of `path`, sources and outputs, in which `text` begins.

    Plain text is found whatever its case; `regex` takes it as a regular expression, in which
    `^` and `$` stand for the ends of a line. Both may go over several lines of one source or
    output. Damage is named beside the hits. Raises InvalidInput (an expression that does not
    compile, is too large, or takes too long), NotFound.
    """
    find = make_finder(text, is_expression=regex, seconds=_SECONDS)
    states: dict[bytes, _State] = {}
    problems: dict[str, None] = {}
    for checkpoint in histories.checkpoints(path):
        for identity, cell_id, read in _cells(histories, checkpoint, problems):
            state = states.get(identity)
            if state is not None:
                state.last = checkpoint
                continue
            try:
                with naming(checkpoint):
                    texts = read()
            except (Integrity, Storage) as error:
                _note(error, problems)
                texts = []
            states[identity] = _State(checkpoint, checkpoint, cell_id, list(_hits(texts, find)))
    hits = tuple(
        Hit(state.first, state.last, state.cell_id, number, line.strip()[:_LONGEST])
        for state in states.values()
        for number, line in state.lines
    )
    return Found(hits, tuple(problems))


def _note(error: RewindError, problems: dict[str, None]) -> None:
    """What is damaged, may not be read or lies in a replica alone is named; all else ends the
    search."""
    if isinstance(error, Unavailable) and error.code != ABSENT:
        raise error
    problems[str(error)] = None


def _hits(texts: list[str], find: Find) -> Iterator[tuple[int, str]]:
    """Number and text of each line in which something begins; lines are counted through."""
    before = 0
    for whole in texts:
        lines = whole.splitlines(keepends=True)
        starts = list(itertools.accumulate(map(len, lines), initial=0))
        last = -1
        for place in find(whole):
            at = bisect.bisect_right(starts, place) - 1
            if at > last and at < len(lines):
                last = at
                yield before + at + 1, lines[at]
        before += len(lines)


def _cells(
    histories: Histories, checkpoint: Checkpoint, problems: dict[str, None]
) -> Iterator[tuple[bytes, str | None, Callable[[], list[str]]]]:
    """Identity and id of each cell, and how to read its texts, which only new states need."""
    if checkpoint.kind != "notebook":

        def read_file() -> list[str]:
            raw = histories.read(checkpoint)
            return [(read_wide(raw) or raw).decode(errors="replace")]

        yield checkpoint.content, None, read_file
        return
    try:
        manifest = histories.manifest(checkpoint)
    except (Integrity, Storage) as error:
        _note(error, problems)
        return
    for index, cell in enumerate(manifest.cells):

        def read(index: int = index) -> list[str]:
            return list(_texts(read_cell(histories.repository, manifest, index)))

        yield cell.identity, cell.id, read


def _texts(cell: dict[str, Any]) -> Iterator[str]:
    yield _text(cell.get("source", cell.get("input", "")))
    outputs = cell.get("outputs")
    for output in outputs if isinstance(outputs, list) else []:
        if not isinstance(output, dict):
            continue
        for name in _TEXTS:
            yield _text(output.get(name, ""))
        data = output.get("data")
        for kind, value in data.items() if isinstance(data, dict) else []:
            if kind.startswith("text/") or kind.endswith("json"):
                yield _text(value)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(one if isinstance(one, str) else json.dumps(one) for one in value)
    return json.dumps(value) if value else ""
