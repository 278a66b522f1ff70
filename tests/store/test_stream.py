"""Reading segments: what is written of them, and what is room."""

from __future__ import annotations

import pytest

from jupyter_rewind.store.stream import PAGE, written_length


@pytest.mark.parametrize("room", [0, 1, PAGE - 1, PAGE, PAGE + 1, 5 * PAGE, 1 << 20])
@pytest.mark.parametrize("written", [0, 1, PAGE - 1, PAGE, PAGE + 1, 5 * PAGE + 7])
def test_room_held_ready_is_not_taken_for_what_is_written(written: int, room: int) -> None:
    """Zeros at the end are room, those before the last other byte are not."""
    text = b"\0" * (written - 1) + b"x" if written else b""
    assert written_length(text + bytes(room)) == written
