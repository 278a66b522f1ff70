"""Objects as files of a folder: another disk, or a share of another machine.

Written as the store itself is: a temporary name, a flush, then the name, which is given at most
once. What is acknowledged survives a power cut of the machine that holds the folder.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from jupyter_rewind.errors import NotFound, RewindError, Unavailable
from jupyter_rewind.store.durable import Files, read_at, translate
from jupyter_rewind.store.replica.objects import Listed

_DAY_SECONDS = 86_400


class FolderObjects:
    """Objects under the folder `folder`, which must exist: a share that is not mounted is not an
    empty replica."""

    def __init__(self, folder: Path, files: Files | None = None) -> None:
        self._folder = folder
        self._files = files or Files()

    @property
    def place(self) -> str:
        return str(self._folder)

    @property
    def is_mount(self) -> bool:
        """Whether a disk or a share is mounted at the folder itself. Raises Storage where that
        cannot be told: it may be mounted and answer nothing."""
        place = self._folder.resolve()
        try:
            # Who goes in has an automounter mount what belongs there; to ask alone does not.
            os.scandir(place).close()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except PermissionError:
            pass  # what keeps us out says nothing of mounts
        except OSError as error:
            raise _no_answer(error, place) from error
        return os.path.ismount(place)

    def create(self, key: str, data: bytes | bytearray) -> bool:
        path = self._path(key)
        if self.size(key) is not None:
            return False
        self._files.make_folder(path.parent)
        temporary = self._files.write_new(path, memoryview(data))
        try:
            made = self._files.publish(temporary, path)
        except BaseException:
            self._files.remove(temporary)
            raise
        if not made:
            self._files.remove(temporary)
        self._files.sync_folder(path.parent)
        return made

    def get(self, key: str) -> bytes:
        return self._read(key, 0, None)

    def get_range(self, key: str, start: int, end: int) -> bytes:
        return self._read(key, start, end)

    def size(self, key: str) -> int | None:
        try:
            return self._path(key).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            self._require_folder()
            return None
        except OSError as error:
            raise translate(error, "read", self._path(key)) from error

    def find(self, prefix: str, *, after: str = "") -> Iterator[Listed]:
        self._require_folder()
        for name, is_folder in self._names(prefix):
            key = prefix + name
            if is_folder:
                yield from self.find(f"{key}/", after=after)
            elif key > after:
                size = self.size(key)
                if size is not None:
                    yield Listed(key, size)

    def folders(self, prefix: str) -> list[str]:
        self._require_folder()
        return [name for name, is_folder in self._names(prefix) if is_folder]

    def delete(self, key: str) -> None:
        self._require_folder()
        self._files.remove(self._path(key))

    def sweep(self) -> int:
        """How many bytes came free that pushes had left which were killed while they wrote. What
        is younger than a day, by the folder's own clock, may be somebody's work."""
        self._require_folder()
        freed = 0
        try:
            probe = self._files.write_new(self._folder / "now", b"")
            now = probe.stat().st_mtime
            self._files.remove(probe)
            for path in self._folder.rglob(".*.rewind-tmp"):
                with suppress(FileNotFoundError):
                    found = path.stat()
                    if now - found.st_mtime > _DAY_SECONDS:
                        self._files.remove(path)
                        freed += found.st_size
        except OSError as error:
            raise translate(error, "look through", self._folder) from error
        return freed

    def _names(self, prefix: str) -> list[tuple[str, bool]]:
        """In the order of the keys below them, a folder's name being followed by a slash."""
        try:
            with os.scandir(self._path(prefix)) as items:
                found = [(each.name, each.is_dir()) for each in items if each.name[0] != "."]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise translate(error, "read the folder", self._path(prefix)) from error
        return sorted(found, key=lambda each: each[0] + "/" * each[1])

    def _read(self, key: str, start: int, end: int | None) -> bytes:
        path = self._path(key)
        try:
            descriptor = self._files.open(path)
        except NotFound:
            self._require_folder()
            raise
        try:
            stop = os.fstat(descriptor).st_size if end is None else end
            return read_at(descriptor, max(stop - start, 0), start)
        except OSError as error:
            raise translate(error, "read", path) from error
        finally:
            self._files.close(descriptor)

    def _path(self, key: str) -> Path:
        return self._folder / key

    def _require_folder(self) -> None:
        try:
            is_there = stat.S_ISDIR(os.stat(self._folder).st_mode)
        except (FileNotFoundError, NotADirectoryError):
            is_there = False
        except OSError as error:
            raise _no_answer(error, self._folder) from error
        if not is_there:
            raise Unavailable(
                f"There is no folder {self._folder} for the replica.",
                hint="Nothing was changed. Mount it, or make it, and try again.",
                retryable=True,
            )


def _no_answer(error: OSError, folder: Path) -> RewindError:
    told = translate(error, "look at", folder)
    if isinstance(told, Unavailable):
        told.hint = "Nothing was changed. What is mounted there may have to be mounted anew."
    return told
