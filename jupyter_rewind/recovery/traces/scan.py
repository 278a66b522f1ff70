"""Files and folders that the user names: whatever in them is, or looks like, a notebook."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_rewind.errors import Format
from jupyter_rewind.recovery.documents import read_document, read_notebook
from jupyter_rewind.recovery.evidence import EVERYTHING, Evidence, Holds, Problem, Scope, Trace
from jupyter_rewind.recovery.namesakes import BY_NAME, MADE, is_called
from jupyter_rewind.recovery.regular import NO_FILE, open_file
from jupyter_rewind.recovery.walking import (
    PACKED,
    RECOVERED,
    TARS,
    ZIPS,
    folders_below,
    is_recovered,
)

if TYPE_CHECKING:
    from jupyter_rewind.recovery.archives import Copies

MOST_FILES = 200_000
_HEAD_BYTES = 512
_EARLIER = (
    "It was brought back before, so nothing is built on it: open it, and see whether it has what"
    " you miss."
)
_KEYS = rb"cells|metadata|nbformat|nbformat_minor|orig_nbformat|worksheets"
_NOTEBOOK = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"(?:' + _KEYS + rb')"\s*:')
_NO_NOTEBOOK = frozenset(
    {
        ".py", ".pyc", ".so", ".html", ".md", ".qmd", ".csv", ".parquet", ".png", ".jpg", ".jpeg",
        ".pdf", ".zip", ".gz", ".xz", ".zst", ".tar", ".sqlite", ".db", ".npy", ".npz", ".h5",
        ".hdf5", ".pkl", ".mp4", ".js", ".css", ".ts", ".c", ".h", ".o",
    }
)  # fmt: skip

_ARCHIVES = (
    ".zip", ".tar", ".tgz", ".gz", ".txz", ".xz", ".tbz2", ".bz2", ".zst", ".7z", ".rar",
)  # fmt: skip
_MOST_NAMED = 3
_ARCHIVE, _AT, _COPY = "archive", "at", "copy"
MEMBER = "member"
"""In the handle of a trace that lies in an archive."""


class ScanFinder:
    """Every notebook in the folders and files that `--scan` names, whatever it is called."""

    kind = "scan"
    title = "folders and files that you name"
    asked_only = True
    holds: frozenset[Holds] = EVERYTHING
    where: Mapping[str, str] = {
        "linux": "what `--scan` names: notebooks, files of other names that begin like one, and"
        " notebooks in zip archives; in tar archives, where the archive itself is named",
        "macos": "as on Linux",
        "windows": "as on Linux",
    }

    def find(self, scope: Scope) -> Iterator[Trace | Problem]:
        @cache
        def copies() -> Copies:
            # Only who has archives waits for what opens them.
            from jupyter_rewind.recovery.archives import Copies

            return Copies(scope.scratch)

        for place in scope.scan:
            if os.path.isdir(place):
                yield from _look_into(place, scope, copies)
            elif place.name.lower().endswith((*ZIPS, *TARS)):
                yield from _in_archive(place, scope, copies)
            else:
                yield from _trace(place, scope, named=True)

    def read(self, trace: Trace, scope: Scope) -> Evidence:
        """Raises NotFound and Format (of archives), OSError."""
        if _COPY in trace.handle:
            return read_notebook(trace, Path(trace.handle[_COPY]))
        place = Path(trace.handle.get(_ARCHIVE, trace.place))
        if MEMBER not in trace.handle and not place.name.lower().endswith(PACKED):
            return read_notebook(trace)
        from jupyter_rewind.recovery.archives import is_packed, read_member

        if MEMBER not in trace.handle and not is_packed(place):
            return read_notebook(trace)
        name, at = trace.handle.get(MEMBER, ""), int(trace.handle.get(_AT, 0))
        return read_document(trace, read_member(place, name, at))


def _look_into(top: Path, scope: Scope, copies: Callable[[], Copies]) -> Iterator[Trace | Problem]:
    count, archives = 0, list[str]()
    for folder in folders_below(top, hidden=True):
        try:
            entries = sorted(os.scandir(folder), key=lambda each: each.name)
        except OSError as error:
            yield Problem(str(folder), f"It cannot be looked into: {error.strerror}.")
            continue
        scope.progress(f"Looking into {folder}", None)
        for entry in entries:
            count += entry.is_file(follow_symlinks=False)
            if count > MOST_FILES:
                words = f"It holds more than {MOST_FILES} files; the rest was not looked at."
                yield Problem(str(top), words)
                return
            if ".ipynb" not in entry.name and entry.name.lower().endswith(_ARCHIVES):
                if entry.name.lower().endswith(ZIPS):  # the others have no list of what is in them
                    yield from _in_archive(Path(entry.path), scope, copies)
                else:
                    archives.append(entry.name)
            if _is_earlier_recovery(Path(entry.path), scope):
                yield Problem(entry.path, _EARLIER)
            elif _looks_like_one(entry, scope):
                yield from _trace(Path(entry.path), scope)
    if archives:
        yield Problem(str(top), _packed(archives))


def _in_archive(
    archive: Path, scope: Scope, copies: Callable[[], Copies]
) -> Iterator[Trace | Problem]:
    """The notebooks in an archive: of the notebook where their names say so."""
    from jupyter_rewind.recovery.archives import base_of, notebooks_in

    scope.progress(f"Looking into {archive}", None)
    wanted = scope.notebook
    try:
        for each in notebooks_in(archive, copies()):
            is_own = wanted is not None and is_called(base_of(each.name), wanted.stem)
            copy = {} if each.copy is None else {_COPY: str(each.copy)}
            yield Trace(
                ScanFinder.kind, f"{archive}: {each.name}", str(wanted) if is_own else None,
                EVERYTHING, each.time_ns, each.size_bytes, "In an archive that you named",
                handle={
                    _ARCHIVE: str(archive), MEMBER: each.name, _AT: str(each.at), MADE: BY_NAME,
                    **copy,
                },
            )  # fmt: skip
    except (Format, OSError) as error:
        yield Problem(str(archive), f"It could not be looked into: {error}")


def _packed(archives: list[str]) -> str:
    """What is told of archives that take long to look into, or cannot be."""
    one, more = len(archives) == 1, ", …" if len(archives) > _MOST_NAMED else ""
    count = "1 archive in it was" if one else f"{len(archives)} archives in it were"
    return (
        f"{count} not looked into ({', '.join(archives[:_MOST_NAMED])}{more}). Where the notebook"
        f" may be in {'it' if one else 'one'}, name that with --scan, or unpack it."
    )


def _is_earlier_recovery(path: Path, scope: Scope) -> bool:
    """Whether it was brought back of this notebook, and lies where that notebook did not."""
    wanted = scope.notebook
    return (
        wanted is not None
        and path.parent != wanted.parent
        and path.name.startswith(f"{wanted.stem}{RECOVERED}")
        and is_recovered(path, wanted)
    )


def _looks_like_one(entry: os.DirEntry[str], scope: Scope) -> bool:
    if not entry.is_file(follow_symlinks=False) or is_recovered(Path(entry.path), scope.notebook):
        return False
    if ".ipynb" in entry.name:
        return True
    if os.path.splitext(entry.name)[1].lower() in _NO_NOTEBOOK:
        return False
    try:
        with open_file(entry.path) as file:
            return _NOTEBOOK.match(file.read(_HEAD_BYTES)) is not None
    except OSError:
        return False


def _trace(place: Path, scope: Scope, *, named: bool = False) -> Iterator[Trace | Problem]:
    """The file as a trace: of the notebook where its name says so, or where it was named itself."""
    try:
        status = place.stat()
    except OSError as error:
        yield Problem(str(place), f"It cannot be looked at: {error.strerror}.")
        return
    if place == scope.notebook:
        return
    if not stat.S_ISREG(status.st_mode):
        if named:
            yield Problem(str(place), NO_FILE)
        return
    wanted = scope.notebook
    is_own = wanted is not None and (named or is_called(place.name, wanted.stem))
    yield Trace(
        kind=ScanFinder.kind,
        place=str(place),
        notebook=str(wanted) if is_own else None,
        holds=EVERYTHING,
        time_ns=status.st_mtime_ns,
        size_bytes=status.st_size,
        words="A file that you named" if named else "A file in a folder that you named",
        handle={} if named else {MADE: BY_NAME},
    )
