"""What of a repository still reads where git itself refuses: a power cut hurt a file of its own.

Git opens nothing of a repository whose HEAD is empty or whose configuration is garbage, and lists
no commit where one of those that its refs name is damaged. The objects lie there all the same. So
a folder of our own stands in for what is hurt, with the objects where they are, and the commits
are found among them, not by way of refs.

Nothing is mended, and nothing of the repository is written.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from jupyter_rewind import clock
from jupyter_rewind.errors import Unavailable
from jupyter_rewind.recovery.gitobjects import GitRepository, Version, tree_entries, tree_folders
from jupyter_rewind.recovery.regular import is_regular, read_file

_MOST_COMMITS = 5000
_MOST_TEXT = 16 << 20
_DEEPEST = 100
_SECONDS = 20.0
_MOST_INDEX = 32 << 20
"""Of a million objects; their names take ten times as much room."""
_MOST_TREES = 200 << 20
_AT_ONCE = 1000
_HEXADECIMAL = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class _Commit:
    tree: str
    parents: tuple[str, ...]
    time_ns: int


class GitRemains:
    """The commits among a repository's objects, whichever of them refs, HEAD and reflogs name.

    `wants` says which names of files are looked for; `problems` tells what did not read.
    """

    def __init__(
        self, repository: GitRepository, scratch: Path, wants: Callable[[str], bool]
    ) -> None:
        self._repository = stand_in(repository.top, repository.folder, repository.environ, scratch)
        self._wants = wants
        self._room = _MOST_TREES
        self._until = clock.monotonic() + _SECONDS
        self._trees: dict[str, bytes] = {}
        self._listed: dict[str, Mapping[str, str]] = {}
        self.problems: list[str] = []

    @cached_property
    def versions(self) -> list[Version]:
        """Each state of a wanted path in any commit that reads, the newest first."""
        newest = sorted(self._commits.items(), key=lambda each: each[1].time_ns, reverse=True)
        if len(newest) > _MOST_COMMITS:
            self.problems.append(
                f"Of {len(newest)} commits of git the newest {_MOST_COMMITS} were read."
            )
        taken = dict(newest[:_MOST_COMMITS])
        files = self._files({each.tree for each in taken.values()})
        found = []
        for name, commit in taken.items():
            before = [files[taken[each].tree] for each in commit.parents if each in taken]
            for path, blob in files[commit.tree].items():
                # As `git log` has it: what a commit took over from each of its parents is theirs.
                if not before or any(each.get(path) != blob for each in before):
                    found.append(Version(blob, path, name, commit.time_ns))
        return found

    @property
    def fetched(self) -> frozenset[str]:
        """The commits that remotes have, and no branch of the repository's own had."""
        own = self._reached([*self._refs("heads"), *self._logged("HEAD"), *self._logged_heads()])
        return frozenset(self._reached(self._refs("remotes")) - own)

    @property
    def on_other_branches(self) -> frozenset[str]:
        """The commits of branches that are not checked out; none where that cannot be told."""
        head = self._text("HEAD").strip().removeprefix("ref:").strip()
        tips = list(self._logged("HEAD"))[-1:]
        if head.startswith("refs/heads/"):
            tips += self._logged(head)
        current = self._reached(tips)
        heads = self._reached([*self._refs("heads"), *self._logged_heads()])
        return frozenset(heads - current) if current else frozenset()

    @cached_property
    def _commits(self) -> dict[str, _Commit]:
        found = {}
        for each in self._repository.loose():
            if each.kind == "tree":
                self._trees[each.name] = each.head
            elif each.kind == "commit" and (read := _parse_commit(each.head)) is not None:
                found[each.name] = read
        for index in self._repository.indexes():
            if self._is_late():
                break
            try:
                if index.stat().st_size > _MOST_INDEX:
                    self._tell(f"{index} was left out: its pack has too many objects.")
                    continue
                names = self._repository.named_in(index)
                commits = self._repository.among(names, "commit")
                told = self._repository.contents(commits)
            except (Unavailable, OSError) as error:
                self._tell(f"{index}: {error}")
                continue
            if len(told) < len(commits):
                lost = len(commits) - len(told)
                count = "1 commit does" if lost == 1 else f"{lost} commits do"
                self._tell(f"{index}: {count} not read.")
            parsed = ((name, _parse_commit(raw)) for name, raw in told.items())
            found.update((name, commit) for name, commit in parsed if commit is not None)
        return found

    def _files(self, roots: set[str]) -> Mapping[str, Mapping[str, str]]:
        """The blob of each wanted path below each of the trees; damaged trees hold none."""
        self._load(roots)
        return {each: self._below(each, _DEEPEST) for each in roots}

    def _load(self, roots: set[str]) -> None:
        """Reads the trees and those below them, a level at a time."""
        level, seen = set(roots), set(roots)
        while level and not self._is_late():
            missing = sorted(level - self._trees.keys())
            for at in range(0, len(missing), _AT_ONCE):
                if not self._is_late():
                    self._read_trees(missing[at : at + _AT_ONCE])
            inner = (tree_folders(self._trees.get(each, b""), len(each) // 2) for each in level)
            level = {name for names in inner for name in names} - seen
            seen |= level
        lost = seen - self._trees.keys()
        if lost:
            count = "1 folder" if len(lost) == 1 else f"{len(lost)} folders"
            self._tell(f"What git's commits had in {count} does not read.")

    def _read_trees(self, names: Sequence[str]) -> None:
        try:
            read = self._repository.contents(names)
        except Unavailable as error:
            self._tell(str(error))
            return
        self._trees.update(read)
        self._room -= sum(map(len, read.values()))

    def _below(self, tree: str, deep: int) -> Mapping[str, str]:
        """Each tree is gone through once: most commits change few."""
        if tree in self._listed or not deep:
            return self._listed.get(tree, {})
        raw, width = self._trees.get(tree, b""), len(tree) // 2
        folders = set(tree_folders(raw, width))
        found: dict[str, str] = {}
        self._listed[tree] = {}  # no folder lies in itself, but what is damaged may say so
        for name, each in tree_entries(raw, width):
            if each in folders:
                inner = self._below(each, deep - 1)
                found.update((f"{name}/{path}", blob) for path, blob in inner.items())
            elif self._wants(name):
                found[name] = each
        self._listed[tree] = found
        return found

    def _is_late(self) -> bool:
        """Whether what is left takes too long, or more than can be held."""
        if clock.monotonic() < self._until and self._room > 0:
            return False
        self._tell("Not all of git's objects were read: they are too many.")
        return True

    def _tell(self, words: str) -> None:
        if words not in self.problems:
            self.problems.append(words)

    def _reached(self, tips: Iterable[str]) -> set[str]:
        """The commits that read, and that those lead to."""
        found, waiting = set[str](), list(tips)
        while waiting:
            name = waiting.pop()
            if name not in found and name in self._commits:
                found.add(name)
                waiting += self._commits[name].parents
        return found

    def _refs(self, kind: str) -> Iterator[str]:
        """What the refs of a kind name, as far as they read."""
        folder = self._repository.folder / "refs" / kind
        for path in folder.rglob("*") if os.path.isdir(folder) else ():
            if is_regular(path):
                yield self._text(str(path.relative_to(self._repository.folder))).strip()
        for line in self._text("packed-refs").splitlines():
            name, _, ref = line.partition(" ")
            if ref.startswith(f"refs/{kind}/"):
                yield name

    def _logged_heads(self) -> Iterator[str]:
        folder = self._repository.folder / "logs" / "refs" / "heads"
        for path in folder.rglob("*") if os.path.isdir(folder) else ():
            if is_regular(path):
                yield from self._logged(str(path.relative_to(self._repository.folder / "logs")))

    def _logged(self, ref: str) -> Iterator[str]:
        """All that a reflog names, the last one last."""
        for line in self._text(f"logs/{ref}").splitlines():
            yield from (each for each in line.split(" ", 2)[:2] if _is_name(each))

    def _text(self, name: str) -> str:
        try:
            return read_file(self._repository.folder / name, _MOST_TEXT).decode(errors="replace")
        except (OSError, ValueError):
            return ""


def remains_around(folder: Path, environ: Mapping[str, str], scratch: Path) -> GitRepository | None:
    """The repository that `folder` lies in, its objects read without what else git has there; None
    where it has no objects."""
    top = next((each for each in (folder, *folder.parents) if os.path.exists(each / ".git")), None)
    if top is None:
        return None
    place = top / ".git"
    try:
        if not os.path.isdir(place):
            words = read_file(place, _MOST_TEXT).decode(errors="surrogateescape")
            place = top / words.removeprefix("gitdir:").strip()
        own = place
        if is_regular(place / "commondir"):
            words = read_file(place / "commondir", _MOST_TEXT).decode(errors="surrogateescape")
            place = place / words.strip()
        if not os.path.isdir(place / "objects"):
            return None
    except (OSError, ValueError):
        return None
    return stand_in(top, Path(os.path.normpath(place)), environ, scratch, own)


def stand_in(
    top: Path,
    folder: Path,
    environ: Mapping[str, str],
    scratch: Path,
    own: Path | None = None,
) -> GitRepository:
    """The repository as seen with a configuration and a HEAD of ours; its objects are where they
    were, and so is its index, in `own` where this is one of several work trees. Raises OSError."""
    index = (own or folder) / "index"
    objects = folder / "objects"
    wide = _is_wide(objects)
    mine = scratch / ("git-sha256" if wide else "git-sha1")
    (mine / "refs").mkdir(parents=True, exist_ok=True)
    (mine / "objects").mkdir(exist_ok=True)
    (mine / "HEAD").write_text("ref: refs/heads/none\n")
    form = "\trepositoryformatversion = 1\n[extensions]\n\tobjectFormat = sha256\n"
    config = form if wide else "\trepositoryformatversion = 0\n"
    (mine / "config").write_text(f"[core]\n{config}")
    instead = {
        "GIT_DIR": str(mine),
        "GIT_OBJECT_DIRECTORY": str(objects),
        "GIT_WORK_TREE": str(top),
        # Git would wait for a pipe.
        "GIT_INDEX_FILE": str(index if is_regular(index) else mine / "index"),
    }
    return GitRepository(top, folder, environ, instead)


def _is_wide(objects: Path) -> bool:
    """Whether names of objects are those of SHA-256."""
    for folder in objects.glob("[0-9a-f][0-9a-f]"):
        for path in folder.iterdir():
            if len(path.name) in (38, 62):
                return len(path.name) == 62
    return any(len(each.stem) == len("pack-") + 64 for each in (objects / "pack").glob("pack-*"))


def _parse_commit(raw: bytes) -> _Commit | None:
    """What a commit's first lines say; None where they do not read."""
    tree, parents, time_ns = "", list[str](), 0
    for line in raw.split(b"\n\n", 1)[0].split(b"\n"):
        key, _, value = line.decode(errors="replace").partition(" ")
        if key == "tree":
            tree = value
        elif key == "parent":
            parents.append(value)
        elif key == "committer":
            words: Sequence[str] = value.rsplit(" ", 2)
            seconds = words[1] if len(words) == 3 else ""
            if seconds.isascii() and seconds.isdigit() and len(seconds) < 12:
                time_ns = int(seconds) * 1_000_000_000
    return _Commit(tree, tuple(parents), time_ns) if _is_name(tree) else None


def _is_name(text: str) -> bool:
    return len(text) in (40, 64) and _HEXADECIMAL.issuperset(text)
