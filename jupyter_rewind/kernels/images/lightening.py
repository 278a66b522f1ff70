"""Asking a kernel to hold little memory, for the moment in which its image is made.

Where Rewind keeps states in it, that is their memory on its way into the store; in each, what is
free and was not given back to the system. Both would be new content in every image.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_rewind.kernels.hosting.record import LIFE
from jupyter_rewind.kernels.hosting.rooms import ask_keeper
from jupyter_rewind.kernels.life import LIGHTEN, LIGHTEN_SECONDS

if TYPE_CHECKING:
    from jupyter_client.blocking.client import BlockingKernelClient

    from jupyter_rewind.kernels.hosting.record import Place

_SIGN_SECONDS = 1.0
"""The kernel's thread for its control channel answers at once, also while a cell runs, unless that
lets no other thread run."""
_DONE_SECONDS = LIGHTEN_SECONDS + 3.0


def lighten(place: Place, connection_file: Path) -> None:
    """The kernel holds as little memory as it can, where Rewind is in it. Best effort: its image is
    larger else. Raises Unavailable where its keeper does not answer."""
    names = ask_keeper(place.folder, "files", {}).get("open")
    if isinstance(names, list) and LIFE in names:
        _lighten(connection_file)


def _lighten(connection_file: Path) -> None:
    from queue import Empty

    from jupyter_client.blocking.client import BlockingKernelClient

    client = BlockingKernelClient()
    try:
        client.load_connection_file(str(connection_file))
    except (OSError, json.JSONDecodeError):
        return
    client.start_channels(shell=False, iopub=False, stdin=False, hb=False, control=True)
    try:
        _ask(client, "kernel_info", _SIGN_SECONDS)
        _ask(client, LIGHTEN, _DONE_SECONDS)
    except Empty:
        return
    finally:
        client.stop_channels()


def _ask(client: BlockingKernelClient, what: str, seconds: float) -> None:
    """Raises Empty."""
    client.control_channel.send(client.session.msg(f"{what}_request"))
    client.get_control_msg(timeout=seconds)
