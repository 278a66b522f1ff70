"""Histories carried in and out: as files in a folder, as commits of a git repository.

An export is complete without Rewind: plain notebooks named by time, and an `index.json`. Nothing
that exists is overwritten.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jupyter_rewind.errors import Format, Full, InvalidInput, NotFound, RestoreRefused, RewindError
from jupyter_rewind.model.checkpoint import Checkpoint, Reason
from jupyter_rewind.model.encoding import check_format
from jupyter_rewind.notebooks.documents import read_document
from jupyter_rewind.notebooks.history import Histories, Recorded
from jupyter_rewind.store.durable import Files, translate

EXPORT_FORMAT = 1
INDEX_NAME = "index.json"
_GIT_PLACES = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR"}


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote: how many checkpoints, where, and what could not be read; `branch` is
    that of a git repository."""

    place: Path
    count: int
    problems: tuple[str, ...] = ()
    branch: str = ""


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import took: `count` states read, of which `created` were new checkpoints."""

    path: str
    count: int
    created: int
    problems: tuple[str, ...] = ()


def export_folder(histories: Histories, path: str, folder: Path) -> Exported:
    """Every checkpoint of `path` as a file of `folder`, with an index. Raises RestoreRefused."""
    found = histories.checkpoints(path)
    try:
        is_taken = os.path.lexists(folder) and any(folder.iterdir())
    except OSError as error:
        raise translate(error, "look into", folder) from error
    if is_taken:
        raise RestoreRefused(
            f"{folder} is not empty.", hint="Nothing was changed. Name a new folder."
        )
    files = Files()
    files.make_folder(folder, 0o777)
    rows: list[dict[str, object]] = []
    problems: list[str] = []
    for checkpoint in found:
        name = f"{_stamp(checkpoint)}-{checkpoint.id}{Path(checkpoint.path).suffix}"
        try:
            raw = histories.read(checkpoint)
        except RewindError as error:
            problems.append(str(error))
            continue
        files.replace_file(folder / name, raw, mode=0o644)
        rows.append({"file": name, **_told(checkpoint)})
    index = {"format": EXPORT_FORMAT, "path": path, "checkpoints": rows}
    text = json.dumps(index, indent=1).encode()
    files.replace_file(folder / INDEX_NAME, text, mode=0o644)
    return Exported(folder, len(rows), tuple(problems))


def export_git(histories: Histories, path: str, repository: Path) -> Exported:
    """Every checkpoint of `path` as a commit, with its time and author, on a branch of its own.

    The branch is `rewind/<name>` of the git repository; the work tree and the other branches stay
    as they are. Where there is no repository one is made, with that branch as its HEAD and the
    newest state in its work tree. Raises
    NotFound (no git), RestoreRefused.
    """
    is_new = not (repository / ".git").exists() and not (repository / "HEAD").exists()
    if is_new:
        Files().make_folder(repository, 0o777)
        _git(repository, "init", "--quiet")
    found = histories.checkpoints(path)
    name = os.path.basename(found[-1].path) if found else Path(path).name
    branch = _branch_of(name)
    if _git(repository, "for-each-ref", branch).strip():
        raise RestoreRefused(
            f"The branch {branch[11:]} exists in {repository} already.",
            hint="Nothing was changed. Rename or delete it, or name another repository.",
        )
    problems: list[str] = []
    count = 0

    def stream() -> Iterator[bytes]:
        nonlocal count
        for checkpoint in found:
            try:
                raw = histories.read(checkpoint)
            except RewindError as error:
                problems.append(str(error))
                continue
            yield _git_commit(branch, checkpoint, name, raw)
            count += 1
        yield b"done\n"

    _git(repository, "fast-import", "--quiet", "--done", stdin=stream())
    if is_new and count:
        _git(repository, "symbolic-ref", "HEAD", branch)
        _git(repository, "read-tree", "HEAD")
        if not os.path.lexists(repository / name):
            # Else the next commit of all that changed would take the notebook away again.
            _git(repository, "checkout-index", "--quiet", "--", name)
    return Exported(repository, count, tuple(problems), branch.removeprefix("refs/heads/"))


def _branch_of(name: str) -> str:
    """The branch that the history of a file with this name becomes."""
    return f"refs/heads/rewind/{_branch_name(name)}"


def _branch_name(name: str) -> str:
    """What git takes as the last part of a branch's name."""
    kept = "".join(c if c.isalnum() or c in "-_." else "-" for c in name)
    while ".." in kept:
        kept = kept.replace("..", ".")
    return kept.strip(".").removesuffix(".lock") or "notebook"


def import_folder(histories: Histories, folder: Path, target: str) -> Imported:
    """The checkpoints that `export_folder` wrote, with their times, authors and labels, are in
    the history of `target`. Raises NotFound, Format."""
    try:
        index = json.loads(read_document(folder / INDEX_NAME).raw)
    except ValueError:
        index = None
    if not isinstance(index, dict) or not isinstance(index.get("format"), int):
        raise Format(f"{folder / INDEX_NAME} is not the index of an export.")
    check_format(index["format"], EXPORT_FORMAT, f"The export {folder}")
    rows = index.get("checkpoints")
    created, problems, count = 0, [], 0
    for row in rows if isinstance(rows, list) else []:
        try:
            made = _import_row(histories, folder, target, row)
        except (KeyError, TypeError, ValueError) as error:
            problems.append(f"A row of {folder / INDEX_NAME} does not read: {error!r}.")
            continue
        except RewindError as error:
            problems.append(str(error))
            continue
        count += 1
        created += made.created
        problems += _import_marks(histories, made.checkpoint, row)
    return Imported(target, count, created, tuple(problems))


def _import_row(histories: Histories, folder: Path, target: str, row: dict[str, Any]) -> Recorded:
    raw = read_document(folder / os.path.basename(str(row["file"]))).raw
    return histories.record(
        target,
        raw,
        reason=Reason.IMPORTED,
        time_ns=int(row["time_ns"]),
        author=str(row["author"]),
        note=f"imported; was {row['reason']}",
    )


def _import_marks(
    histories: Histories, checkpoint: Checkpoint, row: dict[str, Any]
) -> Iterator[str]:
    for label in row.get("labels") or []:
        try:
            histories.label(checkpoint, str(label))
        except InvalidInput as error:
            yield str(error)
    if row.get("pinned"):
        histories.pin(checkpoint)


def import_files(histories: Histories, files: Sequence[Path], target: str) -> Imported:
    """The given files, oldest first by their times, are states in the history of `target`."""
    documents = [(read_document(path), path) for path in files]
    created = 0
    for document, path in sorted(documents, key=lambda one: one[0].mtime_ns):
        made = histories.record(
            target,
            document.raw,
            reason=Reason.IMPORTED,
            time_ns=document.mtime_ns,
            note=f"from {path.name}",
        )
        created += made.created
    return Imported(target, len(documents), created)


def import_git(histories: Histories, repository: Path, file: str, target: str) -> Imported:
    """Every committed state of `file` (followed through renames) is in the history of `target`,
    with the commits' times and authors; where HEAD has none, those of the branch that an export
    made. Raises NotFound (no git, no such folder or file), InvalidInput."""
    if not repository.exists():
        raise NotFound(f"There is no folder {repository}.", hint="Nothing was changed.")
    name = os.path.basename(file)
    states = _list_states(repository, "HEAD", file)
    states = states or _list_states(repository, _branch_of(name), name)
    if not states:
        raise NotFound(f"The git repository {repository} has no commit with {file}.")
    created = 0
    for commit, seconds, author, subject, place in reversed(states):
        raw = _git(repository, "show", f"{commit}:{place}")
        made = histories.record(
            target,
            raw,
            reason=Reason.IMPORTED,
            time_ns=seconds * 1_000_000_000,
            author=_as_text(author),
            note=_as_text(f"git {commit[:10]}: {subject}"[:200]),
        )
        created += made.created
    return Imported(target, len(states), created)


def _list_states(repository: Path, branch: str, file: str) -> list[tuple[str, int, str, str, str]]:
    """Commit, time, author, subject and the file's place then, newest first; none where there is
    no such branch."""
    _git(repository, "rev-parse", "--git-dir")
    if not _git(repository, "rev-parse", "--verify", "--quiet", branch, may_fail=True).strip():
        return []
    log = _git(
        repository, "--literal-pathspecs", "log", "--follow", "--name-only", "--diff-filter=d",
        "-z", "--format=%x01%H%x02%at%x02%an%x02%s", branch, "--", file,
    )  # fmt: skip
    states = []
    for block in log.decode(errors="surrogateescape").split("\x01")[1:]:
        head, _, names = block.partition("\x00")
        commit, moment, author, subject = head.split("\x02", 3)
        name = next((one.strip("\n") for one in names.split("\x00") if one.strip("\n")), file)
        states.append((commit, int(moment), author, subject.strip(), name))
    return states


def _told(checkpoint: Checkpoint) -> dict[str, object]:
    return {
        "id": checkpoint.id,
        "time": _moment(checkpoint).isoformat(),
        "time_ns": checkpoint.time_ns,
        "reason": str(checkpoint.reason),
        "author": checkpoint.author,
        "path": checkpoint.path,
        "labels": list(checkpoint.labels),
        "pinned": checkpoint.pinned,
        "blake3": checkpoint.raw.hex(),
        "size_bytes": checkpoint.size_bytes,
    }


def _git_commit(branch: str, checkpoint: Checkpoint, name: str, raw: bytes) -> bytes:
    who = f"{_as_person(checkpoint.author)} <{_as_person(checkpoint.author, checkpoint.host)}>"
    when = f"{max(0, checkpoint.time_ns // 1_000_000_000)} +0000"
    labels = f" ({', '.join(checkpoint.labels)})" if checkpoint.labels else ""
    message = f"{checkpoint.reason}: {name}{labels}\n\nRewind-Checkpoint: {checkpoint.id}\n"
    text = _as_text(message).encode()
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
    plain = "".join(c for c in _as_text(author) if c.isprintable() and c not in "<>").strip()
    return (plain or "unknown") + (f"@{host or 'localhost'}" if host is not None else "")


def _as_text(text: str) -> str:
    """`text` where bytes that are no text are told by a question mark."""
    return text.encode(errors="replace").decode()


def _quote(name: str) -> bytes:
    """A path as git's stream takes it, whatever bytes it has."""
    quoted = bytearray(b'"')
    for byte in os.fsencode(name):
        is_plain = 32 <= byte < 127 and byte not in b'"\\'
        quoted += bytes([byte]) if is_plain else b"\\%03o" % byte
    return bytes(quoted + b'"')


def _git(
    repository: Path, *words: str, stdin: Iterable[bytes] = (), may_fail: bool = False
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


def _moment(checkpoint: Checkpoint) -> datetime:
    return datetime.fromtimestamp(checkpoint.time_ns / 1e9, tz=UTC)


def _stamp(checkpoint: Checkpoint) -> str:
    return _moment(checkpoint).strftime("%Y%m%dT%H%M%S")
