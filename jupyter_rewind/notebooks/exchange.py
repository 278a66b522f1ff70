"""Histories carried in and out: as files in a folder, as commits of a git repository.

An export is complete without Rewind: plain notebooks named by time, and an `index.json`. Nothing
that exists is overwritten.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from blake3 import blake3

from jupyter_rewind.errors import (
    Conflict,
    Format,
    Integrity,
    InvalidInput,
    NotFound,
    RestoreRefused,
    RewindError,
)
from jupyter_rewind.model.checkpoint import Checkpoint, Reason
from jupyter_rewind.model.encoding import check_format
from jupyter_rewind.model.ids import CheckpointId
from jupyter_rewind.notebooks import commits
from jupyter_rewind.notebooks.documents import read_document
from jupyter_rewind.notebooks.entries import sound_time
from jupyter_rewind.notebooks.history import Histories, Recorded
from jupyter_rewind.store.durable import Files, translate

EXPORT_FORMAT = 1
INDEX_NAME = "index.json"


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
    """What an import took: `count` states read, of which `created` were new checkpoints. `notes`
    tell what was taken in otherwise than it was called."""

    path: str
    count: int
    created: int
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


Progress = Callable[[int, int], None]
"""Takes how many states are done, and how many there are."""


def tell_nobody(_done: int, _total: int) -> None:
    """Nobody looks on."""


class _Moments:
    """Times by which states follow one another as they are told: no two have the same."""

    def __init__(self) -> None:
        self._taken: set[int] = set()
        self._free: dict[int, int] = {}

    def take(self, time_ns: int) -> int:
        """`time_ns`, or the next moment that nobody has."""
        time_ns = sound_time(time_ns)
        moment = self._free.get(time_ns, time_ns)
        while moment in self._taken:
            moment += 1
        self._taken.add(moment)
        self._free[time_ns] = moment + 1
        return moment


def export_folder(
    histories: Histories, path: str, folder: Path, progress: Progress = tell_nobody
) -> Exported:
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
    # Whoever may not read the notebook may not read what it was.
    mode = histories.file_mode(found[-1].history) if found else None
    for done, checkpoint in enumerate(found):
        progress(done, len(found))
        name = f"{_stamp(checkpoint)}-{checkpoint.id}{Path(checkpoint.path).suffix}"
        try:
            raw = histories.read(checkpoint)
        except RewindError as error:
            problems.append(str(error))
            continue
        files.replace_file(folder / name, raw, mode=mode)
        rows.append({"file": name, **_told(checkpoint)})
    index = {"format": EXPORT_FORMAT, "path": path, "checkpoints": rows}
    text = json.dumps(index, indent=1).encode()
    files.replace_file(folder / INDEX_NAME, text, mode=mode)
    return Exported(folder, len(rows), tuple(problems))


def export_git(
    histories: Histories, path: str, repository: Path, progress: Progress = tell_nobody
) -> Exported:
    """Every checkpoint of `path` as a commit, with its time and author, on a branch of its own.

    The branch is `rewind/<name>` of the git repository; the work tree and the other branches stay
    as they are. Where there is no repository one is made, with that branch as its HEAD and the
    newest state in its work tree, for those to read who may read the notebook. Raises NotFound (no
    git), RestoreRefused (also for a folder that holds files and is no repository), InvalidInput (a
    place where no repository can be made, a name that git takes for no file).
    """
    found = histories.checkpoints(path)
    name = os.path.basename(found[-1].path) if found else Path(path).name
    commits.check_name(name)
    branch, umask = commits.branch_of(name), -1
    is_new = not commits.is_repository(repository)
    if is_new:
        commits.check_new(repository)
        Files().make_folder(repository, 0o777)
        # Whoever may not read the notebook may not read what it was.
        mode = histories.file_mode(found[-1].history) if found else None
        umask = commits.make_repository(repository, mode)
    if commits.git(repository, "for-each-ref", branch).strip():
        raise RestoreRefused(
            f"The branch {branch[11:]} exists in {repository} already.",
            hint="Nothing was changed. Rename or delete it, or name another repository.",
        )
    problems: list[str] = []
    count = 0

    def stream() -> Iterator[bytes]:
        nonlocal count
        for done, checkpoint in enumerate(found):
            progress(done, len(found))
            try:
                raw = histories.read(checkpoint)
            except RewindError as error:
                problems.append(str(error))
                continue
            yield commits.commit_words(branch, checkpoint, name, raw)
            count += 1
        yield b"done\n"

    commits.git(repository, "fast-import", "--quiet", "--done", stdin=stream(), umask=umask)
    if is_new and count:
        commits.git(repository, "symbolic-ref", "HEAD", branch, umask=umask)
        commits.git(repository, "read-tree", "HEAD", umask=umask)
        # Else the next commit of all that changed would take the notebook away again.
        commits.git(repository, "checkout-index", "--quiet", "--", name, umask=umask)
    return Exported(repository, count, tuple(problems), branch.removeprefix("refs/heads/"))


def import_states(
    histories: Histories, sources: Sequence[Path], target: str, progress: Progress = tell_nobody
) -> Imported:
    """An exported folder, or files, into the history of `target`."""
    if len(sources) == 1 and os.path.isdir(sources[0]):
        return import_folder(histories, sources[0], target, progress)
    return import_files(histories, sources, target, progress)


def import_folder(
    histories: Histories, folder: Path, target: str, progress: Progress = tell_nobody
) -> Imported:
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
    if not isinstance(rows, list):
        raise Format(f"{folder / INDEX_NAME} does not list the checkpoints of an export.")
    try:
        mine = {one.id: one for one in histories.checkpoints(target)}
    except NotFound:
        mine = {}
    created, count, moments = 0, 0, _Moments()
    problems: list[str] = []
    notes: list[str] = []
    for done, row in enumerate(rows):
        progress(done, len(rows))
        try:
            made = _import_row(histories, folder, target, row, mine, moments)
            count += 1
            created += made.created
            for label in map(str, row.get("labels") or []):
                notes += _import_label(histories, made.checkpoint, label, str(row["file"]))
            if row.get("pinned"):
                histories.pin(made.checkpoint)
        except RewindError as error:
            problems.append(str(error))
        except (KeyError, TypeError, ValueError) as error:
            problems.append(f"A row of {folder / INDEX_NAME} does not read: {error!r}.")
    return Imported(target, count, created, tuple(problems), tuple(notes))


def _import_row(
    histories: Histories,
    folder: Path,
    target: str,
    row: dict[str, Any],
    mine: dict[CheckpointId, Checkpoint],
    moments: _Moments,
) -> Recorded:
    place = folder / os.path.basename(str(row["file"]))
    raw = read_document(place).raw
    told = row.get("blake3")
    if told is not None and blake3(raw).hexdigest() != told:
        raise Integrity(
            f"{place} is not what was exported: its bytes were changed since.",
            hint="It was not taken in. To take it as it is, name the file itself.",
        )
    moment = moments.take(int(row["time_ns"]))
    same = mine.get(CheckpointId(str(row.get("id"))))
    if same is not None and same.raw.hex() == told:
        return Recorded(same, False)
    return histories.record(
        target,
        raw,
        reason=Reason.IMPORTED,
        time_ns=moment,
        author=str(row["author"]),
        note=f"imported; was {row['reason']}",
    )


def _import_label(
    histories: Histories, checkpoint: Checkpoint, label: str, file: str
) -> Iterator[str]:
    """The checkpoint has the label. What the history has given it to already keeps it, and it gets
    another one; says so then."""
    other = f"{label} (imported)"
    if other in checkpoint.labels:
        return
    try:
        histories.label(checkpoint, label, move=False)
        return
    except InvalidInput as error:
        yield f'The label "{label}" of {file} was left out: {error.message}'
        return
    except Conflict as error:
        taken = error.message
    try:
        histories.label(checkpoint, other, move=False)
        yield f'{taken} It keeps it: {file} is "{other}" here.'
    except (Conflict, InvalidInput) as error:
        yield f'The label "{label}" of {file} was left out: {taken} {error.message}'


def import_files(
    histories: Histories, files: Sequence[Path], target: str, progress: Progress = tell_nobody
) -> Imported:
    """The given files, oldest first by their times, are states in the history of `target`. Where
    one of them cannot be read, nothing is taken. Raises NotFound, Denied, Storage."""
    times = [(read_document(path).mtime_ns, path) for path in files]
    created, moments = 0, _Moments()
    for done, (_, path) in enumerate(sorted(times, key=lambda one: one[0])):
        progress(done, len(times))
        document = read_document(path)
        made = histories.record(
            target,
            document.raw,
            reason=Reason.IMPORTED,
            time_ns=moments.take(document.mtime_ns),
            note=f"from {path.name}",
        )
        created += made.created
    return Imported(target, len(times), created)


def import_git(
    histories: Histories,
    repository: Path,
    file: str,
    target: str,
    progress: Progress = tell_nobody,
) -> Imported:
    """Every committed state of `file` (followed through renames) is in the history of `target`,
    with the commits' times and authors; where HEAD has none, those of the branch that an export
    made. Raises NotFound (no git, no such folder or file), InvalidInput."""
    if not os.path.exists(repository):
        raise NotFound(f"There is no folder {repository}.", hint="Nothing was changed.")
    name = os.path.basename(file)
    states = commits.list_states(repository, "HEAD", file)
    states = states or commits.list_states(repository, commits.branch_of(name), name)
    if not states:
        raise NotFound(f"The git repository {repository} has no commit with {file}.")
    created, moments = 0, _Moments()
    for done, state in enumerate(states):
        progress(done, len(states))
        made = histories.record(
            target,
            commits.git(repository, "cat-file", "blob", state.blob),
            reason=Reason.IMPORTED,
            time_ns=moments.take(state.seconds * 1_000_000_000),
            author=commits.as_text(state.author),
            note=commits.as_text(f"git {state.commit[:10]}: {state.subject}"[:200]),
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


def _moment(checkpoint: Checkpoint) -> datetime:
    return datetime.fromtimestamp(checkpoint.time_ns / 1e9, tz=UTC)


def _stamp(checkpoint: Checkpoint) -> str:
    """The moment, so that names in the alphabet's order stand in that of the states: a restore
    falls into the second of what it kept first."""
    return _moment(checkpoint).strftime("%Y%m%dT%H%M%S.%f")
