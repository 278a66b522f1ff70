"""What git keeps, read without changing a byte of the repository.

Only plumbing is asked, and so that nothing of the repository's own configuration runs: no hooks,
no file system monitor, no pager, no signature check, no fetch. Loose objects are read here, for
git itself lists none that nothing refers to without walking everything.
"""

from __future__ import annotations

import os
import subprocess
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jupyter_rewind.errors import NotFound, Unavailable
from jupyter_rewind.recovery.regular import is_regular, open_file, read_file

_QUIET = (
    "--no-optional-locks", "--no-pager", "-c", "core.fsmonitor=false", "-c", "core.quotePath=false",
    "-c", "core.hooksPath=/dev/null", "-c", "protocol.allow=never", "-c", "core.sshCommand=false",
)  # fmt: skip
PATIENCE_SECONDS = 10
_LITTLE_SECONDS = 2
"""So long git is waited for that did not answer once: a search asks it more than one thing."""
_MOST_STOPS = 20
_HEAD_BYTES = 4096
_TREE_BYTES = 4 << 20
_HEXADECIMAL = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Version:
    """A file as one commit had it; `path` is relative to the top of the repository."""

    blob: str
    path: str
    commit: str
    time_ns: int


@dataclass(frozen=True, slots=True)
class Loose:
    """An object in a file of its own: its kind, size, time of writing and first bytes."""

    name: str
    kind: str
    size_bytes: int
    time_ns: int
    head: bytes


class GitRepository:
    """One repository, looked at from a folder in it."""

    def __init__(
        self,
        top: Path,
        folder: Path,
        environ: Mapping[str, str],
        instead: Mapping[str, str] | None = None,
    ) -> None:
        """`folder` is git's own; `instead` are variables that show git another one."""
        self.top = top
        self.folder = folder
        self.objects = folder / "objects"
        self.environ = environ
        self.is_stand_in = instead is not None
        self._environ = _environment(environ) | dict(instead or {})
        self._patience: float = PATIENCE_SECONDS

    @property
    def is_slow(self) -> bool:
        """Whether git took too long once; then it is given little time."""
        return self._patience < PATIENCE_SECONDS

    @classmethod
    def around(cls, folder: Path, environ: Mapping[str, str]) -> GitRepository | None:
        """The repository that `folder` lies in; None where there is none.

        Raises Unavailable where there is one that git cannot or will not open.
        """
        at = next((each for each in (folder, *folder.parents) if os.path.isdir(each)), folder)
        if not any(os.path.exists(each / ".git") for each in (at, *at.parents)):
            return None
        _refuse_pipes(at)
        asked = ["rev-parse", "--show-toplevel", "--git-common-dir"]
        told = _run(at, asked, _environment(environ)).decode(errors="surrogateescape")
        top, common = told.splitlines()[:2]
        return cls(Path(top), Path(os.path.join(at, common)), environ)

    def versions(self, paths: Sequence[str]) -> list[Version]:
        """Each state of these paths in any commit of a ref, stash or reflog, the newest first."""
        asked = [
            "log", "--all", "--reflog", "-m", "--raw", "-z", "--no-abbrev", "--no-renames",
            "--no-show-signature", "--no-ext-diff", "--no-textconv", "--format=%x01%H %ct",
        ]  # fmt: skip
        return list(parse_log(self._ask([*asked, "--", *paths])))

    def fetched(self, paths: Sequence[str]) -> frozenset[str]:
        """The commits on these paths that are on no branch of this repository's own."""
        asked = [
            "log", "--ignore-missing", "--no-show-signature", "--format=%H",
            "--remotes", "--not", "--branches", "HEAD", "--", *paths,
        ]  # fmt: skip
        return frozenset(self._ask(asked).decode().split())

    def on_other_branches(self, paths: Sequence[str]) -> frozenset[str]:
        """The commits on these paths that are on branches of this repository, and not on that which
        is checked out; none where no branch is."""
        if b"*" not in self._ask(["for-each-ref", "--format=%(HEAD)", "refs/heads"]):
            return frozenset()
        asked = [
            "log", "--ignore-missing", "--no-show-signature", "--format=%H",
            "--branches", "--not", "HEAD", "--", *paths,
        ]  # fmt: skip
        return frozenset(self._ask(asked).decode().split())

    def staged(self, paths: Sequence[str]) -> list[tuple[str, str, int]]:
        """Blob, path and stage (0; 1 to 3 in a conflict) of what the index has of these paths."""
        found = []
        for line in self._ask(["ls-files", "--stage", "-z", "--", *paths]).split(b"\0"):
            facts, tab, path = line.partition(b"\t")
            words = facts.decode(errors="replace").split()
            if tab and len(words) == 3:
                found.append((words[1], os.fsdecode(path), int(words[2])))
        return found

    def read(self, blob: str) -> bytes:
        """What the blob holds. Raises NotFound, Unavailable."""
        return self._ask(["cat-file", "blob", blob])

    def written_ns(self, blob: str) -> int | None:
        """When the blob was written; None where it lies in a pack, which does not tell."""
        try:
            return os.stat(self.objects / blob[:2] / blob[2:]).st_mtime_ns
        except OSError:
            return None

    def loose(self) -> Iterator[Loose]:
        """Every object that lies in a file of its own."""
        for folder in sorted(self.objects.glob("[0-9a-f][0-9a-f]")):
            for path in folder.iterdir():
                name = folder.name + path.name
                if len(name) in (40, 64) and _HEXADECIMAL.issuperset(name):
                    found = _read_loose(path, name)
                    if found is not None:
                        yield found

    def indexes(self, *, cruft: bool = False) -> list[Path]:
        """The index of every pack; with `cruft`, of those of what nothing refers to."""
        ending = "mtimes" if cruft else "idx"
        found = (self.objects / "pack").glob(f"pack-*.{ending}")
        return [each.with_suffix(".idx") for each in sorted(found)]

    def named_in(self, index: Path) -> list[str]:
        """The names of the objects of a pack. Raises Unavailable, OSError."""
        told = self._ask(["show-index"], read_file(index))
        return [line.split()[1] for line in told.decode().splitlines() if line]

    def among(self, names: Sequence[str], kind: str) -> list[str]:
        """Those of `names` that are of a kind: blobs, trees or commits."""
        asked = ["cat-file", "--batch-check=%(objectname) %(objecttype)"]
        told = self._ask(asked, "\n".join(names).encode() + b"\n")
        pairs = (line.split() for line in told.decode().splitlines())
        return [pair[0] for pair in pairs if len(pair) == 2 and pair[1] == kind]

    def contents(self, names: Sequence[str]) -> dict[str, bytes]:
        """What each of the objects holds that reads."""
        found: dict[str, bytes] = {}
        left = list(names)
        # Git stops at an object that is damaged: the rest is asked for anew, without it.
        for _ in range(_MOST_STOPS):
            if not left or self.is_slow:
                break
            raw, whole = self._hear(["cat-file", "--batch"], "\n".join(left).encode() + b"\n")
            told = list(_parse_batch(raw))
            found.update((name, content) for name, content in told if content is not None)
            if whole:
                break
            left = left[len(told) + 1 :]
        return found

    def sizes_of(self, blobs: Sequence[str]) -> dict[str, int]:
        """How many bytes each blob has that is here."""
        asked = ["cat-file", "--batch-check=%(objectname) %(objectsize)"]
        told = self._ask(asked, "\n".join(blobs).encode() + b"\n")
        pairs = (line.split() for line in told.decode().splitlines())
        return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}

    def _ask(self, words: Sequence[str], given: bytes = b"") -> bytes:
        done = self._call(words, given)
        _check(done)
        return done.stdout

    def _hear(self, words: Sequence[str], given: bytes) -> tuple[bytes, bool]:
        """What git said before it stopped, and whether that is all."""
        done = self._call(words, given)
        return done.stdout, not done.returncode

    def _call(self, words: Sequence[str], given: bytes) -> subprocess.CompletedProcess[bytes]:
        try:
            return _call(self.top, words, self._environ, given, self._patience)
        except TimeoutError as error:
            self._patience = _LITTLE_SECONDS
            raise Unavailable(str(error)) from error


def _refuse_pipes(at: Path) -> None:
    """Raises Unavailable where git would wait for a pipe among its own files."""
    top = next(each for each in (at, *at.parents) if os.path.exists(each / ".git"))
    for name in ("HEAD", "config", "index", "packed-refs"):
        place = top / ".git" / name
        if os.path.exists(place) and not is_regular(place):
            raise Unavailable(f"{place} is no file, so git was not asked.")


def tree_entries(raw: bytes, width: int = 20) -> Iterator[tuple[str, str]]:
    """Name and object of each entry of a tree object's content; stops where it is cut.

    `width` is how many bytes the name of an object has: 20, and 32 with SHA-256.
    """
    return ((name, found) for _, name, found in _entries(raw, width))


def tree_folders(raw: bytes, width: int = 20) -> Iterator[str]:
    """The objects of a tree's entries that are trees."""
    return (found for mode, _, found in _entries(raw, width) if mode in (b"40000", b"040000"))


def _entries(raw: bytes, width: int) -> Iterator[tuple[bytes, str, str]]:
    at = 0
    while at < len(raw):
        space = raw.find(b" ", at)
        end = raw.find(b"\0", space)
        last = end + 1 + width
        if space < 0 or end < 0 or last > len(raw):
            return
        yield raw[at:space], os.fsdecode(raw[space + 1 : end]), raw[end + 1 : last].hex()
        at = last


def _parse_batch(raw: bytes) -> Iterator[tuple[str, bytes | None]]:
    """Name and content of each object that `git cat-file --batch` gave whole; None of one that it
    does not have."""
    at = 0
    while (end := raw.find(b"\n", at)) >= 0:
        words = raw[at:end].decode(errors="replace").split()
        if len(words) == 3 and words[2].isdigit():
            last = end + 1 + int(words[2])
            if last >= len(raw):
                return
            yield words[0], raw[end + 1 : last]
            at = last + 1
        else:
            yield (words[0] if words else ""), None
            at = end + 1


def parse_log(raw: bytes) -> Iterator[Version]:
    """The versions in the output of `git log --raw -z --format=%x01%H %ct`."""
    commit, time_ns, blob = "", 0, ""
    for part in raw.replace(b"\x01", b"\0\x01").split(b"\0"):
        word = part.lstrip(b"\n")
        if word.startswith(b"\x01"):
            commit, _, seconds = word[1:].decode(errors="replace").strip().partition(" ")
            time_ns = int(seconds) * 1_000_000_000 if seconds.isdigit() else 0
        elif word.startswith(b":") and not blob:
            words = word.decode(errors="replace").split()
            blob = words[3] if len(words) >= 5 else ""
        elif word and blob:
            if blob.strip("0"):
                yield Version(blob, os.fsdecode(word), commit, time_ns)
            blob = ""


def _read_loose(path: Path, name: str) -> Loose | None:
    """A loose object with its first bytes (a tree with all); None where it does not read as one."""
    try:
        with open_file(path) as file:
            time_ns = os.fstat(file.fileno()).st_mtime_ns
            reader = zlib.decompressobj()
            data = reader.decompress(file.read(_HEAD_BYTES), _HEAD_BYTES)
            if data.startswith(b"tree "):
                rest = reader.unconsumed_tail + file.read(_TREE_BYTES)
                data += reader.decompress(rest, _TREE_BYTES)
    except (OSError, zlib.error):
        return None
    header, end, head = data.partition(b"\0")
    kind, _, size = header.decode(errors="replace").partition(" ")
    if not end or not size.isdigit():
        return None
    return Loose(name, kind, int(size), time_ns, head)


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` without what would lead git to another repository, or to the network."""
    kept = {key: value for key, value in environ.items() if not key.startswith("GIT_")}
    return kept | {
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }


def _run(folder: Path, words: Sequence[str], environ: Mapping[str, str]) -> bytes:
    try:
        done = _call(folder, words, environ, b"", PATIENCE_SECONDS)
    except TimeoutError as error:
        raise Unavailable(str(error)) from error
    _check(done)
    return done.stdout


def _call(
    folder: Path, words: Sequence[str], environ: Mapping[str, str], given: bytes, seconds: float
) -> subprocess.CompletedProcess[bytes]:
    """Raises NotFound where git is not installed, TimeoutError."""
    command = ["git", *_QUIET, "-C", str(folder), *words]
    try:
        return subprocess.run(
            command, input=given, capture_output=True, check=False, env=dict(environ),
            timeout=seconds,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise NotFound("git is not installed, so what it keeps cannot be read.") from error
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"git did not answer within {seconds} s.") from error


def _check(done: subprocess.CompletedProcess[bytes]) -> None:
    """Raises Unavailable where git refused."""
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip().splitlines()
        told = reason[0].rstrip(".") if reason else done.returncode
        raise Unavailable(f"git refused: {told}.")
