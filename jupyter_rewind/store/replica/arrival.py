"""Segments that come from elsewhere: made whole aside, then shown all at once.

A commit may name what stands in another segment, so no file of a pull is shown before all are
there, checked and on the disk. Then a list of them is made durable and they get their names,
while nobody commits or collects. Killed in between, whoever opens the store next goes on with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from jupyter_rewind.errors import Denied, Unavailable
from jupyter_rewind.model.encoding import parse_json, to_json
from jupyter_rewind.model.entry import Json
from jupyter_rewind.store.durable import Files, translate
from jupyter_rewind.store.layout import Layout
from jupyter_rewind.store.locks import Barrier, is_locked
from jupyter_rewind.store.partial import Partial
from jupyter_rewind.store.replica.hollow import Hollow
from jupyter_rewind.store.shut import say_opening

_READY = ".arriving"


def waiting_path(layout: Layout, segment: str) -> Path:
    """Where the segment waits, beside its place: no reader looks at a name with a dot, and only
    a change of name within one folder is all or nothing on every disk."""
    return layout.segments / f".arriving-{segment}"


def show_arrived(layout: Layout, files: Files, names: Iterable[str]) -> None:
    """The waiting segments `names`, which are whole and on the disk, are part of the store."""
    files.sync_folder(layout.segments)
    listed: list[Json] = [*sorted(names)]
    files.replace_file(layout.segments / _READY, to_json(listed))
    finish_arrival(layout, files)


def is_arriving(layout: Layout) -> bool:
    """True where a pull was killed while it showed what it had brought. Raises Denied."""
    try:
        return (layout.segments / _READY).exists()
    except PermissionError as error:  # before Python 3.14
        raise Denied(
            f"The folder {layout.segments} of the store may not be looked into.",
            hint=f"Nothing was changed. {say_opening(layout.segments)}",
        ) from error


def finish_arrival(layout: Layout, files: Files) -> None:
    """What was about to be shown is; nothing, where nothing was. Raises Storage, Unavailable."""
    if not is_arriving(layout):
        return
    ready = layout.segments / _READY
    barrier = Barrier(layout.barrier)
    try:
        with barrier.held(exclusive=True):
            _show(layout, files, ready)
    except Unavailable as error:
        # Where there are no locks nothing is ever collected, which is what this would keep off.
        if error.code != "no_locks":
            raise
        _show(layout, files, ready)
    finally:
        barrier.close()


def _show(layout: Layout, files: Files, ready: Path) -> None:
    try:
        names = [str(name) for name in parse_json(ready.read_bytes())]
    except FileNotFoundError:
        return  # another process has done this work
    except OSError as error:
        raise translate(error, "read", ready) from error
    partial = Partial(layout).places()
    for name in names:
        waiting, target = waiting_path(layout, name), layout.segments / name
        if not waiting.exists():
            continue
        if is_busy(layout, name):
            # Its writer is alive here, and has at least as much.
            files.remove(waiting)
        else:
            if name in partial and target.exists():
                _carry_over(layout, files, name, waiting)
            files.rename(waiting, target)
    files.sync_folder(layout.segments)
    files.remove(ready)
    files.sync_folder(layout.segments)


def _carry_over(layout: Layout, files: Files, name: str, waiting: Path) -> None:
    """Payloads that were fetched since the waiting file was begun, and that commits may be built
    on, stand in it, too, durably."""
    with Hollow(layout, files, name) as here, Hollow(layout, files, name, waiting) as fresh:
        for record in fresh.lacking():
            payload = here.payload(record)
            if payload is not None:
                fresh.write(record, payload)
        if fresh.is_changed:
            fresh.flush()


def forget_waiting(layout: Layout, files: Files) -> None:
    """What waits and is not wanted, or was left by a pull that was killed, is gone."""
    for path in sorted(layout.segments.glob(f"{_READY}-*")):
        files.remove(path)


def is_busy(layout: Layout, segment: str) -> bool:
    """True while a process of this machine writes the segment: then nobody has more of it."""
    try:
        return is_locked(layout.lock_of(segment))
    except Unavailable as error:
        if error.code != "no_locks":
            raise
        return False
