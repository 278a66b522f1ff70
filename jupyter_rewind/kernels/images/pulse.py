"""Whether a kernel lives, by its own heart: the channel that answers also while a cell runs; and a
new page in IPython's history for one that came back.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jupyter_rewind import clock

_PAUSE_MS = 500
_ANSWER_SECONDS = 10.0
_NEW_SESSION = "get_ipython().history_manager.new_session()"
_QUESTION = b"rewind"


def beats(connection_file: Path, seconds: float) -> bool:
    """True as soon as the kernel behind the connection file answers; False when the time is up."""
    import zmq

    told = json.loads(connection_file.read_text())
    address = f"{told.get('transport', 'tcp')}://{told['ip']}:{told['hb_port']}"
    deadline = clock.monotonic() + seconds
    with zmq.Context() as context:
        while clock.monotonic() < deadline:
            with context.socket(zmq.REQ) as heart:
                heart.linger = 0
                heart.connect(address)
                heart.send(_QUESTION)
                if heart.poll(_PAUSE_MS) and heart.recv() == _QUESTION:
                    return True
    return False


def begin_history_session(connection_file: Path) -> None:
    """Where the kernel is IPython, the cells it runs from now on stand in a new session of its
    history: it would call them as those that were run after the image was made. Best effort: else
    IPython does so itself, with a word about it in the next cell's output."""
    from queue import Empty

    from jupyter_client.blocking.client import BlockingKernelClient

    client = BlockingKernelClient()
    client.load_connection_file(str(connection_file))
    client.start_channels(iopub=False, stdin=False, hb=False, control=True)
    try:
        request: Any = client.session.msg("kernel_info_request")
        client.control_channel.send(request)
        told = client.get_control_msg(timeout=_ANSWER_SECONDS)
        if told["content"].get("implementation") == "ipython":
            client.execute(_NEW_SESSION, silent=True, store_history=False)
            # A cell that runs comes first; the request is with the kernel by then.
            client.get_shell_msg(timeout=1)
    except Empty:
        return
    finally:
        client.stop_channels()
