"""Whether a kernel lives, by its own heart: the channel that answers also while a cell runs; and a
new page in IPython's history for one that came back.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from queue import Empty
from typing import TYPE_CHECKING, Any

from jupyter_rewind import clock
from jupyter_rewind.errors import Unavailable

if TYPE_CHECKING:
    from jupyter_client.blocking.client import BlockingKernelClient

_PAUSE_MS = 500
_ANSWER_SECONDS, _CONTROL_SECONDS, _LOOK_SECONDS = 10.0, 1.0, 0.02
_NEW_SESSION = """
import sqlite3
manager = shell.history_manager
try:
    manager.new_session()
except sqlite3.OperationalError:  # SQLite writes to no file that has taken the old one's place
    thread = manager.save_thread
    if thread is not None:
        thread.stop()
    manager.init_db()
    manager.new_session()
    if thread is not None:
        manager.save_thread = type(thread)(manager)
        manager.save_thread.start()
"""
_REWIND = """
import sys
rewind = sys.modules.get('jupyter_rewind.faces.ipython.extension')
if rewind is not None:
    rewind.come_back(shell, {connection!r})
"""
_MOVED_PIPE = (
    "[setattr(each, '_pipe_port', {ports}[each._pipe_port])"
    " for each in [getattr(__import__('sys').stdout, 'pub_thread', None)]"
    " if getattr(each, '_pipe_port', None) in {ports}]"
)
"""What forks of the kernel print goes through a port of its own, which a second kernel has not."""
_QUESTION = b"rewind"


def beats(
    connection_file: Path, seconds: float, is_there: Callable[[], bool] = lambda: True
) -> bool:
    """True as soon as the kernel behind the connection file answers; False when the time is up, or
    when it is not there any more. Raises Unavailable where the file does not read."""
    import zmq

    try:
        told = json.loads(connection_file.read_text())
    except (OSError, ValueError) as error:
        raise Unavailable(
            f"The connection file {connection_file} of the kernel does not read: {error}.",
            hint="The kernel may have been shut down meanwhile.",
        ) from error
    transport = told.get("transport", "tcp")
    address = f"{transport}://{told['ip']}{'-' if transport == 'ipc' else ':'}{told['hb_port']}"
    deadline = clock.monotonic() + seconds
    with zmq.Context() as context:
        while clock.monotonic() < deadline:
            with context.socket(zmq.REQ) as heart:
                heart.linger = 0
                heart.connect(address)
                heart.send(_QUESTION)
                if heart.poll(_PAUSE_MS) and heart.recv() == _QUESTION:
                    return True
            if not is_there():
                return False
    return False


def begin_history_session(
    connection_file: Path, moved_ports: Mapping[int, int] | None = None
) -> None:
    """Where the kernel is IPython, the cells it runs from now on stand in a new session of its
    history: it would call them as those that were run after the image was made. Rewind in it begins
    anew, too. Best effort: else IPython does so itself, with a word about it in the next cell's
    output, and Rewind keeps nothing."""
    from jupyter_client.blocking.client import BlockingKernelClient

    client = BlockingKernelClient()
    client.load_connection_file(str(connection_file))
    client.start_channels(iopub=False, stdin=False, hb=False, control=True)
    try:
        told = _first_answer(client)
        if told["content"].get("implementation") == "ipython":
            if moved_ports:
                source = _MOVED_PIPE.format(ports=dict(moved_ports))
                client.execute(source, silent=True, store_history=False)
            for code in (_NEW_SESSION, _REWIND.format(connection=str(connection_file))):
                # In a namespace of its own: the user's gets no name of it.
                source = f"exec({code!r}, {{'shell': get_ipython()}})"
                client.execute(source, silent=True, store_history=False)
            # A cell that runs comes first; the request is with the kernel by then.
            for _ in (_NEW_SESSION, _REWIND):
                client.get_shell_msg(timeout=1)
    except Empty:
        return
    finally:
        client.stop_channels()


def _first_answer(client: BlockingKernelClient) -> dict[str, Any]:
    """What the kernel tells of itself: on its control channel, which not every kernel answers on,
    or else on the other one, once no cell runs. Raises Empty."""
    channels = [client.control_channel]
    client.control_channel.send(client.session.msg("kernel_info_request"))
    begin = clock.monotonic()
    while (passed := clock.monotonic() - begin) < _ANSWER_SECONDS:
        for channel in channels:
            if channel.msg_ready():
                return dict(channel.get_msg(timeout=_CONTROL_SECONDS))
        if passed > _CONTROL_SECONDS and len(channels) == 1:
            channels.append(client.shell_channel)
            client.shell_channel.send(client.session.msg("kernel_info_request"))
        time.sleep(_LOOK_SECONDS)
    raise Empty
