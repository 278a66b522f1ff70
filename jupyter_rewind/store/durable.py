"""Files that change durably: the only module that writes, syncs, renames or removes.

`Files` is a narrow set of steps. The crash tests run a recording subclass of it and stop before,
after and in the middle of each step. It refuses to be clever: no buffering, no retries, and after
a failed sync nothing is tried again on the same file, because the pages may have been dropped.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

from jupyter_rewind import clock
from jupyter_rewind.errors import Denied, Full, NotFound, Storage, Unavailable
from jupyter_rewind.store.owners import hand_over

_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_CLOEXEC = getattr(os, "O_CLOEXEC", 0)
_BINARY = getattr(os, "O_BINARY", 0)


def translate(error: OSError, doing: str, path: str | Path) -> Storage | NotFound:
    """The error of our tree that `error` means; raise the result `from error`."""
    if error.errno in _FULL:
        room = free_bytes(Path(path).parent)
        free = "" if room is None else f" ({room} bytes free on {Path(path).parent})"
        return Full(
            f"Could not {doing} {path}: the disk or the quota is full{free}.",
            hint="What was saved before is whole. Free some space and try again.",
            retryable=True,
        )
    if error.errno in _DENIED:
        return Denied(
            f"Could not {doing} {path}: {os.strerror(error.errno or 0).lower()}.",
            hint="Nothing was changed. Check the permissions of the file and its folder.",
        )
    if error.errno == errno.ENOENT and doing in {"create", "make the folder"}:
        return Unavailable(f"Could not {doing} {path}: the folder it goes into is not there.")
    if error.errno == errno.ENOENT:
        return NotFound(f"Could not {doing} {path}: there is no such file or folder.")
    reason = error.strerror or str(error)
    return Unavailable(f"Could not {doing} {path}: {reason}.", retryable=True)


def free_bytes(folder: Path) -> int | None:
    """Bytes that this user may still write in `folder`, or None where the system does not tell."""
    try:
        status = os.statvfs(folder)
    except (OSError, AttributeError):
        return None
    return status.f_bavail * status.f_frsize


def read_text_or_empty(path: Path) -> str:
    """The small file's text, or "" where there is none; what is no UTF-8 in it is replaced."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise translate(error, "read", path) from error


def read_at(descriptor: int, size: int, offset: int) -> bytes:
    """Up to `size` bytes from `offset`; fewer only at the end of the file."""
    if not hasattr(os, "pread"):
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.read(descriptor, size)
    data = os.pread(descriptor, size, offset)
    if len(data) == size or not data:
        return data
    parts = [data]
    have = len(data)
    while have < size:
        more = os.pread(descriptor, size - have, offset + have)
        if not more:
            break
        parts.append(more)
        have += len(more)
    return b"".join(parts)


def read_into(descriptor: int, target: memoryview, offset: int) -> int:
    """How many bytes from `offset` now stand in `target`: all of it, but for the file's end."""
    if not hasattr(os, "preadv"):
        data = read_at(descriptor, len(target), offset)
        target[: len(data)] = data
        return len(data)
    have = 0
    while have < len(target):
        count = os.preadv(descriptor, [target[have:]], offset + have)
        if count == 0:
            break
        have += count
    return have


class Files:
    """The durable steps on a local or network file system. All errors are of our tree."""

    def make_folder(self, path: Path, mode: int = 0o700) -> None:
        """`path` is there as a folder, with its parents, and all their names are durable."""
        missing: list[Path] = []
        at = path
        while not at.is_dir() and at != at.parent:
            missing.append(at)
            at = at.parent
        # Whoever made what is there may have been killed before its name was durable.
        with contextlib.suppress(Storage):
            self.sync_folder(at.parent)
        for folder in reversed(missing):
            self.add_folder(folder, mode if folder == path else 0o777)
            self.sync_folder(folder.parent)

    def add_folder(self, path: Path, mode: int) -> None:
        """The folder `path` is there; its name is not yet durable."""
        try:
            path.mkdir(mode=mode, exist_ok=True)
        except OSError as error:
            raise translate(error, "make the folder", path) from error

    def create(self, path: Path, mode: int = 0o600) -> int:
        """A descriptor of the new, empty file `path`; raises Unavailable where one exists."""
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | _CLOEXEC | _BINARY
            return hand_over(os.open(path, flags, mode), path)
        except OSError as error:
            raise translate(error, "create", path) from error

    def open(self, path: Path) -> int:
        """A descriptor of `path` for reading. Raises NotFound, Denied, Unavailable."""
        try:
            return os.open(path, os.O_RDONLY | _CLOEXEC | _BINARY)
        except OSError as error:
            raise translate(error, "read", path) from error

    def open_again(self, path: Path) -> int:
        """A descriptor of `path`, which is there, to write to. Raises as `open` does."""
        try:
            return os.open(path, os.O_RDWR | _CLOEXEC | _BINARY)
        except OSError as error:
            raise translate(error, "write to", path) from error

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def write_at(
        self, descriptor: int, parts: list[bytes | memoryview], offset: int, path: Path
    ) -> int:
        """All of `parts`, one after the other, from `offset`; returns how many bytes."""
        written = 0
        try:
            for data in _gather(parts):
                view = memoryview(data).cast("B")
                while view.nbytes:
                    count = _write(descriptor, view, offset + written)
                    if count <= 0:
                        raise OSError(errno.EIO, "nothing is taken")
                    written += count
                    view = view[count:]
        except OSError as error:
            raise translate(error, "write to", path) from error
        return written

    def reserve(self, descriptor: int, offset: int, size: int, path: Path) -> None:
        """The disk holds `size` zero bytes ready from `offset`. Raises Full with nothing lost."""
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(descriptor, offset, size)
                return
        except OSError as error:
            if error.errno not in {errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS}:
                raise translate(error, "reserve room in", path) from error
        self.write_at(descriptor, [bytes(size)], offset, path)

    def truncate(self, descriptor: int, size: int, path: Path) -> None:
        try:
            os.ftruncate(descriptor, size)
        except OSError as error:
            raise translate(error, "shorten", path) from error

    def sync_data(self, descriptor: int, path: Path) -> None:
        """What was written to the file survives a power cut. After an error, give the file up."""
        try:
            _sync(descriptor)
        except OSError as error:
            raise translate(error, "flush to disk", path) from error

    def sync_folder(self, path: Path) -> None:
        """The names in `path` survive a power cut (Windows has no such step)."""
        if os.name == "nt":
            return
        try:
            descriptor = os.open(path, os.O_RDONLY | _CLOEXEC)
        except PermissionError:
            # A folder that takes names but may not be listed: only all disks can be flushed.
            os.sync()
            return
        except OSError as error:
            raise translate(error, "open the folder", path) from error
        try:
            os.fsync(descriptor)
        except OSError as error:
            # Some network file systems answer EINVAL: they make names durable by themselves.
            if error.errno not in {errno.EINVAL, errno.EBADF, errno.EACCES}:
                raise translate(error, "flush the folder", path) from error
        finally:
            os.close(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        """`target` names what `source` named, at once; what it named before is gone."""
        try:
            os.replace(source, target)
        except OSError as error:
            raise translate(error, "rename to", target) from error

    def link(self, source: Path, target: Path) -> None:
        """`target` is a second name of `source`. Raises OSError as the system says it."""
        os.link(source, target)

    def publish(self, source: Path, target: Path) -> bool:
        """`target` names the bytes of `source`, unless it existed before: then False."""
        try:
            self.link(source, target)
        except OSError as error:
            if _is_same(source, target):
                # The answer was lost on the way, and the server says that the name is taken.
                self.remove(source)
                return True
            if isinstance(error, FileExistsError) or os.path.lexists(target):
                return False
            # No hard links here (FAT, some network shares): a look and a rename is the best left.
            self.rename(source, target)
            return True
        self.remove(source)
        return True

    def remove(self, path: Path) -> None:
        """`path` is gone; no error when it was gone before."""
        try:
            os.unlink(path)
        except FileNotFoundError:
            return
        except OSError as error:
            raise translate(error, "remove", path) from error

    def write_new(
        self, path: Path, data: bytes | memoryview, mode: int = 0o600, *, exact: bool = False
    ) -> Path:
        """A synced file beside `path`, under a temporary name, which is returned. With `exact`, the
        user's mask takes nothing from `mode`."""
        temporary = path.with_name(f".{_short(path.name)}.{clock.new_id()}.rewind-tmp")
        descriptor = self.create(temporary, mode)
        try:
            if exact and hasattr(os, "fchmod"):
                os.fchmod(descriptor, mode)
            self.write_at(descriptor, [data], 0, temporary)
            self.sync_data(descriptor, temporary)
        except BaseException:
            self.close(descriptor)
            self.remove(temporary)
            raise
        self.close(descriptor)
        return temporary

    def replace_file(
        self,
        path: Path,
        data: bytes | memoryview,
        mode: int | None = None,
        *,
        check: Callable[[Path], None] | None = None,
    ) -> tuple[str, ...]:
        """`path` holds exactly `data`, durably; at any crash it holds the old or the new bytes.

        Symbolic links are followed; the mode and, where allowed, the owner, the access list and
        the users' attributes of an existing file are kept: the answer is what of these was not.
        `mode` serves for a new file (0o600 when None). `check` gets the name under which the bytes
        wait and raises when they shall not take the file's place.
        """
        target = Path(os.path.realpath(path))
        before = _status(target)
        kept = stat.S_IMODE(before.st_mode) if before else (0o600 if mode is None else mode)
        temporary = self.write_new(target, data, mode=kept)
        try:
            lost = (*_adopt(temporary, before, kept), *_copy_attributes(target, temporary))
            if check is not None:
                check(temporary)
            self.rename(temporary, target)
        except BaseException:
            self.remove(temporary)
            raise
        self.sync_folder(target.parent)
        return lost

    def overwrite(self, path: Path, data: bytes) -> None:
        """`path` holds `data`, written in place: for a file in a folder that takes no new names.

        Not atomic. Keep what it held elsewhere first.
        """
        descriptor = self.open_again(path)
        try:
            self.write_at(descriptor, [data], 0, path)
            self.truncate(descriptor, len(data), path)
            self.sync_data(descriptor, path)
        finally:
            self.close(descriptor)


def _short(name: str) -> str:
    # A name may fill all 255 bytes that file systems allow; ours adds thirty.
    return os.fsdecode(os.fsencode(name)[:200])


def _gather(parts: list[bytes | memoryview]) -> list[bytes | memoryview]:
    # Many small records in one write: a system call each would cost more than the copy.
    if len(parts) > 1 and sum(len(part) for part in parts) <= 1 << 20:
        return [b"".join(parts)]
    return parts


def _write(descriptor: int, view: memoryview, offset: int) -> int:
    if hasattr(os, "pwrite"):
        return os.pwrite(descriptor, view, offset)
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.write(descriptor, view)


def _sync(descriptor: int) -> None:
    if hasattr(os, "fdatasync"):
        os.fdatasync(descriptor)
        return
    try:
        import fcntl

        # macOS: fsync leaves the data in the drive's cache; only this flushes it.
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)  # type: ignore[attr-defined,unused-ignore]
    except (ImportError, AttributeError, OSError):
        os.fsync(descriptor)


def _is_same(one: Path, other: Path) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def _adopt(path: Path, before: os.stat_result | None, mode: int) -> list[str]:
    """`path` has this mode and the owner that was there before; returns what it has not."""
    # Where a file system knows no modes, the mount's own hold for the file before as well.
    with contextlib.suppress(OSError):
        os.chmod(path, mode)
    here = _status(path)
    lost: list[str] = []
    if before is None or here is None or not hasattr(os, "chown"):
        return lost
    for what, user, group in (("group", -1, before.st_gid), ("owner", before.st_uid, -1)):
        if user not in (-1, here.st_uid) or group not in (-1, here.st_gid):
            try:
                os.chown(path, user, group)
            except OSError:
                # The folder is ours to write and the file is not: the bytes matter more.
                lost.append(what)
    return lost


def _copy_attributes(source: Path, target: Path) -> list[str]:
    """`target` has the attributes that users gave `source`, and its access list, where the system
    has such; returns those that it would not take."""
    lost: list[str] = []
    if not hasattr(os, "listxattr"):
        return lost
    try:
        names = os.listxattr(source)
    except OSError:
        return lost
    for name in names:
        is_list = name == "system.posix_acl_access"
        if name.startswith("user.") or is_list:
            try:
                os.setxattr(target, name, os.getxattr(source, name))
            except OSError:
                # One that is refused costs itself alone: the bytes matter more.
                lost.append("access list" if is_list else f"attribute {name}")
    return lost
