"""Histories carried in and out: as files in a folder, as commits of a git repository.

An export is complete without Rewind: plain notebooks named by time, and an `index.json`. Nothing
that exists is overwritten.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from jupyter_rewind.errors import Format, InvalidInput, NotFound, RestoreRefused, RewindError
from jupyter_rewind.model.checkpoint import Checkpoint, Reason
from jupyter_rewind.model.encoding import check_format
from jupyter_rewind.notebooks.documents import read_document
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.store.durable import Files

EXPORT_FORMAT = 1
INDEX_NAME = "index.json"


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote: how many checkpoints, where, and what could not be read."""

    place: Path
    count: int
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import took: `count` states read, of which `created` were new checkpoints."""

    path: str
    count: int
    created: int
    problems: tuple[str, ...] = ()


def take_stock_checkpoint(histories: Histories, path: Path) -> bool:
    """True when the one checkpoint that stock Jupyter left beside `path` began its history.

    Only at the first sight of `path`; the original is left alone.
    """
    if histories.find(str(path)) is not None:
        return False
    stock = path.parent / ".ipynb_checkpoints" / f"{path.stem}-checkpoint{path.suffix}"
    try:
        document, own = read_document(stock), read_document(path)
    except RewindError:
        return False
    if not document.raw or document.raw == own.raw:
        return False
    histories.record(
        str(path),
        document.raw,
        reason=Reason.IMPORTED,
        time_ns=document.mtime_ns,
        identity=own.identity,
        exists=os.path.lexists,
        note="from .ipynb_checkpoints",
    )
    return True


def export_folder(histories: Histories, path: str, folder: Path) -> Exported:
    """Every checkpoint of `path` as a file of `folder`, with an index. Raises RestoreRefused."""
    if folder.exists() and any(folder.iterdir()):
        raise RestoreRefused(
            f"{folder} is not empty.", hint="Nothing was changed. Name a new folder."
        )
    files = Files()
    files.make_folder(folder, 0o777)
    rows: list[dict[str, object]] = []
    problems: list[str] = []
    for checkpoint in histories.checkpoints(path):
        name = f"{_stamp(checkpoint)}-{checkpoint.id}{Path(checkpoint.path).suffix}"
        try:
            raw = histories.read(checkpoint)
        except RewindError as error:
            problems.append(str(error))
            continue
        files.replace_file(folder / name, raw, mode=0o644)
        rows.append({"file": name, **_told(checkpoint)})
    index = {"format": EXPORT_FORMAT, "path": path, "checkpoints": rows}
    text = json.dumps(index, indent=1, ensure_ascii=False).encode()
    files.replace_file(folder / INDEX_NAME, text, mode=0o644)
    return Exported(folder, len(rows), tuple(problems))


def export_git(histories: Histories, path: str, repository: Path) -> Exported:
    """Every checkpoint of `path` as a commit, with its time and author, on a branch of its own.

    The branch is `rewind/<name>` of the git repository (made where there is none); the work tree
    and the other branches stay as they are. Raises NotFound (no git), RestoreRefused.
    """
    if not (repository / ".git").exists() and not (repository / "HEAD").exists():
        Files().make_folder(repository, 0o777)
        _git(repository, "init", "--quiet")
    name = Path(path).name
    branch = "refs/heads/rewind/" + "".join(c if c.isalnum() or c in "-_." else "-" for c in name)
    branch = branch.rstrip(".").replace("..", "-").removesuffix(".lock")
    if _git(repository, "for-each-ref", branch).strip():
        raise RestoreRefused(
            f"The branch {branch[11:]} exists in {repository} already.",
            hint="Nothing was changed. Rename or delete it, or name another repository.",
        )
    stream: list[bytes] = []
    problems: list[str] = []
    for checkpoint in histories.checkpoints(path):
        try:
            raw = histories.read(checkpoint)
        except RewindError as error:
            problems.append(str(error))
            continue
        stream.append(_git_commit(branch, checkpoint, name, raw))
    if stream:
        _git(repository, "fast-import", "--quiet", "--done", stdin=b"".join([*stream, b"done\n"]))
    return Exported(repository, len(stream), tuple(problems))


def import_folder(histories: Histories, folder: Path, target: str) -> Imported:
    """The checkpoints that `export_folder` wrote, with their times, authors and labels, are in
    the history of `target`. Raises NotFound, Format."""
    index = json.loads(read_document(folder / INDEX_NAME).raw)
    if not isinstance(index, dict) or not isinstance(index.get("format"), int):
        raise Format(f"{folder / INDEX_NAME} is not the index of an export.")
    check_format(index["format"], EXPORT_FORMAT, f"The export {folder}")
    created, problems, count = 0, [], 0
    for row in index["checkpoints"]:
        try:
            raw = read_document(folder / Path(str(row["file"])).name).raw
        except RewindError as error:
            problems.append(str(error))
            continue
        count += 1
        made = histories.record(
            target,
            raw,
            reason=Reason.IMPORTED,
            time_ns=int(row["time_ns"]),
            author=str(row["author"]),
            exists=os.path.lexists,
            note=f"imported; was {row['reason']}",
        )
        created += made.created
        for label in row.get("labels", []):
            histories.label(made.checkpoint, str(label))
        if row.get("pinned"):
            histories.pin(made.checkpoint)
    return Imported(target, count, created, tuple(problems))


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
            exists=os.path.lexists,
            note=f"from {path.name}",
        )
        created += made.created
    return Imported(target, len(documents), created)


def import_git(histories: Histories, repository: Path, file: str, target: str) -> Imported:
    """Every committed state of `file` (followed through renames) is in the history of `target`,
    with the commits' times and authors. Raises NotFound (no git, no such file), InvalidInput."""
    log = _git(
        repository, "log", "--follow", "--name-only", "--diff-filter=d", "-z",
        "--format=%x01%H%x02%at%x02%an%x02%s", "--", file,
    )  # fmt: skip
    states = []
    for block in log.decode(errors="replace").split("\x01")[1:]:
        head, _, names = block.partition("\x00")
        commit, moment, author, subject = head.split("\x02", 3)
        name = next((one.strip("\n") for one in names.split("\x00") if one.strip("\n")), file)
        states.append((commit, int(moment), author, subject.strip(), name))
    if not states:
        raise NotFound(f"The git repository {repository} has no commit with {file}.")
    created = 0
    for commit, seconds, author, subject, name in reversed(states):
        raw = _git(repository, "show", f"{commit}:{name}")
        made = histories.record(
            target,
            raw,
            reason=Reason.IMPORTED,
            time_ns=seconds * 1_000_000_000,
            author=author,
            exists=os.path.lexists,
            note=f"git {commit[:10]}: {subject}"[:200],
        )
        created += made.created
    return Imported(target, len(states), created)


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
    author = "".join(c for c in checkpoint.author if c not in "<>\n") or "unknown"
    who = f"{author} <{author}@{checkpoint.host or 'localhost'}>"
    when = f"{checkpoint.time_ns // 1_000_000_000} +0000"
    labels = f" ({', '.join(checkpoint.labels)})" if checkpoint.labels else ""
    message = f"{checkpoint.reason}: {name}{labels}\n\nRewind-Checkpoint: {checkpoint.id}\n"
    text = message.encode()
    quoted = json.dumps(name, ensure_ascii=False).encode()
    return b"".join(
        [
            f"commit {branch}\nauthor {who} {when}\ncommitter {who} {when}\n".encode(),
            f"data {len(text)}\n".encode() + text + b"\n",
            b"M 100644 inline " + quoted + b"\n",
            f"data {len(raw)}\n".encode() + raw + b"\n",
        ]
    )


def _git(repository: Path, *words: str, stdin: bytes | None = None) -> bytes:
    try:
        done = subprocess.run(
            ["git", "-C", str(repository), *words], input=stdin, capture_output=True, check=False
        )
    except FileNotFoundError as error:
        raise NotFound(
            "There is no git program on this machine.", hint="Install git and try again."
        ) from error
    if done.returncode:
        words_of_git = done.stderr.decode(errors="replace").strip().splitlines()
        told = words_of_git[-1] if words_of_git else f"status {done.returncode}"
        raise InvalidInput(f"git could not do this in {repository}: {told}.")
    return done.stdout


def _moment(checkpoint: Checkpoint) -> datetime:
    return datetime.fromtimestamp(checkpoint.time_ns / 1e9, tz=UTC)


def _stamp(checkpoint: Checkpoint) -> str:
    return _moment(checkpoint).strftime("%Y%m%dT%H%M%S")
