"""What git has of a notebook: commits, stashes and reflogs, the index, and blobs nothing names.

A blob that was staged once and then overwritten, or that belongs to a dropped stash or an amended
commit, still lies among git's loose objects for weeks. Where an old folder listing (a tree) names
it, it is known to be the notebook's; otherwise it is offered as a notebook of an unknown name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from jupyter_rewind.errors import Unavailable
from jupyter_rewind.notebooks.strangers import LFS_POINTER
from jupyter_rewind.recovery.documents import read_document, read_notebook
from jupyter_rewind.recovery.evidence import EVERYTHING, Evidence, Holds, Problem, Scope, Trace
from jupyter_rewind.recovery.gitobjects import GitRepository, Loose, tree_entries
from jupyter_rewind.recovery.gitquestions import GitQuestions, Paths
from jupyter_rewind.recovery.gitremains import remains_around, stand_in
from jupyter_rewind.recovery.thinning import MOST_DOCUMENTS
from jupyter_rewind.recovery.walking import settle

_NOTEBOOK = re.compile(rb'\A\s*\{\s*"(?:cells|metadata|nbformat|nbformat_minor|worksheets)"\s*:')
_MOST_CRUFT = 2000


DROPPED = "dropped"
"""In the handle of a trace: nothing of git's own refers to it any more."""
FETCHED = "fetched"
"""In the handle of a trace: only what was fetched of others has it."""


BRANCH = "branch"
"""In the handle of a trace: it is of a branch that is not checked out."""


class GitFinder:
    """Every state of the notebook that git still has."""

    kind = "git"
    title = "git"
    asked_only = False
    holds: frozenset[Holds] = EVERYTHING
    where: Mapping[str, str] = {
        "linux": "the repository around the notebook: commits of all branches, stashes and reflogs,"
        " the index, and what nothing refers to any more (loose objects, cruft packs)",
        "macos": "as on Linux",
        "windows": "as on Linux",
    }

    def find(self, scope: Scope) -> Iterator[Trace | Problem]:
        folder = scope.notebook.parent if scope.notebook else scope.folder
        try:
            repository = GitRepository.around(folder, scope.environ)
        except Unavailable as error:
            repository = remains_around(folder, scope.environ, scope.scratch)
            if repository is None:
                raise
            yield Problem(str(repository.top), f"{error} Its objects were read without it.")
        if repository is None:
            return
        asked = GitQuestions(repository, scope)
        named = list(_named(asked, scope))
        yield from named
        yield from _unnamed(asked, scope, named)
        yield from asked.problems

    def read(self, trace: Trace, scope: Scope) -> Evidence:
        top, objects = Path(trace.handle["top"]), Path(trace.handle["objects"])
        repository = GitRepository(top, objects.parent, scope.environ)
        try:
            raw = repository.read(trace.handle["blob"])
        except Unavailable:
            if repository.is_slow:
                raise
            # What git refuses may be the repository, and not this object.
            repository = stand_in(top, objects.parent, scope.environ, scope.scratch)
            raw = repository.read(trace.handle["blob"])
        pointer = LFS_POINTER.match(raw)
        if pointer is not None:
            return read_notebook(trace, _lfs_place(repository, pointer[1].decode()))
        return read_document(trace, raw)


def _wanted(repository: GitRepository, scope: Scope) -> Paths:
    top = os.path.realpath(repository.top)
    if scope.notebook is not None:
        at = os.path.join(os.path.realpath(scope.notebook.parent), scope.notebook.name)
        return Paths(name=os.path.relpath(at, top).replace(os.sep, "/"))
    folder = os.path.relpath(os.path.realpath(scope.folder), top).replace(os.sep, "/")
    return Paths(folder="" if folder == "." else f"{folder}/")


def _named(asked: GitQuestions, scope: Scope) -> Iterator[Trace]:
    """What commits and the index name; each blob of each path once, at its newest."""
    repository = asked.repository
    paths = _wanted(repository, scope)
    seen: set[tuple[str, str]] = set()
    fetched = asked.fetched(paths)
    versions = asked.versions(paths)
    branches = asked.on_other_branches(paths) if versions else frozenset()
    # What others made comes last, and what is theirs and ours is ours.
    versions.sort(key=lambda each: (each.commit in fetched, each.commit in branches))
    # Of many, the largest are read, too; of few it takes no process to know them.
    is_many = len(versions) > MOST_DOCUMENTS
    sizes = asked.sizes_of(sorted({each.blob for each in versions})) if is_many else {}
    committed = {(each.blob, each.path): each.time_ns for each in reversed(versions)}
    for blob, path, stage in asked.staged(paths):
        seen.add((blob, path))
        side = f" (side {stage} of a conflict)" if stage else ""
        time_ns = committed.get((blob, path)) or repository.written_ns(blob)
        yield _trace(repository, blob, path, f"Staged in git's index{side}", time_ns)
    for version in versions:
        if (version.blob, version.path) not in seen:
            seen.add((version.blob, version.path))
            words, handle = f"Commit {version.commit[:10]} of git", {}
            if version.commit in fetched:
                words, handle = f"{words}, fetched: on no branch of yours", {FETCHED: "yes"}
            elif version.commit in branches:
                words, handle = f"{words}, on a branch that is not checked out", {BRANCH: "yes"}
            yield _trace(
                repository, version.blob, version.path, words, version.time_ns,
                size_bytes=sizes.get(version.blob, 0), handle=handle,
            )  # fmt: skip


def _unnamed(
    asked: GitQuestions, scope: Scope, named: Sequence[Trace]
) -> Iterator[Trace | Problem]:
    """Notebooks among the objects that no commit and no index names."""
    repository = asked.repository
    known = {each.handle["blob"] for each in named}
    names: dict[str, str] = {}
    blobs: list[Loose] = []
    for each in repository.loose():
        if each.kind == "tree":
            width = len(each.name) // 2
            names.update((blob, name) for name, blob in tree_entries(each.head, width))
        elif each.kind == "blob" and each.name not in known and _is_notebook(each.head):
            blobs.append(each)
    cruft = [each for each in asked.cruft() if each not in known]
    if not blobs and not cruft:
        return
    everywhere = Paths(folder="")
    versions = asked.versions(everywhere)
    others = {each.blob for each in versions} - known
    paths = {each.path for each in versions} | {path for _, path, _ in asked.staged(everywhere)}
    places = _Places(scope, named, {repository.top / each for each in paths})
    for each in blobs:
        if each.name not in others:
            name = names.get(each.name)
            yield from _offer(repository, places, each.name, name, each)
    seen = others | {each.name for each in blobs}
    yield from _cruft(asked, places, [each for each in cruft if each not in seen])


class _Places:
    """Which notebook a file name is that stands in a tree which nothing refers to any more.

    `paths` are all notebooks that git knows: where two have one name, the name tells nothing.
    """

    def __init__(self, scope: Scope, named: Sequence[Trace], paths: Iterable[Path]) -> None:
        self.wanted = scope.notebook
        self._alike = {path.name for path in paths if settle(path, scope) != scope.notebook}
        self._known = {each.notebook for each in named if each.notebook is not None}

    def refuses(self, name: str | None) -> bool:
        """Whether it is surely not the notebook that is looked for."""
        return name is not None and self.wanted is not None and name != self.wanted.name

    def of(self, name: str | None) -> str | None:
        """The notebook's path, where that is one only."""
        if name is None:
            return None
        if self.wanted is not None:
            return None if name in self._alike else str(self.wanted)
        found = [each for each in self._known if os.path.basename(each) == name]
        return found[0] if len(found) == 1 else None


def _offer(
    repository: GitRepository, places: _Places, blob: str, name: str | None, loose: Loose | None
) -> Iterator[Trace]:
    if places.refuses(name):
        return
    words = "Added to git once and never committed, or dropped since"
    yield _trace(
        repository, blob, None, words, loose.time_ns if loose else None,
        notebook=places.of(name),
        size_bytes=loose.size_bytes if loose else 0,
        handle={DROPPED: "yes"},
    )  # fmt: skip


def _cruft(asked: GitQuestions, places: _Places, names: Sequence[str]) -> Iterator[Trace | Problem]:
    """Notebooks in git's packs of what nothing refers to."""
    if not names:
        return
    repository = asked.repository
    blobs = asked.blobs_among(names)
    if len(blobs) > _MOST_CRUFT:
        words = f"{len(blobs)} objects in it belong to nothing; {_MOST_CRUFT} were looked at."
        yield Problem(str(repository.objects / "pack"), words)
    for blob in blobs[:_MOST_CRUFT]:
        if _is_notebook(asked.start_of(blob)):
            yield from _offer(repository, places, blob, None, None)


def _trace(
    repository: GitRepository, blob: str, path: str | None, words: str, time_ns: int | None,
    notebook: str | None = None, size_bytes: int = 0, handle: Mapping[str, str] | None = None,
) -> Trace:  # fmt: skip
    return Trace(
        kind=GitFinder.kind,
        place=f"{repository.top}: git object {blob[:12]}",
        notebook=str(repository.top / path) if path is not None else notebook,
        holds=EVERYTHING,
        time_ns=time_ns,
        size_bytes=size_bytes,
        words=words,
        handle={
            "top": str(repository.top),
            "objects": str(repository.objects),
            "blob": blob,
            **(handle or {}),
        },
    )


def _is_notebook(head: bytes) -> bool:
    return _NOTEBOOK.match(head) is not None


def _lfs_place(repository: GitRepository, oid: str) -> Path:
    """Where the content lies that a pointer of Git LFS stands for."""
    return repository.objects.parent / "lfs" / "objects" / oid[:2] / oid[2:4] / oid
