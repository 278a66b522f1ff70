"""What running kernels answer, each asked once in a search, and all of them side by side.

A kernel that is busy costs the time for which it is waited. So all that were found are asked for a
sign of life at one time, with one limit for all; those that gave it are asked further, one by one.
What a kernel told, or why it did not, is kept for the notebooks that are brought back after this.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty
from typing import TYPE_CHECKING

from jupyter_rewind import clock
from jupyter_rewind.errors import RewindError, Unavailable
from jupyter_rewind.recovery import kernelquestions
from jupyter_rewind.recovery.evidence import Scope
from jupyter_rewind.recovery.kernelquestions import LARGEST, Told, ask, busy
from jupyter_rewind.recovery.regular import read_file

if TYPE_CHECKING:
    from jupyter_client.blocking.client import BlockingKernelClient

_ROUND_SECONDS = 0.05
_MOST_AT_ONCE = 100
"""Each takes a few descriptors, of which a process may have 256."""
_GREETING = b"\xff"


def answer_of(connection: str, scope: Scope) -> Told:
    """What the kernel of that connection file tells. Raises Unavailable (busy, or gone), Format."""
    answers = scope.kernels
    if connection not in answers.told:
        waiting = sorted({connection, *answers.found} - answers.told.keys())
        answers.found.clear()
        while waiting:
            some, waiting = waiting[:_MOST_AT_ONCE], waiting[_MOST_AT_ONCE:]
            for each, is_kernel in _silent_of(some):
                answers.told[each] = busy() if is_kernel else _no_kernel()
    if connection not in answers.told:
        try:
            answers.told[connection] = ask(Path(connection), inside=scope.ask_kernels)
        except RewindError as error:
            answers.told[connection] = error
    told = answers.told[connection]
    if isinstance(told, RewindError):
        raise told
    assert isinstance(told, Told)
    return told


def _no_kernel() -> Unavailable:
    return Unavailable(
        "What listens there did not answer as a kernel does: the kernel is stopped, or has ended"
        " and its port is another program's now.",
        hint="What it ran is in IPython's history as well.",
        retryable=True,
    )


def _silent_of(connections: Iterable[str]) -> list[tuple[str, bool]]:
    """Those that gave no sign of life in time, and whether they speak as kernels do at all."""
    with _clients(connections) as waiting, _greeted(waiting) as lines:
        deadline = clock.monotonic() + kernelquestions.IDLE_SECONDS
        while waiting and clock.monotonic() < deadline:
            for each, client in list(waiting.items()):
                if _has_answered(client, _ROUND_SECONDS / len(waiting)):
                    del waiting[each]
        return [(each, each not in lines or _greets(lines[each])) for each in waiting]


@contextmanager
def _clients(connections: Iterable[str]) -> Iterator[dict[str, BlockingKernelClient]]:
    """A client for each connection file that reads, which has asked its kernel what it is."""
    from jupyter_client.blocking.client import BlockingKernelClient
    from zmq import Context

    context = Context()
    made: dict[str, BlockingKernelClient] = {}
    started = []
    try:
        for each in connections:
            client = BlockingKernelClient(context=context)
            started.append(client)
            try:
                client.load_connection_file(each)
                client.start_channels(shell=True, iopub=False, stdin=False, hb=False, control=False)
                client.kernel_info()
            except Exception:
                # Whatever is wrong with the file is told where its kernel is asked alone.
                continue
            made[each] = client
        yield made
    finally:
        for client in started:
            client.stop_channels()
        context.destroy(linger=100)


def _has_answered(client: BlockingKernelClient, seconds: float) -> bool:
    try:
        client.get_shell_msg(timeout=max(seconds, 0.001))
    except Empty:
        return False
    except ValueError:
        pass  # no answer of a kernel: asked for itself, it is told so
    return True


@contextmanager
def _greeted(connections: Iterable[str]) -> Iterator[dict[str, socket.socket]]:
    """A line to each, on which a kernel that is busy greets, too: a thread of its own does so."""
    lines: dict[str, socket.socket] = {}
    try:
        for each in connections:
            try:
                told = json.loads(read_file(each, LARGEST))
                if told.get("transport") == "ipc":
                    continue
                line = socket.socket(socket.AF_INET6 if ":" in told["ip"] else socket.AF_INET)
                lines[each] = line
                line.setblocking(False)
                line.connect_ex((str(told["ip"]), int(told["hb_port"])))
            except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
                continue
        yield lines
    finally:
        for line in lines.values():
            line.close()


def _greets(line: socket.socket) -> bool:
    try:
        return line.recv(1) == _GREETING
    except OSError:
        return False
