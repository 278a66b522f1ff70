"""Names near the one that was asked for: copies of the file, other spellings, folders that moved.

Who duplicated the notebook, mistyped its name, or moved its folder before it was lost has its work
under another name. It is told with the command that brings it back; nothing of it is taken.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from jupyter_rewind.model.shell import quoted
from jupyter_rewind.recovery import search
from jupyter_rewind.recovery.documents import read_document
from jupyter_rewind.recovery.evidence import EvidenceCell, Scope, Trace
from jupyter_rewind.recovery.filestate import LARGE_BYTES
from jupyter_rewind.recovery.lineends import plain
from jupyter_rewind.recovery.namesakes import is_called
from jupyter_rewind.recovery.regular import is_regular, read_of_others
from jupyter_rewind.recovery.traces.connections import ConnectionFinder
from jupyter_rewind.recovery.traces.git import GitFinder
from jupyter_rewind.recovery.traces.rewind import RewindFinder
from jupyter_rewind.recovery.traces.vscode import VSCodeFinder
from jupyter_rewind.recovery.walking import is_left_over, is_recovered

MOST_BYTES = 1 << 26
MOST_COPIES, MOST_TOLD = 20, 3
ALIKE = 0.8
_BY_RSYNC = re.compile(r"\.(?P<name>.+\.ipynb)\.[A-Za-z0-9]{5,6}")
"""What a copy is called that did not end: it may be of any state, so it is no trace by itself."""
_LISTS = (ConnectionFinder(), RewindFinder(), VSCodeFinder())
"""Know notebooks by their whole paths, wherever these are."""


def copies_in_words(
    scope: Scope, cells: Collection[EvidenceCell], known: Collection[Trace]
) -> tuple[str, ...]:
    """The files beside the lost notebook that are called as copies of it are (`NAME-Copy1.ipynb`)
    and have more than `cells`; those that are `known` as traces were read already."""
    wanted = scope.notebook
    if wanted is None:
        return ()
    here = {(each.kind, each.source.strip()) for each in cells}
    places = {each.place for each in known}
    lines, room = [], MOST_BYTES
    for path in list(_called_alike(scope.folder, wanted, places))[:MOST_COPIES]:
        raw = read_of_others(path, min(room, LARGE_BYTES))
        room -= len(raw)
        found = plain(read_document(Trace("copy", str(path)), raw)).documents if raw else ()
        every = {(e.kind, e.source.strip()) for each in found for e in each.cells} - {("code", "")}
        more = len(every - here)
        if more:
            count = "1 cell" if more == 1 else f"{more} cells"
            if here:
                count += f" that {'is' if more == 1 else 'are'} not in what came back"
            lines.append(
                f"{path.name} lies beside it, is called like a copy, and has {count}. If it is one:"
                f" jupyter rewind recover {quoted(str(wanted))} --scan"
                f" {quoted(str(path))}"
            )
    return tuple(lines[:MOST_TOLD])


def meant_in_words(scope: Scope) -> tuple[str, ...]:
    """The notebooks that may be meant: of nearly this name in the folder, else the few missing
    ones that it has; and missing ones of this very name in a folder that is another now."""
    wanted = scope.notebook
    if wanted is None:
        return ()
    known = _known(scope)
    beside = [each for each in known if each.parent == scope.folder and each != wanted]
    names = {each.name for each in beside} - {wanted.name}
    lines = [
        f"Did you mean {path.name}? {'It is here' if os.path.exists(path) else 'It is gone'}:"
        f" jupyter rewind recover {quoted(str(path))}"
        for path in (scope.folder / name for name in _alike(wanted.name, names))
    ]
    missing = sorted(each for each in beside if not os.path.exists(each))
    if not lines and len(missing) <= MOST_TOLD:
        lines = [
            f"Had it another name before? {path.name} was here, and is gone: jupyter rewind recover"
            f" {quoted(str(path))}"
            for path in missing
        ]
    gone = [
        each
        for each in known
        if each.name == wanted.name and each.parent != scope.folder and not os.path.exists(each)
    ]
    gone.sort(key=lambda each: (-known[each], each))
    for path in gone[:MOST_TOLD]:
        traces = "a trace" if known[path] == 1 else f"{known[path]} traces"
        lines.append(
            f"Is it that one? {path}, which is missing, has left {traces}:"
            f" jupyter rewind recover {quoted(str(path))}"
        )
    return tuple(lines)


def _known(scope: Scope) -> Counter[Path]:
    """The notebooks of the folder, and those that a program's list names anywhere; how often."""
    known: Counter[Path] = Counter()
    everywhere = replace(scope, notebook=None, folder=Path(scope.folder.anchor))
    near = replace(scope, notebook=None)
    traces = [
        *search.look(everywhere, _LISTS).traces,
        *(search.look(near, [GitFinder()]).traces if os.path.isdir(scope.folder) else ()),
    ]
    named = (Path(each.notebook) for each in traces if each.notebook is not None)
    known.update(each for each in (*named, *_files(scope.folder)) if not is_recovered(each))
    return known


def _files(folder: Path) -> Iterator[Path]:
    """The notebooks of the folder, by their files and by Jupyter's checkpoints."""
    for place in (folder, folder / ".ipynb_checkpoints"):
        for path in _listed(place):
            name = path.name if place == folder else path.name.replace("-checkpoint.", ".")
            if name.endswith(".ipynb") and not is_left_over(path):
                yield folder / name


def _alike(wanted: str, names: Collection[str]) -> list[str]:
    """The names that differ in capitals, blanks and marks alone; else those that are nearly so."""
    plain = {name: _plain(name) for name in sorted(names)}
    same = [name for name, told in plain.items() if told == _plain(wanted)]
    if same:
        return same[:MOST_TOLD]
    near = set(get_close_matches(_plain(wanted), set(plain.values()), MOST_TOLD, ALIKE))
    return [name for name, told in plain.items() if told in near][:MOST_TOLD]


def _plain(name: str) -> str:
    stem = unicodedata.normalize("NFKD", Path(name).stem).casefold()
    return "".join(each for each in stem if each.isalnum()) or stem


def _called_alike(folder: Path, wanted: Path, known: Collection[str]) -> Iterator[Path]:
    """The files called like copies that no finder found, the newest first."""
    fitting = []
    for path in _listed(folder):
        copied = _BY_RSYNC.fullmatch(path.name)
        is_copy = is_called(path.name, wanted.stem) or (copied and copied["name"] == wanted.name)
        if path == wanted or str(path) in known or is_recovered(path) or not is_copy:
            continue
        if is_regular(path):
            fitting.append((path.stat().st_mtime_ns, path))
    yield from (path for _, path in sorted(fitting, reverse=True))


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []  # told where the folder itself is looked into
