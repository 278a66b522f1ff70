"""Other notebooks, missing or in folders near by, that have the code of the one that is looked for.

Whoever stands in another folder, writes the name in another case, or has moved the notebook, is
told where its documents lie. Nothing of them is taken: they are another name's.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from jupyter_rewind.model.shell import quoted
from jupyter_rewind.recovery.documents import read_document
from jupyter_rewind.recovery.evidence import Scope, Trace
from jupyter_rewind.recovery.filestate import LARGE_BYTES
from jupyter_rewind.recovery.keptcopies import notebook_of
from jupyter_rewind.recovery.likeness import is_look
from jupyter_rewind.recovery.lineends import plain
from jupyter_rewind.recovery.regular import read_of_others
from jupyter_rewind.recovery.walking import (
    folders_below,
    is_left_over,
    is_recovered,
    settle,
)

MOST_FOLDERS = 400
MOST_ABOVE, MOST_BESIDE = 2, 100
MOST_BYTES = 1 << 26
MOST_TOLD = 3
ENOUGH = 2


@dataclass(frozen=True, slots=True)
class _Document:
    """A file with a notebook's content, and the notebook that it is of."""

    notebook: Path
    place: Path

    @property
    def is_copy(self) -> bool:
        return self.place != self.notebook


def renamed_in_words(scope: Scope, cells: Collection[str]) -> tuple[str, ...]:
    """The missing notebooks of the folder whose checkpoints have most of `cells`, and more: the
    notebook may have been one of them before it was given its name."""
    telling = {each.strip() for each in cells if each.strip() and not is_look(each)}
    if scope.notebook is None or len(telling) < ENOUGH:
        return ()
    lines, room = [], MOST_BYTES
    for each in _checkpoints(scope.folder, scope, scope.notebook):
        raw = read_of_others(each.place, min(room, LARGE_BYTES))
        room -= len(raw)
        code = _code(each.place, raw)
        same, more = len(telling & code), len({s for s in code if s and not is_look(s)} - telling)
        if more and same >= max(ENOUGH, len(telling) / 2):
            lines.append(_line(each.notebook, same, True, len(telling), more))
    return tuple(lines[:MOST_TOLD])


def of_checkpoint_in_words(notebook: Path) -> tuple[str, ...]:
    """What to do where a checkpoint was named instead of its notebook: all else goes by that."""
    own = notebook_of(notebook)
    if own is None:
        return ()
    command = f"jupyter rewind recover {quoted(str(own))}"
    return (f"This is Jupyter's checkpoint of {own.name}. What was run since, too: {command}",)


def elsewhere_in_words(scope: Scope, ran: Collection[str]) -> tuple[str, ...]:
    """The notebooks that have most of `ran`, or the very name; the most like it first."""
    if scope.notebook is None:
        return ()
    telling = {source.strip() for source in ran if source.strip() and not is_look(source)}
    room = MOST_BYTES
    found: dict[Path, tuple[int, bool]] = {}
    for each in _documents(scope, scope.notebook):
        raw = read_of_others(each.place, min(room, LARGE_BYTES))
        room -= len(raw)
        same = len(telling & _code(each.place, raw)) if telling else 0
        is_like = same >= max(ENOUGH, len(telling) / 2)
        is_named = each.notebook.name.lower() == scope.notebook.name.lower() and bool(raw)
        if is_like or is_named:
            shown = (same if is_like else 0, each.is_copy)
            found[each.notebook] = max(found.get(each.notebook, shown), shown)
    best = sorted(found.items(), key=lambda each: (-each[1][0], each[0]))[:MOST_TOLD]
    return tuple(_line(notebook, *shown, len(telling)) for notebook, shown in best)


def _line(notebook: Path, same: int, is_copy: bool, of: int, more: int = 0) -> str:
    which = f"a checkpoint of {notebook}, which is missing," if is_copy else f"{notebook}"
    what = f"has {same} of these {of} cells" if same else "has this name"
    what += f" and {more} more" if more else ""
    command = f"jupyter rewind recover {quoted(str(notebook))}"
    return f"Is it that one? {which[0].upper()}{which[1:]} {what}: {command}"


def _documents(scope: Scope, wanted: Path) -> Iterator[_Document]:
    """Notebooks in folders near by, and checkpoints of notebooks that are not there."""
    for folder in _folders(scope):
        for path in _notebooks(folder):
            # Those of the folder itself are compared in any case.
            if folder != scope.folder and not is_recovered(path) and not is_left_over(path):
                yield _Document(path, path)
        yield from _checkpoints(folder, scope, wanted)


def _checkpoints(folder: Path, scope: Scope, wanted: Path) -> Iterator[_Document]:
    """The checkpoints in a folder of notebooks that are not there."""
    for path in _notebooks(folder / ".ipynb_checkpoints"):
        notebook = notebook_of(path)
        if notebook is None or os.path.exists(notebook):
            continue
        if settle(notebook, scope) != wanted:
            yield _Document(notebook, path)


def _folders(scope: Scope) -> Iterator[Path]:
    """The folder and those below it; then those above it, and those beside these, as far as a
    person's own go."""
    below = list(islice(folders_below(scope.folder), MOST_FOLDERS))
    yield from below
    seen = set(below)
    for above in scope.folder.parents[:MOST_ABOVE]:
        if above == above.parent or above in scope.home.parents:
            return
        for folder in (above, *islice(_inner(above), MOST_BESIDE)):
            if folder not in seen:
                seen.add(folder)
                yield folder


def _inner(folder: Path) -> Iterator[Path]:
    """The folders in this one that a person may have notebooks in, by name."""
    return (each for each in islice(folders_below(folder, deep=False), 1, None))


def _notebooks(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(each.path) for each in entries if each.name.endswith(".ipynb"))
    except OSError:
        return []  # told where the folder itself is looked into


def _code(place: Path, raw: bytes) -> set[str]:
    documents = plain(read_document(Trace("checkpoint", str(place)), raw)).documents
    return {cell.source.strip() for each in documents for cell in each.cells if cell.kind == "code"}
