"""Which checkpoints held a text: each different state of a cell is read and told once."""

from __future__ import annotations

import bisect
import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from jupyter_rewind import clock
from jupyter_rewind.errors import Integrity, InvalidInput
from jupyter_rewind.model.checkpoint import Checkpoint
from jupyter_rewind.notebooks.contents import read_cell
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.notebooks.reading import naming

_LONGEST = 400
_SECONDS = 5.0
_RECURSION = re.compile(r"\(\?(?:R|&|P>|[+-]?[0-9])")
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
    compile, or that takes too long), NotFound.
    """
    find = _finder(text, regex)
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
            except Integrity as error:
                problems[str(error)] = None
                texts = []
            states[identity] = _State(checkpoint, checkpoint, cell_id, list(_hits(texts, find)))
    hits = tuple(
        Hit(state.first, state.last, state.cell_id, number, line.strip()[:_LONGEST])
        for state in states.values()
        for number, line in state.lines
    )
    return Found(hits, tuple(problems))


def _finder(text: str, is_expression: bool) -> Callable[[str], Iterator[int]]:
    """Gives the places of a text at which `text` begins."""
    if not text:
        raise InvalidInput("There is nothing to search for.")
    if not is_expression:
        plain = re.compile(re.escape(text), re.IGNORECASE)
        return lambda whole: (match.start() for match in plain.finditer(whole))
    # Python's own engine cannot be stopped, and stops the whole process meanwhile.
    import regex

    if _RECURSION.search(text):
        raise InvalidInput(f"{text!r} calls itself, and expressions that do are not searched for.")
    try:
        pattern = regex.compile(text, regex.MULTILINE)
    except (regex.error, RecursionError, OverflowError, MemoryError) as error:
        raise InvalidInput(
            f"{text!r} is not a regular expression: {error}.", hint="Leave --regex out?"
        ) from error
    end = clock.monotonic() + _SECONDS

    def find(whole: str) -> Iterator[int]:
        left = max(0.01, end - clock.monotonic())
        try:
            for match in pattern.finditer(whole, timeout=left, concurrent=True):
                yield match.start()
        except TimeoutError as error:
            raise InvalidInput(
                f"The regular expression {text!r} takes more than {_SECONDS:.0f} seconds here.",
                hint="Nested repetitions such as (a+)+ are slow: try a simpler one, or plain text.",
            ) from error

    return find


def _hits(texts: list[str], find: Callable[[str], Iterator[int]]) -> Iterator[tuple[int, str]]:
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
            return [histories.read(checkpoint).decode(errors="replace")]

        yield checkpoint.content, None, read_file
        return
    try:
        manifest = histories.manifest(checkpoint)
    except Integrity as error:
        problems[str(error)] = None
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
