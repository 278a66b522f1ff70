"""Which checkpoints held a text: each different state of a cell is read and told once."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from jupyter_rewind.errors import Integrity, InvalidInput
from jupyter_rewind.model.checkpoint import Checkpoint
from jupyter_rewind.notebooks.contents import read_cell
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.notebooks.reading import naming

log = logging.getLogger(__name__)
_LONGEST = 400
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


@dataclass(slots=True)
class _State:
    first: Checkpoint
    last: Checkpoint
    cell_id: str | None
    lines: list[tuple[int, str]]


def search(histories: Histories, path: str, text: str, *, regex: bool = False) -> list[Hit]:
    """The lines of all checkpoints of `path`, sources and outputs, that hold `text`, oldest first.

    Plain text is found whatever its case; `regex` takes it as a regular expression of Python's.
    What is damaged is left out, in the log; where nothing else is found, Integrity is raised.
    Raises InvalidInput (an expression that does not compile), NotFound.
    """
    pattern = _compile(text, regex)
    states: dict[bytes, _State] = {}
    problems: list[Integrity] = []
    for checkpoint in histories.checkpoints(path):
        for identity, cell_id, read in _cells(histories, checkpoint, problems):
            state = states.get(identity)
            if state is not None:
                state.last = checkpoint
                continue
            try:
                with naming(checkpoint):
                    lines = read()
            except Integrity as error:
                problems.append(error)
                lines = []
            found = [(n, line) for n, line in enumerate(lines, 1) if pattern.search(line)]
            states[identity] = _State(checkpoint, checkpoint, cell_id, found)
    hits = [
        Hit(state.first, state.last, state.cell_id, number, line.strip()[:_LONGEST])
        for state in states.values()
        for number, line in state.lines
    ]
    for problem in problems:
        log.warning("search: %s", problem)
    if problems and not hits:
        raise problems[-1]
    return hits


def _compile(text: str, regex: bool) -> re.Pattern[str]:
    if not text:
        raise InvalidInput("There is nothing to search for.")
    try:
        return re.compile(text) if regex else re.compile(re.escape(text), re.IGNORECASE)
    except re.error as error:
        raise InvalidInput(
            f"{text!r} is not a regular expression: {error}.", hint="Leave --regex out?"
        ) from error


def _cells(
    histories: Histories, checkpoint: Checkpoint, problems: list[Integrity]
) -> Iterator[tuple[bytes, str | None, Callable[[], list[str]]]]:
    """Identity and id of each cell, and how to read its lines, which only new states need."""
    if checkpoint.kind != "notebook":

        def read_file() -> list[str]:
            return histories.read(checkpoint).decode(errors="replace").splitlines()

        yield checkpoint.content, None, read_file
        return
    try:
        manifest = histories.manifest(checkpoint)
    except Integrity as error:
        problems.append(error)
        return
    for index, cell in enumerate(manifest.cells):

        def read(index: int = index) -> list[str]:
            return list(_lines(read_cell(histories.repository, manifest, index)))

        yield cell.identity, cell.id, read


def _lines(cell: dict[str, Any]) -> Iterator[str]:
    yield from _text(cell.get("source", cell.get("input", ""))).splitlines()
    outputs = cell.get("outputs")
    for output in outputs if isinstance(outputs, list) else []:
        if not isinstance(output, dict):
            continue
        for name in _TEXTS:
            yield from _text(output.get(name, "")).splitlines()
        data = output.get("data")
        for kind, value in data.items() if isinstance(data, dict) else []:
            if kind.startswith("text/") or kind.endswith("json"):
                yield from _text(value).splitlines()


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(one if isinstance(one, str) else json.dumps(one) for one in value)
    return json.dumps(value) if value else ""
