"""Documents: notebooks as files on a disk. Read, kept, restored, brought back.

Restoring keeps the present first (the file's, and the live document's where the caller has one),
prepares the new bytes aside, compares them, then swaps. A failure at any step leaves the file as
it was and says so.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jupyter_rewind.errors import (
    Denied,
    Integrity,
    InvalidInput,
    NotFound,
    RestoreRefused,
    RewindError,
    Unavailable,
)
from jupyter_rewind.model.checkpoint import Checkpoint, FileIdentity, Reason
from jupyter_rewind.notebooks.history import Histories, Recorded
from jupyter_rewind.notebooks.splicing import splice_cells
from jupyter_rewind.store.birth import read_birth
from jupyter_rewind.store.durable import Files, translate

_TRIES = 20


@dataclass(frozen=True, slots=True)
class Document:
    """A file as it was read: its bytes, and what its file system calls it."""

    raw: bytes
    identity: FileIdentity
    mtime_ns: int

    @property
    def size(self) -> int:
        return len(self.raw)


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did: `source` is the state that came back, `kept` what was there before,
    `checkpoint` the new head (None when it went to another place with `output`)."""

    path: Path
    source: Checkpoint
    checkpoint: Checkpoint | None
    kept: Checkpoint | None


def document_path(path: str | Path) -> Path:
    """The one spelling of a file's path: absolute, with symbolic links followed."""
    return Path(os.path.realpath(os.path.expanduser(path)))


def read_document(path: Path, max_bytes: int | None = None) -> Document:
    """The file's bytes, all of one moment as far as its times tell.

    Raises NotFound, Denied, Unavailable, InvalidInput (no regular file, or more than `max_bytes`).
    """
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            for _ in range(_TRIES):
                before = os.fstat(file.fileno())
                _check_kind(path, before)
                _check_size(path, before.st_size, max_bytes)
                file.seek(0)
                raw = file.read(before.st_size + 1)
                if len(raw) > before.st_size:
                    # Some files hold more than they say, and some have no end.
                    raw += file.read(-1 if max_bytes is None else max_bytes + 1 - len(raw))
                _check_size(path, len(raw), max_bytes)
                after = os.fstat(file.fileno())
                if (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size):
                    break
            else:
                raise Unavailable(f"{path} is being written to all the time.", retryable=True)
            identity = identify_open(file.fileno())
    except RewindError:
        raise
    except OSError as error:
        raise translate(error, "read", path) from error
    return Document(raw, identity, after.st_mtime_ns)


def _open_at_once(path: str, flags: int) -> int:
    # A pipe that nobody writes to would be waited for, for ever.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _check_kind(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise InvalidInput(
            f"{path} is no regular file, so there is nothing in it to keep.",
            hint="Nothing was changed. Name a notebook or a text file.",
        )


def identify(path: Path) -> FileIdentity | None:
    """What the file system calls the file, or None where there is none."""
    try:
        descriptor = _open_at_once(str(path), os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return _identify_closed(path)
    try:
        return identify_open(descriptor)
    finally:
        os.close(descriptor)


def _identify_closed(path: Path) -> FileIdentity | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return FileIdentity(status.st_dev, status.st_ino, mode=stat.S_IMODE(status.st_mode) & 0o777)


def identify_open(descriptor: int) -> FileIdentity:
    """What the file system calls the open file, when it was made, and who may use it."""
    status = os.fstat(descriptor)
    born = read_birth(descriptor, status)
    return FileIdentity(status.st_dev, status.st_ino, born, stat.S_IMODE(status.st_mode) & 0o777)


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
    document = read_document(path, max_bytes)
    return histories.record(
        str(path),
        document.raw,
        reason=reason,
        author=author,
        label=label,
        identity=document.identity,
        exists=os.path.lexists,
    )


def _check_size(path: Path, size: int, max_bytes: int | None) -> None:
    if max_bytes is not None and size > max_bytes:
        raise InvalidInput(
            f"{path} is not kept: it has more than {max_bytes >> 20} MB.",
            hint="Nothing was changed. The limit is the setting notebooks.max_file_mb.",
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
    Raises NotFound, Integrity, RestoreRefused, Storage; nothing was changed then.
    """
    files = files or Files()
    source = histories.resolve(str(path), ref)
    target = histories.read(source)
    now = _read_or_none(path)
    if cells:
        target = splice_cells(_base(path, present, now), target, cells, str(path), source.id)
    if output is not None:
        _write_new(files, output, target)
        return Restored(output, source, None, None)
    if now is not None:
        # Deleted and written anew since: what is there belongs to the history that is asked for.
        histories.undelete(source.history, str(path))
    kept = _keep_present(histories, path, now, present, author)
    _swap(files, path, target, now)
    histories.undelete(source.history, str(path))
    after = _note_restored(histories, path, target, author, None if cells else source)
    return Restored(path, source, after, kept)


def _note_restored(
    histories: Histories, path: Path, raw: bytes, author: str | None, source: Checkpoint | None
) -> Checkpoint:
    """The new head of `path`, which holds `raw` by now."""
    try:
        return histories.record(
            str(path),
            raw,
            reason=Reason.RESTORE,
            author=author,
            identity=identify(path),
            exists=os.path.lexists,
            parent=source.id if source is not None else None,
        ).checkpoint
    except RewindError as error:
        error.message = f"{path} was brought back, but its history does not say so: {error.message}"
        raise


def undelete_document(
    histories: Histories,
    path_or_history: str,
    *,
    output: Path | None = None,
    author: str | None = None,
    files: Files | None = None,
) -> Restored:
    """The newest state of a deleted notebook is a file again, with its history.

    `output` names another place than its last one.
    Raises NotFound, RestoreRefused (a file is there), Conflict, Integrity, Storage.
    """
    history = histories.history(path_or_history)
    info = histories.overview(history)
    if info.head is None:
        raise NotFound(f"The history of {path_or_history} has no checkpoints any more.")
    target = output or Path(info.path)
    is_alive = not info.deleted and os.path.lexists(info.path)
    if is_alive or os.path.lexists(target):
        there = info.path if is_alive else target
        what = "There is no need" if is_alive else "Another file is in its place"
        raise RestoreRefused(
            f"{info.path} was not brought back: {there} exists. {what}.",
            hint="Nothing was changed. Name another place with --output, or go back in the"
            " notebook's own history with `jupyter rewind restore`.",
        )
    if not os.path.isabs(target):
        raise InvalidInput(
            f"{info.path} is not on this machine's disk.", hint="Name a place with --output."
        )
    raw = histories.read(info.head)
    _write_new(files or Files(), target, raw)
    if histories.find(str(target)) != history:
        # What had the name meanwhile is gone as well: no file was there.
        histories.delete(str(target))
    histories.undelete(history, str(target))
    after = _note_restored(histories, target, raw, author, None)
    return Restored(target, info.head, after, None)


def _read_or_none(path: Path) -> Document | None:
    try:
        return read_document(path)
    except NotFound:
        return None


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


def _keep_present(
    histories: Histories,
    path: Path,
    now: Document | None,
    present: bytes | None,
    author: str | None,
) -> Checkpoint | None:
    kept = None
    states: list[tuple[bytes, FileIdentity | None]]
    states = [] if now is None else [(now.raw, now.identity)]
    if present is not None and (now is None or present != now.raw):
        states.append((present, now.identity if now is not None else None))
    for raw, identity in states:
        kept = histories.record(
            str(path),
            raw,
            reason=Reason.BEFORE_RESTORE,
            author=author,
            identity=identity,
            exists=os.path.lexists,
        ).checkpoint
    return kept


def _swap(files: Files, path: Path, target: bytes, now: Document | None) -> None:
    """`path` holds `target`; refused when somebody wrote the file since it was kept."""

    def check(temporary: Path) -> None:
        if read_document(temporary).raw != target:
            raise Integrity(
                f"What was written for {path} reads otherwise.",
                hint="Nothing was changed. Check the disk before you try again.",
            )
        _check_unchanged(path, now)

    _check_unchanged(path, now)
    if now is None:
        _write_new(files, path, target)
        return
    try:
        files.replace_file(path, target, check=check)
    except Denied:
        if not os.access(path, os.W_OK):
            raise
        # The folder takes no new names but the file may be written: in place, then. What it
        # held is kept in the history by now.
        files.overwrite(path, target)
        if read_document(path).raw != target:
            raise Integrity(
                f"{path} does not hold what was written to it.",
                hint="Its checkpoints are whole; check the disk before you try again.",
            ) from None


def _check_unchanged(path: Path, now: Document | None) -> None:
    changed = _read_or_none(path)
    if (changed is None) != (now is None) or (
        changed is not None and now is not None and changed.raw != now.raw
    ):
        raise RestoreRefused(
            f"{path} was written to while it was being restored.",
            hint="Nothing was changed. Try again when the other program has finished.",
            retryable=True,
        )


def _write_new(files: Files, path: Path, data: bytes) -> None:
    if os.path.lexists(path):
        raise RestoreRefused(
            f"{path} exists already.",
            hint="Nothing was changed. Name a file that does not exist.",
        )
    files.make_folder(path.parent, 0o777)
    temporary = files.write_new(path, data, mode=_new_file_mode())
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
    files.sync_folder(path.parent)


def _read_umask() -> int:
    # Reading it means setting it: done once, at import, before there are threads to be surprised.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


_UMASK = _read_umask()


def _new_file_mode() -> int:
    """What a user's own editor would give a new file."""
    return 0o666 & ~_UMASK
