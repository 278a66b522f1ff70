"""Room that a store holds ready for the day when the disk is full.

Expiring and collecting write a little before they free anything: on a disk without a free byte
they could not even begin. It is no place for checkpoints: nothing else spends it. It is held in
pieces, for whatever else grows on that disk takes its share of what is given back.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from jupyter_rewind.errors import Full, RewindError
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.layout import Layout

PIECES = 8
PIECE_BYTES = 64 << 10
T = TypeVar("T")


def hold_spare(layout: Layout, files: Files) -> None:
    """The room is held, as far as there is any. Never fails."""
    with suppress(RewindError, OSError):
        for path in _pieces(layout):
            if not path.exists():
                files.add_folder(layout.spare, 0o700)
                _make(files, path)
            elif path.stat().st_size < PIECE_BYTES:
                files.remove(path)  # whoever made it was killed
                _make(files, path)


def in_spare_room(layout: Layout, files: Files, act: Callable[[], T]) -> T:
    """What `act`, which frees room, gives; on a full disk it is done in the room held ready.

    `act` may be begun several times. Raises what it raises.
    """
    for path in _pieces(layout):
        if not path.exists():
            continue
        try:
            result = act()
        except Full:
            files.remove(path)
        else:
            hold_spare(layout, files)
            return result
    result = act()
    hold_spare(layout, files)
    return result


def _pieces(layout: Layout) -> list[Path]:
    return [layout.spare / str(number) for number in range(PIECES)]


def _make(files: Files, path: Path) -> None:
    descriptor = files.create(path)
    try:
        files.reserve(descriptor, 0, PIECE_BYTES, path)
    except BaseException:
        with suppress(RewindError):
            files.remove(path)
        raise
    finally:
        files.close(descriptor)
