"""Documents: notebooks as files on a disk. Read, kept, restored, brought back.

Restoring keeps the present first (the file's, and the live document's where the caller has one),
prepares the new bytes aside, compares them, then swaps. A failure at any step leaves the file as
it was and says so.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jupyter_rewind.errors import (
    Denied,
    Integrity,
    InvalidInput,
    NotFound,
    RestoreRefused,
    RewindError,
    Storage,
)
from jupyter_rewind.model.checkpoint import Checkpoint, Reason
from jupyter_rewind.model.ids import HistoryId
from jupyter_rewind.model.shell import quoted
from jupyter_rewind.notebooks.away import is_disk_away
from jupyter_rewind.notebooks.condition import SOUND, Condition
from jupyter_rewind.notebooks.faults import judge_opening
from jupyter_rewind.notebooks.files import (
    Document,
    check_writable,
    document_path,
    identify,
    identify_open,
    is_file_there,
    read_document,
    read_or_none,
    require_visible,
)
from jupyter_rewind.notebooks.history import Histories, Recorded
from jupyter_rewind.notebooks.inplace import overwrite_document
from jupyter_rewind.notebooks.keeping import keep_present
from jupyter_rewind.notebooks.lastgood import find_last_good
from jupyter_rewind.notebooks.leftovers import remove_leftovers
from jupyter_rewind.notebooks.reading import Glance
from jupyter_rewind.notebooks.splicing import splice_cells
from jupyter_rewind.store.durable import Files

__all__ = [
    "Document", "Restored", "checkpoint_document", "document_path", "find_last_good",
    "identify", "identify_open", "read_document", "restore_document", "undelete_document",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did: `source` is the state that came back, `kept` what was there before,
    `checkpoint` the new head (None when it went to another place with `output`). `lost` are newer
    checkpoints, newest first, that cannot be read and were passed over. `not_kept` is what the
    file had besides its bytes and has no more: its owner, an attribute. `kept_nearly`: what was
    there differed from `kept` in what no checkpoint is made for, and that is gone. `condition` is
    that of the state that came back, and `last_good` the newest whole one where it is damaged."""

    path: Path
    source: Checkpoint
    checkpoint: Checkpoint | None
    kept: Checkpoint | None
    lost: tuple[Checkpoint, ...] = ()
    not_kept: tuple[str, ...] = ()
    kept_nearly: bool = False
    condition: Condition = SOUND
    last_good: Checkpoint | None = None


def checkpoint_document(
    histories: Histories,
    path: Path,
    *,
    reason: Reason,
    author: str | None = None,
    label: str | None = None,
    max_bytes: int | None = None,
) -> Recorded:
    """The file's present state is kept.

    Raises NotFound, Denied, Storage, InvalidInput (a folder, or more than `max_bytes`).
    """
    since = histories.glance(str(path)) if reason is Reason.EXTERNAL_CHANGE else None
    document = read_document(path, max_bytes)
    return histories.record(
        str(path),
        document.raw,
        reason=reason,
        author=author,
        label=label,
        identity=document.identity,
        exists=os.path.lexists,
        since=since,
    )


def restore_document(
    histories: Histories,
    path: Path,
    ref: str,
    *,
    cells: Sequence[str] = (),
    output: Path | None = None,
    present: bytes | None = None,
    author: str | None = None,
    files: Files | None = None,
) -> Restored:
    """`path` holds the state that `ref` names (or only these `cells` of it), byte for byte.

    What the file held, and `present` (a live document's bytes), is kept first. With `output` the
    state is written there, to a new file, and `path` stays as it is.
    Raises NotFound, Integrity, RestoreRefused, Storage (Denied for a read-only file); nothing was
    changed then.
    """
    files = files or Files()
    source = histories.resolve(str(path), ref)
    target = histories.read(source)
    seen = histories.glance_at(source.history)
    # A folder in its place is in nobody's way who writes elsewhere.
    now = None if output is not None and os.path.isdir(path) else read_or_none(path)
    if cells:
        target = splice_cells(_base(path, present, now), target, cells, str(path), source.id)
    if output is not None:
        mode = now.identity.mode if now is not None else histories.file_mode(source.history)
        found = _judge(histories, output, source, target, cells)
        _write_new(files, output, target, mode)
        return Restored(output, source, None, None, condition=found[0], last_good=found[1])
    check_writable(path)
    with _telling_way_out(source):
        if now is not None:
            # Deleted and written anew since: what is there belongs to the history asked for.
            histories.undelete(source.history, str(path))
        kept, kept_nearly = keep_present(histories, path, now, present, author, seen)
    condition, good = _judge(histories, path, source, target, cells)
    before = histories.glance_at(source.history)
    with _telling_way_out(source):
        histories.check_takes()
    not_kept = _swap(files, path, target, now, histories.file_mode(source.history))
    remove_leftovers(files, path.parent)
    with _told_as_back(path):
        histories.undelete(source.history, str(path))
    after = _note_restored(histories, path, target, author, None if cells else source, before)
    return Restored(path, source, after, kept, (), not_kept, kept_nearly, condition, good)


def _judge(
    histories: Histories, path: Path, source: Checkpoint, raw: bytes, cells: Sequence[str] = ()
) -> tuple[Condition, Checkpoint | None]:
    """What to say of the state that comes back, and the last good one where it is damaged. Asked
    before the file is touched: it may fail as any reading does."""
    if cells or path.suffix != ".ipynb":
        return SOUND, None
    condition = judge_opening(raw, path.name)
    return condition, None if condition.is_ok else find_last_good(histories, source.history)


def place_to_restore(histories: Histories, name: str, output: str | Path | None) -> Path:
    """The file that a path, or a history's own id, stands for. Raises RestoreRefused for the
    history of a deleted notebook, unless the state goes elsewhere, to `output`."""
    if os.path.isabs(name) or output:
        return Path(name)
    info = histories.overview(name)
    if info.deleted:
        raise RestoreRefused(
            f"The history {name} has no notebook any more; its last place was {info.path}.",
            hint=f"Nothing was changed. `jupyter rewind undelete {name} --output PATH` brings the"
            " notebook back with its history; `restore` with --output PATH writes this state.",
        )
    return Path(info.path)


def _note_restored(
    histories: Histories,
    path: Path,
    raw: bytes,
    author: str | None,
    source: Checkpoint | None,
    before: Glance,
) -> Checkpoint:
    """The new head of `path`, which holds `raw` by now, unlike `before`."""
    with _told_as_back(path):
        return histories.record(
            str(path),
            raw,
            reason=Reason.RESTORE,
            author=author,
            identity=identify(path),
            exists=os.path.lexists,
            parent=source.id if source is not None else None,
            since=before,
        ).checkpoint


@contextmanager
def _telling_way_out(source: Checkpoint) -> Iterator[None]:
    """Where the store takes nothing, which fails in the block, the error says what works all the
    same."""
    try:
        yield
    except Storage as error:
        way = f"`jupyter rewind restore {source.history} {source.id} --output PATH`"
        error.hint = (
            f"{error.hint} {way} writes that state elsewhere and needs only to read.".strip()
        )
        raise


@contextmanager
def _told_as_back(path: Path) -> Iterator[None]:
    """What fails in the block, fails after the file at `path` was written, and says so."""
    try:
        yield
    except RewindError as error:
        error.message = f"{path} was brought back, but its history does not say so: {error.message}"
        error.hint = "The file is whole. The next checkpoint of it says so."
        error.is_done = True
        raise


def undelete_document(
    histories: Histories,
    path_or_history: str,
    *,
    output: Path | None = None,
    author: str | None = None,
    files: Files | None = None,
) -> Restored:
    """The newest state of a deleted notebook that can be read is a file again, with its history.

    `output` names another place than its last one.
    Raises NotFound, RestoreRefused (a file is there), Conflict, Integrity, Storage (also where
    nobody may look whether it is).
    """
    history = histories.history(path_or_history)
    info = histories.overview(history)
    target = output or Path(info.path)
    if not info.deleted:
        require_visible(info.path)
    is_alive = not info.deleted and is_file_there(info.path)
    if is_alive or os.path.lexists(target):
        others = histories.bindings.deleted_at(info.path) if is_alive else []
        raise _in_the_way(info.path, target, is_alive=is_alive, others=others)
    if not os.path.isabs(target):
        raise InvalidInput(
            f"{info.path} is not on this machine's disk.", hint="Name a place with --output."
        )
    source, raw, lost = _read_newest(histories, history, info.path)
    if output is None and is_disk_away(histories.repository, history, info.path, source.host):
        raise RestoreRefused(
            f"{info.path} was not brought back: the disk that it lay on is not there.",
            hint="Nothing was changed. When that disk is back, the notebook may be, too; else name"
            " a place with --output.",
        )
    condition, good = _judge(histories, target, source, raw)
    before = histories.glance_at(history)
    files = files or Files()
    with _telling_way_out(source):
        histories.check_takes()
    _write_new(files, target, raw, histories.file_mode(history))
    remove_leftovers(files, target.parent)
    with _told_as_back(target):
        if histories.find(str(target)) != history:
            # What had the name meanwhile is gone as well: no file was there.
            histories.delete(str(target))
        histories.undelete(history, str(target))
    after = _note_restored(histories, target, raw, author, source if lost else None, before)
    return Restored(target, source, after, None, lost, condition=condition, last_good=good)


def _in_the_way(
    path: str, target: Path, *, is_alive: bool, others: Sequence[HistoryId] = ()
) -> RestoreRefused:
    """Why a notebook is not brought back where a file is, and what serves instead. `others` are
    deleted ones that had the path before it."""
    there = path if is_alive else target
    what = "There is no need" if is_alive else "Another file is in its place"
    named = quoted(path)
    way = f"`jupyter rewind restore {named} head~1` goes back in its history; with --output PATH it"
    way += " writes a copy instead."
    if others:
        way += (
            " Another notebook had that name and was deleted:"
            f" `jupyter rewind undelete {others[-1]} --output PATH` brings it back."
        )
    return RestoreRefused(
        f"{path} was not brought back: {there} exists."
        f" {'It is a folder' if os.path.isdir(there) else what}.",
        hint="Nothing was changed. " + (way if is_alive else "Name another place with --output."),
    )


def _read_newest(
    histories: Histories, history: HistoryId, path: str
) -> tuple[Checkpoint, bytes, tuple[Checkpoint, ...]]:
    """The newest checkpoint that can be read, its bytes, and the newer ones that cannot."""
    lost: list[Checkpoint] = []
    problem: RewindError = NotFound(f"The history of {path} has no checkpoints any more.")
    for one in histories.checkpoints(history, newest_first=True):
        try:
            return one, histories.read(one), tuple(lost)
        except Integrity as error:
            problem = problem if lost else error
            lost.append(one)
    raise problem


def _base(path: Path, present: bytes | None, now: Document | None) -> bytes:
    """The state that single cells go into."""
    if present is not None:
        return present
    if now is None:
        raise RestoreRefused(
            f"{path} does not exist, so single cells have nowhere to go.",
            hint="Nothing was changed. Restore it whole, or use `jupyter rewind undelete`.",
        )
    return now.raw


def _swap(
    files: Files, path: Path, target: bytes, now: Document | None, mode: int | None
) -> tuple[str, ...]:
    """`path` holds `target`; refused when somebody wrote the file since it was kept. Returns what
    else the file had and has no more."""

    def check(temporary: Path) -> None:
        if read_document(temporary).raw != target:
            raise Integrity(
                f"What was written for {path} reads otherwise.",
                hint="Nothing was changed. Check the disk before you try again.",
            )
        _check_unchanged(path, now)

    _check_unchanged(path, now)
    if now is None:
        _write_new(files, path, target, mode)
        return ()
    try:
        return files.replace_file(path, target, check=check)
    except Denied:
        if not os.access(path, os.W_OK):
            raise
        # The folder takes no new names but the file may be written: in place, then. What it
        # held is kept in the history by now.
        overwrite_document(files, path, target, now.raw)
        return ()


def _check_unchanged(path: Path, now: Document | None) -> None:
    changed = read_or_none(path)
    if (changed is None) != (now is None) or (
        changed is not None and now is not None and changed.raw != now.raw
    ):
        raise RestoreRefused(
            f"{path} was written to while it was being restored.",
            hint="Nothing was changed. Try again when the other program has finished.",
            retryable=True,
        )


def _write_new(files: Files, path: Path, data: bytes, mode: int | None) -> None:
    """The new file `path` holds `data`, with the permissions `mode`; for its owner alone where
    these are not known, for what it held may have been private."""
    if os.path.lexists(path):
        raise RestoreRefused(
            f"{path} exists already.",
            hint="Nothing was changed. Name a file that does not exist.",
        )
    files.make_folder(path.parent, 0o777)
    temporary = files.write_new(path, data, mode=0o600 if mode is None else mode, exact=True)
    try:
        if read_document(temporary).raw != data:
            raise Integrity(
                f"What was written for {path} reads otherwise.",
                hint="Nothing was changed. Check the disk before you try again.",
            )
        if not files.publish(temporary, path):
            raise RestoreRefused(f"{path} has just come to exist.", hint="Nothing was changed.")
    except BaseException:
        files.remove(temporary)
        raise
    try:
        files.sync_folder(path.parent)
    except Storage as error:
        error.message = f"{path} was written, but may not outlive a power cut: {error.message}"
        error.hint = "Check the disk, and that the file is there."
        raise
