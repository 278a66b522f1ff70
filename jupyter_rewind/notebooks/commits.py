"""A file's states as the commits of a git repository: listed, read, written as git's own stream.

Asks the git program and changes nothing by itself.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from blake3 import blake3

from jupyter_rewind.errors import Full, InvalidInput, NotFound, RestoreRefused
from jupyter_rewind.model.checkpoint import Checkpoint
from jupyter_rewind.model.shell import quoted
from jupyter_rewind.store.durable import translate

_GIT_PLACES = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR"}
_FORMAT = "--format=%x01%H%x02%at%x02%an%x02%s"
_HEAD = re.compile(r"\n?\x01([0-9a-f]{40,64})\x02(-?\d*)\x02(.*?)\x02(.*)", re.DOTALL)
# A file of a branch has the branch's name, and git's lock on it five letters more.
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class State:
    """One committed state of a file: the content's name in git, and what the commit says."""

    commit: str
    blob: str
    seconds: int
    author: str
    subject: str


def is_repository(folder: Path) -> bool:
    """Whether the folder itself is a git repository: one with a work tree, or a bare one."""
    return os.path.exists(folder / ".git") or (
        os.path.exists(folder / "HEAD") and os.path.isdir(folder / "objects")
    )


def check_new(folder: Path) -> None:
    """Raises InvalidInput where no repository shall be made: in place of a file, and within the
    work tree of another one; RestoreRefused in a folder that holds files. NotFound: no git."""
    if os.path.lexists(folder) and not os.path.isdir(folder):
        raise InvalidInput(
            f"{folder} is a file, not a git repository.",
            hint="Nothing was changed. Name a repository's folder, or a new one.",
        )
    above = folder
    while not os.path.isdir(above):
        above = above.parent
    root = git(above, "rev-parse", "--show-toplevel", may_fail=True).rstrip(b"\n")
    if root:
        raise InvalidInput(
            f"{folder} lies within the git repository {os.fsdecode(root)}.",
            hint="Nothing was changed. Name that repository itself, which gets a branch of its own"
            " for the history, or a folder outside of it.",
        )
    try:
        is_taken = os.path.isdir(folder) and any(folder.iterdir())
    except OSError as error:
        raise translate(error, "look into", folder) from error
    if is_taken:
        raise RestoreRefused(
            f"{folder} is no git repository, and it is not empty.",
            hint="Nothing was changed. Name a repository or a new folder; where this one shall"
            f" become a repository, `git init {quoted(str(folder))}` makes it one.",
        )


def check_name(name: str) -> None:
    """Raises InvalidInput for a file's name that git keeps for itself, however it is written."""
    if name.lower().rstrip(" .") in (".git", "git~1"):
        raise InvalidInput(
            f"{name} is git's own name, and git takes no file that is called so.",
            hint="Nothing was changed. Export the history into a folder instead.",
        )


def make_repository(folder: Path, mode: int | None) -> int:
    """A repository is in this empty folder, for those to read who may read a file with `mode`
    (None: its owner alone); returns the umask for what git writes there, -1 for the user's."""
    readers = 0 if mode is None else mode & 0o044
    if readers == 0o044 or os.name == "nt":
        git(folder, "init", "--quiet")
        return -1
    umask = 0o077 & ~(readers | readers >> 2)  # who may read files may look into folders
    git(folder, "init", "--quiet", f"--shared=0{0o600 | readers:o}", umask=umask)
    return umask


def branch_of(name: str) -> str:
    """The branch that the history of a file with this name becomes."""
    return f"refs/heads/rewind/{_branch_name(name)}"


def _branch_name(name: str) -> str:
    """What git takes as the last part of a branch's name."""
    kept = "".join(c if c.isalnum() or c in "-_." else "-" for c in name)
    if len(kept.encode()) > _LONGEST:
        mark = blake3(os.fsencode(name)).hexdigest()[:8]
        kept = kept.encode()[:_LONGEST].decode(errors="ignore") + f"-{mark}"
    while ".." in kept:
        kept = kept.replace("..", ".")
    return kept.strip(".").removesuffix(".lock") or "notebook"


def list_states(repository: Path, branch: str, file: str) -> list[State]:
    """Every committed state of the file, once, oldest first, followed through renames; those of
    merged branches and what merges were resolved to, too. None where there is no such branch."""
    prefix = git(repository, "rev-parse", "--show-prefix").rstrip(b"\n")
    if not git(repository, "rev-parse", "--verify", "--quiet", branch, may_fail=True).strip():
        return []
    followed = dict(_follow(repository, branch, file))
    names = list(dict.fromkeys([os.fsdecode(prefix) + file, *followed.values()]))
    log = git(
        repository, "log", "--topo-order", "--full-history", "-c", "--root", "--raw", "--no-abbrev",
        "--no-renames", "-z", _FORMAT, branch, "--", *(f":(top,literal){name}" for name in names),
    )  # fmt: skip
    states = []
    for head, blobs in _read_log(log):
        commit, seconds, author, subject = head
        name = followed.get(commit, "")
        if name not in blobs:
            name = _name_then(repository, commit, names, blobs)
        if name:
            state = State(commit, blobs[name], int(seconds or 0), author, subject.strip())
            states.append(state)
    return states[::-1]


def _follow(repository: Path, branch: str, file: str) -> Iterator[tuple[str, str]]:
    """Commits and the file's name then, as git follows it: without merges, newest first."""
    log = git(
        repository, "--literal-pathspecs", "log", "--follow", "--name-only", "--diff-filter=d",
        "-z", _FORMAT, branch, "--", file,
    )  # fmt: skip
    commit = ""
    for token in _tokens(log):
        head = _HEAD.fullmatch(token)
        if head:
            commit = head[1]
        elif token.strip("\n"):
            yield commit, token.strip("\n")


def _read_log(log: bytes) -> Iterator[tuple[tuple[str, ...], dict[str, str]]]:
    """Each commit's facts, and the files with their contents that it brought; a merge only those
    that it took from none of its parents."""
    facts: tuple[str, ...] | None = None
    blobs: dict[str, str] = {}
    tokens = iter(_tokens(log))
    for token in tokens:
        head = _HEAD.fullmatch(token)
        if head:
            if facts:
                yield facts, blobs
            facts, blobs = head.groups(), {}
            continue
        line = token.lstrip("\n")
        if line.startswith(":"):
            path, parents = next(tokens, ""), len(line) - len(line.lstrip(":"))
            fields = line.lstrip(":").split(" ")
            mode, blob = fields[parents], fields[2 * parents + 1]
            if mode.startswith("100"):
                blobs[path] = blob
    if facts:
        yield facts, blobs


def _tokens(log: bytes) -> list[str]:
    return log.decode(errors="surrogateescape").split("\0")


def _name_then(repository: Path, commit: str, names: list[str], blobs: dict[str, str]) -> str:
    """Which of its names the file had in a commit that git did not follow it to; "" where what has
    one of the earlier names is another file by then."""
    for name in names:
        if name in blobs:
            return name
        if git(repository, "ls-tree", "-z", "--full-tree", commit, "--", name, may_fail=True):
            return ""
    return ""


def commit_words(branch: str, checkpoint: Checkpoint, name: str, raw: bytes) -> bytes:
    """A commit with this checkpoint's state, in the words of git's fast-import."""
    who = f"{_as_person(checkpoint.author)} <{_as_person(checkpoint.author, checkpoint.host)}>"
    when = f"{max(0, checkpoint.time_ns // 1_000_000_000)} +0000"
    labels = f" ({', '.join(checkpoint.labels)})" if checkpoint.labels else ""
    message = f"{checkpoint.reason}: {name}{labels}\n\nRewind-Checkpoint: {checkpoint.id}\n"
    text = as_text(message).encode()
    return b"".join(
        [
            f"commit {branch}\nauthor {who} {when}\ncommitter {who} {when}\n".encode(),
            f"data {len(text)}\n".encode() + text + b"\n",
            b"M 100644 inline " + _quote(name) + b"\n",
            f"data {len(raw)}\n".encode() + raw + b"\n",
        ]
    )


def _as_person(author: str, host: str | None = None) -> str:
    """A name, or with a host an address, as git's stream takes it."""
    plain = "".join(c for c in as_text(author) if c.isprintable() and c not in "<>").strip()
    return (plain or "unknown") + (f"@{host or 'localhost'}" if host is not None else "")


def as_text(text: str) -> str:
    """`text` where bytes that are no text are told by a question mark."""
    return text.encode(errors="replace").decode()


def _quote(name: str) -> bytes:
    """A path as git's stream takes it, whatever bytes it has."""
    quoted = bytearray(b'"')
    for byte in os.fsencode(name):
        is_plain = 32 <= byte < 127 and byte not in b'"\\'
        quoted += bytes([byte]) if is_plain else b"\\%03o" % byte
    return bytes(quoted + b'"')


def git(
    repository: Path,
    *words: str,
    stdin: Iterable[bytes] = (),
    may_fail: bool = False,
    umask: int = -1,
) -> bytes:
    """What git says. Raises NotFound (no git), InvalidInput (git refuses, unless it may)."""
    # Inside a hook these would lead git to the repository it runs for.
    where = {name: value for name, value in os.environ.items() if name not in _GIT_PLACES}
    try:
        git = subprocess.Popen(
            ["git", "-C", str(repository), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=where,
            umask=umask,
        )
    except FileNotFoundError as error:
        raise NotFound(
            "There is no git program on this machine.", hint="Install git and try again."
        ) from error
    with git:
        assert git.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            for part in stdin:
                git.stdin.write(part)
        out, err = git.communicate()
    if git.returncode and not may_fail:
        words_of_git = err.decode(errors="replace").strip().splitlines()
        told = words_of_git[-1] if words_of_git else f"status {git.returncode}"
        if "No space left" in told or "quota exceeded" in told.lower():
            raise Full(
                f"git could not write in {repository}: the disk or the quota is full.",
                hint="The history is whole. Remove what git has begun there, free some space, and"
                " try again.",
            )
        raise InvalidInput(f"git could not do this in {repository}: {told}.")
    return out
