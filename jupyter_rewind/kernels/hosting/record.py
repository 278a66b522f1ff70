"""What is written down of a kernel so that a later server finds it: one small folder a kernel.

It lies beside the connection file and holds the record, what the kernel wrote to its standard
output and error, and a lock that the server which has the kernel holds for as long as it lives.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from jupyter_rewind import clock
from jupyter_rewind.errors import Integrity, Newer, RewindError, Storage
from jupyter_rewind.kernels.hosting.keeper import CONTROL, LOG, remove, sweep
from jupyter_rewind.kernels.hosting.links import drop_noted
from jupyter_rewind.kernels.hosting.process import FOLDER, ProcessMark
from jupyter_rewind.kernels.templates.warden import SOCKET as WARDEN
from jupyter_rewind.model.encoding import to_json
from jupyter_rewind.model.entry import Json
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.locks import FileLock, is_locked

FORMAT = 1
_RECORD, _LOCK = "record.json", "lock"
LIFE = "life"
"""A file that the kernel has open. One that comes back from an image has another one open."""


@dataclass(frozen=True, slots=True)
class HostedSession:
    """Jupyter's pair of a document and the kernel."""

    id: str
    path: str
    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Hosted:
    """A kernel that can be found again. `process` is its own or, where it `has_room`, that of its
    keeper, which ends with it; `log_offset` is how much of its output has been passed on."""

    kernel: str
    name: str
    process: ProcessMark
    boot: str
    root: str
    cwd: str
    connection: str
    has_room: bool = False
    session: HostedSession | None = None
    log_offset: int | None = None

    @property
    def is_alive(self) -> bool:
        """Whether its process runs on this machine, now."""
        return self.boot == clock.boot_id() and self.process.is_alive


class Place:
    """The folder of one kernel."""

    def __init__(self, connection_file: Path, kernel: str) -> None:
        self.kernel = kernel
        self.folder = connection_file.parent / FOLDER / kernel
        self.log = self.folder / LOG
        self.control = self.folder / CONTROL
        self.life = self.folder / LIFE
        self.warden = self.folder / WARDEN
        self._lock = FileLock(self.folder / _LOCK)

    def make(self) -> None:
        """The folder is there, for its owner only. Raises Storage."""
        Files().make_folder(self.folder.parent)
        Files().make_folder(self.folder)

    def read(self) -> Hosted | None:
        """What is written down; None where there is nothing. Raises Integrity, Newer, Storage."""
        return _read(self.folder / _RECORD)

    def write(self, hosted: Hosted) -> None:
        """`hosted` is written down. Raises Storage."""
        Files().replace_file(self.folder / _RECORD, to_json(hosted_json(hosted)), 0o600)

    def change(self, **changes: Any) -> None:
        """Some of it is written anew, where anything is written. Raises what `read` does."""
        hosted = self.read()
        if hosted is not None:
            self.write(replace(hosted, **changes))

    def take(self) -> bool:
        """True when this process has the kernel from now on. Raises Unavailable, Storage."""
        return self._lock.try_acquire(exclusive=True)

    def leave(self) -> None:
        """Another process may have it."""
        self._lock.release()

    @property
    def is_taken(self) -> bool:
        """Whether a living process, this one or another, has the kernel."""
        return is_locked(self.folder / _LOCK)

    def sweep(self) -> None:
        """Nothing is left of images that somebody was making who was killed."""
        self._with_folder(sweep)

    def remove(self, scratch: Path) -> None:
        """Nothing is left of one image's files."""
        self._with_folder(lambda folder: remove(folder, scratch.name))

    def clear(self) -> None:
        """Nothing is left of it."""
        self.sweep()
        drop_noted(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.release()

    def _with_folder(self, act: Callable[[int], None]) -> None:
        with suppress(OSError):
            folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                act(folder)
            finally:
                os.close(folder)


def places(runtime: Path) -> Iterator[Place]:
    """The folders of all kernels whose connection files lie in `runtime`."""
    folder = runtime / FOLDER
    if folder.is_dir():
        for each in sorted(folder.iterdir()):
            if each.is_dir():
                yield Place(runtime / "kernel.json", each.name)


def drop_dead(runtime: Path) -> None:
    """The folders of kernels that have ended, and that nobody has, are gone."""
    for place in places(runtime):
        try:
            hosted = place.read()
            if (hosted is None or not hosted.is_alive) and place.take():
                place.clear()
        except RewindError:
            continue


def hosted_json(hosted: Hosted) -> dict[str, Json]:
    """What is written down of it."""
    return {"format": FORMAT, **asdict(hosted)}


def hosted_from(told: Mapping[str, Any]) -> Hosted:
    """The kernel that was written down so. Raises KeyError, TypeError."""
    session = told["session"]
    return Hosted(
        **{
            **{key: value for key, value in told.items() if key != "format"},
            "process": ProcessMark(**told["process"]),
            "session": HostedSession(**session) if session else None,
        }
    )


def _read(path: Path) -> Hosted | None:
    try:
        found = json.loads(path.read_bytes())
        if found["format"] != FORMAT:
            raise Newer(
                f"{path} was written by another version of Jupyter Rewind.",
                hint="The kernel it tells of is not touched.",
            )
        return hosted_from(found)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Storage(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Integrity(
            f"{path} does not read: {error}.", hint="The kernel it tells of is not touched."
        ) from error
