"""A server that `jupyter rewind serve` started ends with it, however that ends.

They share a pipe that nobody writes to: the system closes it with the command, killed or not.
"""

from __future__ import annotations

import logging
import os
import signal
import stat
import threading
import time

from jupyter_rewind import clock
from jupyter_rewind.settings.serving import STARTER_VARIABLE


def end_with_starter(log: logging.Logger, seconds: float) -> None:
    """Once the command is gone, this server is asked to end, and is ended when it has not within so
    many `seconds`. What it starts in turn knows nothing of it."""
    told = os.environ.pop(STARTER_VARIABLE, "")
    if told.isdecimal() and _is_pipe(int(told)):
        threading.Thread(
            target=_wait, args=(int(told), log, seconds), name="rewind-starter", daemon=True
        ).start()


def _is_pipe(descriptor: int) -> bool:
    try:
        return stat.S_ISFIFO(os.fstat(descriptor).st_mode)
    except OSError:
        return False


def _wait(descriptor: int, log: logging.Logger, seconds: float) -> None:
    os.set_inheritable(descriptor, False)
    os.read(descriptor, 1)
    log.warning("`jupyter rewind serve` is gone: this server ends.")
    os.kill(clock.pid(), signal.SIGTERM)
    time.sleep(seconds)
    os.kill(clock.pid(), signal.SIGKILL)
