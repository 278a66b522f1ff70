"""Freezing the kernel of one room, and bringing an image's process back into it.

Whatever fails here, and whoever is killed meanwhile: a kernel that lived goes on, or what it was is
in a folder or in the store. The keeper ends what somebody began who was killed.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_rewind import clock
from jupyter_rewind.errors import Conflict, RestoreRefused, Unavailable
from jupyter_rewind.kernels.hosting.keeper import ENDED, MEMORY, SCRATCH, TURN
from jupyter_rewind.kernels.hosting.rooms import ask_keeper
from jupyter_rewind.kernels.images import criu as programs
from jupyter_rewind.kernels.images import inmemory, linked
from jupyter_rewind.kernels.images.openfiles import (
    LIST,
    check_files,
    describe_written,
    read_files,
    with_sizes,
)
from jupyter_rewind.kernels.images.pulse import beats
from jupyter_rewind.store.durable import Files, read_text_or_empty
from jupyter_rewind.store.locks import FileLock

if TYPE_CHECKING:
    from jupyter_rewind.kernels.hosting.record import Hosted, Place
    from jupyter_rewind.model.entry import Json

log = logging.getLogger(__name__)
_SECONDS = 600.0
_PULSE_SECONDS = 60.0
_HEART_SECONDS, _MOMENT_SECONDS = 1.0, 2.0
_WAIT_SECONDS = 120.0
_UNKNOWN_BYTES = 1 << 60
_TRIES, _PAUSE_SECONDS = 5, 0.2
_IS_LINKED = re.compile("Can't link remap to .*: File exists")
_IS_TAKEN = re.compile(r"Unable to create a thread: -17|Can't fork for \d+: File exists")
_IS_XEUS = re.compile("(lib)?xeus|xpython_extension")


@contextmanager
def turn(place: Place) -> Iterator[None]:
    """One at a time for each kernel. Raises Unavailable."""
    lock = FileLock(place.folder / TURN)
    lock.acquire(exclusive=True, timeout_seconds=_WAIT_SECONDS, doing="make a process image")
    try:
        place.sweep()
        yield
    finally:
        lock.release()


@contextmanager
def scratch(place: Place, secret_bytes: int = 0) -> Iterator[Path]:
    """A folder for an image's files, which only its owner reads; gone in the end. Where so much of
    it is to be on no disk, it lies in memory, if there is room for it."""
    folder = place.folder / f"{SCRATCH}{clock.new_id()}"
    try:
        yield _make_scratch(folder, secret_bytes)
    finally:
        place.remove(folder)


def _make_scratch(folder: Path, secret_bytes: int) -> Path:
    if not secret_bytes:
        Files().make_folder(folder)
        return folder
    if not inmemory.has_room(secret_bytes):
        log.warning(
            "While it is made or restored, a process image is on a disk and not encrypted: there is"
            " too little room in memory, or in %s, for twice as much as the kernel has.",
            MEMORY,
        )
        Files().make_folder(folder)
        return folder
    return inmemory.make_folder(folder)


def memory_of(place: Place) -> int:
    """How many bytes of memory the kernel has, and what it started; very many where its keeper is
    from before an update, and cannot tell. Raises Unavailable."""
    return int(str(ask_keeper(place.folder, "memory", {}).get("bytes", _UNKNOWN_BYTES)))


def is_awake(place: Place) -> bool:
    """Whether there is a process in the room. Raises Unavailable."""
    return bool(ask_keeper(place.folder, "status", {}).get("kernel"))


def worked_seconds(place: Place) -> float | None:
    """For how long the kernel, and what it started, had a processor; None while it sleeps. Raises
    Unavailable."""
    told = ask_keeper(place.folder, "status", {})
    # A keeper from before an update does not tell.
    return float(str(told.get("seconds", 0))) if told.get("kernel") else None


def reserve(place: Place, ports: Sequence[tuple[int, int]]) -> None:
    """Nobody else gets these ports (protocol, number) while the kernel sleeps. Best effort: a
    keeper from before an update knows nothing of it."""
    with suppress(Unavailable):
        ask_keeper(place.folder, "reserve", {"ports": [[*each] for each in ports]})


def require_awake(place: Place) -> None:
    """Raises Conflict where the kernel sleeps."""
    if not is_awake(place):
        raise Conflict(
            "The kernel sleeps in an image already.",
            hint="`jupyter rewind image restore` wakes it.",
        )


@contextmanager
def going_on_after_failure(place: Place) -> Iterator[None]:
    """Where the block fails, the kernel goes on."""
    try:
        yield
    except BaseException:
        go_on(place)
        raise


def go_on(place: Place) -> None:
    """The kernel that stands still goes on."""
    ask_keeper(place.folder, "go_on", {})


def end(place: Place) -> None:
    """The kernel is gone, and its keeper waits for its image."""
    ask_keeper(place.folder, "end", {}, seconds=_PULSE_SECONDS)


def require_survivor(place: Place) -> None:
    """Raises Conflict where the kernel would end as soon as CRIU makes it stand still: what it
    waits for is interrupted then, as by any signal, and xeus takes that for the end."""
    names = ask_keeper(place.folder, "files", {}).get("mapped")
    if isinstance(names, list) and any(_IS_XEUS.match(str(each)) for each in names):
        raise Conflict(
            "No image of the kernel was made: it is built on xeus, and such a kernel ends when it"
            " is made to stand still for an image.",
            code="not_imageable",
            hint="The kernel goes on untouched, and nothing was stored. Kernels that are built on"
            " ipykernel can be imaged.",
        )


def dump(criu: programs.Criu, place: Place, folder: Path) -> dict[str, Json]:
    """The kernel's image is in `folder`, and the kernel stands still. When the files were changed
    last that it writes into. Raises Unavailable, Full, Conflict; the kernel goes on then."""
    require_survivor(place)
    words: dict[str, Json] = {
        "command": [*programs.dump_command(criu, folder)], "seconds": _SECONDS,
    }  # fmt: skip
    with linked.alone(place), going_on_after_failure(place):
        answer = _dump(place, folder, words)
        if "error" in answer:
            raise programs.dump_failure(answer, folder)
        linked.take_in(folder, criu.ghost_limit_mb << 20)
        return describe_written(folder)


def _dump(place: Place, folder: Path, words: dict[str, Json]) -> dict[str, Json]:
    """What the keeper answers in the end: names that an image of another kernel takes for a moment
    are free again when that is made."""
    for _ in range(_TRIES):
        answer = ask_keeper(place.folder, "dump", words, seconds=_SECONDS)
        if "error" not in answer or not _IS_LINKED.search(read_text_or_empty(folder / "dump.log")):
            break
        time.sleep(_PAUSE_SECONDS)
    return answer


def fit(folder: Path, written: Mapping[str, Json] | None = None) -> tuple[str, ...]:
    """The image expects databases and logs as large as they are now; what else of its files is not
    as it was, with what `dump` said of those that are `written`."""
    path = folder / LIST
    listed = path.read_bytes()
    found = check_files(read_files(listed), linked.taken_in(folder), written)
    if found.sizes:
        Files().replace_file(path, with_sizes(listed, found.sizes))
    return found.problems


def has_pulse(hosted: Hosted) -> bool:
    """Whether the kernel's heart beats now. Those of some languages have no thread of their own for
    it, and none beats while a cell runs."""
    return beats(Path(hosted.connection), _HEART_SECONDS)


def bring_back(
    criu: programs.Criu,
    place: Place,
    hosted: Hosted,
    folder: Path,
    *,
    had_pulse: bool = True,
) -> None:
    """The process in `folder` is the kernel, and its heart beats, or, where it `had_pulse` not when
    its image was made, it goes on for a moment at least.
    Raises RestoreRefused, Unavailable; there is no kernel in the room then."""
    pidfile = folder / "pid"
    pidfile.unlink(missing_ok=True)
    words: dict[str, Json] = {
        "command": [*programs.restore_command(criu, folder, pidfile)],
        "pidfile": str(pidfile),
        "seconds": _SECONDS,
    }
    try:
        answer = _restore(place, folder, words)
    except KeyboardInterrupt:
        # CRIU reads the folder until the keeper answers again.
        ask_keeper(place.folder, "status", {}, seconds=_SECONDS)
        raise
    finally:
        linked.take_away(folder)
    if "error" in answer:
        raise programs.restore_failure(answer, folder, "The kernel sleeps in its image.")
    if had_pulse:
        alive = beats(Path(hosted.connection), _PULSE_SECONDS, lambda: is_awake(place))
    else:
        alive = _goes_on(place)
    if not alive or ask_keeper(place.folder, "trust", {}).get("error") == ENDED:
        raise RestoreRefused(
            "The process image came back, and ended or gave no sign of life.",
            hint="The kernel sleeps in its image.",
        )


def _goes_on(place: Place) -> bool:
    end = clock.monotonic() + _MOMENT_SECONDS
    while is_awake(place):
        if clock.monotonic() > end:
            return True
        time.sleep(_PAUSE_SECONDS)
    return False


def _restore(place: Place, folder: Path, words: dict[str, Json]) -> dict[str, Json]:
    """What the keeper answers in the end: some failures pass by themselves."""
    for _ in range(_TRIES):
        linked.put_out(folder)
        answer = ask_keeper(place.folder, "restore", words, seconds=_SECONDS)
        said = read_text_or_empty(folder / "restore.log") if "error" in answer else ""
        if "has bad size" in said:
            fit(folder)  # a database that others write, too, has grown just now
        elif _IS_TAKEN.search(said):
            # Linux gives a thread's number back some time after its process is gone.
            time.sleep(_PAUSE_SECONDS)
        else:
            break
    return answer
