"""A new room for a kernel whose process is gone: its folder, its connection file, its keeper."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from jupyter_rewind import clock
from jupyter_rewind.errors import Conflict, Integrity, RestoreRefused, Unavailable
from jupyter_rewind.kernels.hosting.process import ProcessMark
from jupyter_rewind.kernels.hosting.record import (
    Hosted,
    HostedSession,
    Place,
    hosted_from,
    hosted_json,
)
from jupyter_rewind.kernels.hosting.rooms import find_keeper, room_command
from jupyter_rewind.kernels.images.pulse import beats
from jupyter_rewind.model.encoding import parse_json, to_json
from jupyter_rewind.model.entry import Entry, Json
from jupyter_rewind.store.durable import Files, translate

_WAIT_SECONDS, _PAUSE_SECONDS, _PULSE_SECONDS = 60.0, 0.02, 1.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Of a kernel in an image: how it was hosted, and its connection file's content."""

    hosted: Hosted
    connection: dict[str, Json]


def room_body(hosted: Hosted) -> dict[str, Json]:
    """What an image's entry says of the kernel's surroundings. Raises Unavailable."""
    return {"host": hosted_json(hosted), "connection": connection_of(hosted)}


def connection_of(hosted: Hosted) -> dict[str, Json]:
    """What the kernel's connection file holds. Raises Unavailable."""
    try:
        return dict(parse_json(Path(hosted.connection).read_bytes()))
    except (OSError, ValueError, TypeError) as error:
        raise Unavailable(
            f"The connection file {hosted.connection} of the kernel does not read: {error}."
        ) from error


def began(hosted: Hosted, before: Entry | None) -> int:
    """When the kernel began, as far as it and its image `before` know."""
    told = before.body.get("since") if before is not None else None
    return min(hosted.process.started_ns, told if isinstance(told, int) else clock.now_ns())


def surroundings(entry: Entry) -> Surroundings:
    """What the entry says of them. Raises Integrity."""
    try:
        told, connection = entry.body["host"], entry.body["connection"]
        if not isinstance(told, dict) or not isinstance(connection, dict):
            raise TypeError(told)
        return Surroundings(hosted_from(told), connection)
    except (KeyError, TypeError) as error:
        raise Integrity(f"The entry of the process image {entry.id} does not read.") from error


def second_of(first: Hosted, runtime: Path) -> Hosted:
    """Another kernel beside `first`, with an id, a connection file and a session of its own."""
    kernel, name = (str(uuid.UUID(hex=clock.new_id() + clock.new_id())) for _ in range(2))
    session = first.session
    if session is not None:
        suffix = f" beside {kernel[:4]}"
        session = HostedSession(
            id=name, path=session.path + suffix, name=session.name + suffix, type="console"
        )
    connection = str(runtime / f"kernel-{kernel}.json")
    return replace(first, kernel=kernel, session=session, connection=connection)


def session_at(hosted: Hosted, notebook: str) -> HostedSession | None:
    """The session of the kernel, whose notebook lies there by now (a real path); none where its
    server does not serve that."""
    session = hosted.session
    root = os.path.realpath(hosted.root)
    if session is None or not notebook or os.path.realpath(Path(root, session.path)) == notebook:
        return session
    path = os.path.relpath(notebook, root)
    if path.startswith(os.pardir):
        return None
    return replace(session, path=path, name=os.path.basename(path))


def moved_log(found: Surroundings, place: Place) -> dict[str, str]:
    """The log of an image that was made at another place, on another machine as it may be."""
    before = Place(Path(found.hosted.connection), found.hosted.kernel)
    return {str(before.log): str(place.log)} if before.log != place.log else {}


@contextmanager
def new_room(wanted: Surroundings) -> Iterator[Hosted]:
    """The kernel in a room where nobody is yet. When the block ends well, the kernel is written
    down; else nothing is left of the room. Raises Conflict where that kernel runs."""
    hosted = wanted.hosted
    place = Place(Path(hosted.connection), hosted.kernel)
    _require_gone(hosted, place)
    place.make()
    if not place.take():
        raise _in_use(hosted)
    keeper: ProcessMark | None = None
    file = Path(hosted.connection)
    try:
        Files().replace_file(file, to_json(wanted.connection), 0o600)
        keeper = _start(place)
        yield hosted
        place.write(
            replace(hosted, process=keeper, boot=clock.boot_id(), has_room=True, log_offset=None)
        )
    except BaseException:
        if keeper is not None and keeper.is_alive:
            os.kill(keeper.pid, signal.SIGKILL)
        file.unlink(missing_ok=True)
        place.clear()
        raise
    place.leave()


def _start(place: Place) -> ProcessMark:
    place.control.unlink(missing_ok=True)
    try:
        log = os.open(place.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise translate(error, "write to", place.log) from error
    try:
        process = subprocess.Popen(
            room_command([], place.folder), cwd="/", stdin=subprocess.DEVNULL, stdout=log,
            stderr=log, start_new_session=True,
        )  # fmt: skip
    finally:
        os.close(log)
    deadline = clock.monotonic() + _WAIT_SECONDS
    while process.poll() is None and clock.monotonic() < deadline:
        keeper = find_keeper(process.pid, place.folder)
        if keeper is not None:
            return keeper
        time.sleep(_PAUSE_SECONDS)
    process.kill()
    raise RestoreRefused("No room was made for the kernel.", hint="Nothing was changed.")


def _require_gone(hosted: Hosted, place: Place) -> None:
    known = place.read()
    if known is not None and known.is_alive:
        raise _in_use(hosted)
    if Path(hosted.connection).exists() and beats(Path(hosted.connection), _PULSE_SECONDS):
        raise _in_use(hosted)


def _in_use(hosted: Hosted) -> Conflict:
    return Conflict(
        f"Kernel {hosted.kernel} is running, and no image can come back into it.",
        hint="Shut it down first. Nothing was changed.",
    )
