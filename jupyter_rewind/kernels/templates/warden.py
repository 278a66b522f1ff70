"""The parent of a kernel and of its templates: processes that sleep as the kernel was after a cell.

Run by its path with nothing of ours imported. To Jupyter it is the kernel's process, which stays
the same when the kernel ends and a template goes on in its place. It starts one kernel, and ends
with it, and with it all templates. It is told things through a socket in the kernel's folder that
only its owner can reach: lines of JSON, from the kernel, which asks, and from each template, which
waits there for as long as it sleeps. Nothing here ends a kernel that has not said that it goes.
"""

from __future__ import annotations

import ctypes
import json
import os
import selectors
import signal
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

SOCKET, VARIABLE = "warden", "REWIND_KERNEL_WARDEN"
"""The name of the socket, and what tells the kernel in which folder it is."""
READY_SECONDS, TRIAL_SECONDS = 10.0, 30.0
"""So long a template may take to fall asleep, and one that was woken to answer as a kernel."""
_END_SECONDS, _LOOK_SECONDS = 5.0, 0.5
_SUBREAPER, _DEATH_SIGNAL = 36, 1
_LINE_BYTES = 1 << 16
_ALONE = ("Private_Dirty:", "Private_Clean:", "Private_Hugetlb:")
_SHARES, _WHOLE = ("Pss_Anon:", "SwapPss:"), ("Anonymous:", "Swap:")
"""A page in each process, divided by how many have it; and counted in full."""
_IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_now = time.monotonic  # noqa: TID251 - nothing of ours is imported here


@dataclass(eq=False)
class Peer:
    """A process that is connected. `told` is what a template said of itself; empty for others."""

    connection: socket.socket
    pid: int
    told: dict[str, Any] = field(default_factory=dict)
    rest: bytes = b""

    def say(self, **words: Any) -> None:
        try:
            self.connection.sendall(json.dumps(words).encode() + b"\n")
        except OSError:
            return  # it has ended: whoever waits for its end sees that


class Warden:
    """At most `most` templates are kept, and as many as hold no more than `megabytes` together
    that the kernel does not have."""

    def __init__(self, folder: str, most: int, megabytes: int) -> None:
        self.kernel = 0
        self.templates: list[Peer] = []
        """The newest last."""
        self._most, self._most_bytes = most, megabytes << 20
        self._chosen: Peer | None = None
        """Goes on when the kernel has ended."""
        self._spared: Peer | None = None
        """Stays, however many there are: the kernel is about to choose it."""
        self._back: Peer | None = None
        """Goes on if the chosen one does not answer."""
        self._woken: Peer | None = None
        self._trial: float | None = None
        self._expected: dict[int, float] = {}
        self._ended: deque[int] = deque(maxlen=64)
        self._going: set[int] = set()
        """Templates that were told to end, and still have their memory."""
        self._selector = selectors.DefaultSelector()
        self._socket = _listen(folder)
        self._selector.register(self._socket, selectors.EVENT_READ, self._accept)
        self._wake = _waking(signal.SIGCHLD)
        self._selector.register(self._wake, selectors.EVENT_READ, self._drain)

    def start(self, command: list[str]) -> None:
        """The kernel runs, and ends if this process does."""
        mine = os.getpid()  # noqa: TID251 - nothing of ours is imported here
        self.kernel = os.fork()
        if not self.kernel:
            try:
                for number in _IGNORED:
                    signal.signal(number, signal.SIG_DFL)
                _prctl(_DEATH_SIGNAL, signal.SIGKILL)
                if os.getppid() == mine:
                    os.execvpe(command[0], command, os.environ)
            except OSError as error:
                os.write(2, f"{command[0]} does not start: {error}\n".encode())
            finally:
                os._exit(127)

    def serve(self) -> int:
        """How the kernel ended, when nothing of it is left."""
        while True:
            status = self._reap()
            if status is not None:
                self._end_templates()
                return status
            waits = self._trial is not None or bool(self._expected)
            for key, _ in self._selector.select(_LOOK_SECONDS if waits else None):
                key.data()
            self._look_at_the_time()

    # --- processes ----------------------------------------------------------------------

    def _reap(self) -> int | None:
        """All that ended is gone; how the kernel ended, if nothing takes its place."""
        gone = False
        while True:
            try:
                pid, code = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return None
            if not pid:
                if gone:
                    self._thin_out()
                return None
            gone = gone or pid in self._going
            self._going.discard(pid)
            self._ended.append(pid)
            self._expected.pop(pid, None)
            if pid == self.kernel:
                self.kernel = 0
                if self._trial is not None:
                    _note("a template that went on has ended at once")
                if not self._take_next():
                    return os.waitstatus_to_exitcode(code) & 0xFF

    def _take_next(self) -> bool:
        """Whether a template goes on in the kernel's place."""
        self._trial = None
        while self._chosen is not None:
            peer, self._chosen, self._back = self._chosen, self._back, None
            if peer in self.templates:
                self._woken = peer
                self._trial = _now() + TRIAL_SECONDS
                peer.say(wake=True)
                return True
        return False

    def _look_at_the_time(self) -> None:
        now = _now()
        for pid, deadline in list(self._expected.items()):
            if now > deadline:
                del self._expected[pid]
                _kill(pid)
        if self._trial is not None and now > self._trial:
            _note("a template that was woken does not answer")
            if self.kernel:
                self._trial = None
                _kill(self.kernel)  # the next one has its turn when that has ended
            elif not self._take_next():
                self._end_templates()
                sys.exit(1)

    def _end_templates(self) -> None:
        """None is left; their ports are free."""
        left = {peer.pid for peer in self.templates} | set(self._expected)
        for pid in left:
            _kill(pid)
        deadline = _now() + _END_SECONDS
        while left and _now() < deadline:
            try:
                left.discard(os.waitpid(-1, os.WNOHANG)[0])
            except ChildProcessError:
                return
            time.sleep(0.002)

    def _thin_out(self) -> None:
        """The oldest go, until those that are left are few and hold little enough. What two of
        them share is free only with the second one, so there is another look after each end."""
        spared = (self._chosen, self._back, self._spared)
        free = [peer for peer in self.templates if peer not in spared]
        while free and len(self.templates) > self._most:
            self._let_go(free.pop(0))
        if free and self.kernel and not self._going and self._held_bytes() > self._most_bytes:
            self._let_go(free[0])

    def _let_go(self, peer: Peer) -> None:
        self._drop(peer)
        _kill(peer.pid)
        self._going.add(peer.pid)

    def _held_bytes(self) -> int:
        """The memory of the templates that the kernel does not have, whether one has it or more."""
        pids = [peer.pid for peer in self.templates]
        together = sum(_memory(pid, *_SHARES) for pid in (self.kernel, *pids))
        return max(
            together - _memory(self.kernel, *_WHOLE), sum(_memory(pid, *_ALONE) for pid in pids)
        )

    # --- what is said -------------------------------------------------------------------

    def _accept(self) -> None:
        connection, _ = self._socket.accept()
        size = struct.calcsize("3i")
        pid = struct.unpack(
            "3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        )[0]
        peer = Peer(connection, pid)
        connection.settimeout(2)
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._hear(peer))

    def _drain(self) -> None:
        os.read(self._wake, 4096)

    def _hear(self, peer: Peer) -> None:
        if peer.connection.fileno() < 0:
            return  # its end came together with that which it was dropped for
        try:
            part = peer.connection.recv(_LINE_BYTES)
        except OSError:
            part = b""
        if not part:
            self._drop(peer)
            return
        *lines, peer.rest = (peer.rest + part).split(b"\n")
        for line in lines:
            try:
                told = json.loads(line)
                answer = self._verbs[told.pop("verb")](self, peer, **told)
            except Exception as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            if answer is not None:
                peer.say(**answer)

    def _drop(self, peer: Peer) -> None:
        if peer.connection.fileno() < 0:
            return
        self._selector.unregister(peer.connection)
        peer.connection.close()
        if peer in self.templates:
            self.templates.remove(peer)

    def _named(self, name: str | None) -> Peer | None:
        return next((peer for peer in self.templates if peer.told["name"] == name), None)

    def do_template(self, peer: Peer, **told: Any) -> None:
        """A process sleeps from now on, as the kernel was."""
        self._expected.pop(peer.pid, None)
        peer.told = told
        self.templates.append(peer)
        self._thin_out()

    def do_forked(self, peer: Peer, pid: int) -> None:
        """A template has made the process that is to go on; 0 where it could not."""
        has_ended = pid == 0 or pid in self._ended
        if pid == self.kernel and pid:
            return  # it was quicker to say that it is up
        if self._trial is None or self.kernel or peer is not self._woken:
            if not has_ended:
                _kill(pid)
        elif has_ended:
            self._trial = _now() - 1
        else:
            self.kernel = pid

    def do_up(self, peer: Peer) -> dict[str, Any]:
        """The process that went on serves as the kernel. Its template counts as the newest."""
        if not self.kernel and self._trial is not None and peer.pid not in self._ended:
            self.kernel = peer.pid
        self._require_kernel(peer)
        if self._woken in self.templates:
            self.templates.remove(self._woken)
            self.templates.append(self._woken)
        self._trial = self._chosen = self._back = self._spared = None
        return {}

    def do_expect(self, peer: Peer, pid: int) -> None:
        """The kernel made a process that will be a template."""
        self._require_kernel(peer)
        if pid not in self._ended and all(each.pid != pid for each in self.templates):
            self._expected[pid] = _now() + READY_SECONDS

    def do_list(self, peer: Peer) -> dict[str, Any]:
        """All templates, the newest last, with the memory that each has for itself."""
        self._require_kernel(peer)
        found = [{**each.told, "own_bytes": own_bytes(each.pid)} for each in self.templates]
        return {"templates": found, "waits": len(self._expected)}

    def do_look(self, peer: Peer) -> dict[str, Any]:
        """The kernel has rewritten something, and there is no new template."""
        self._require_kernel(peer)
        self._thin_out()
        return {}

    def do_spare(self, peer: Peer, name: str) -> dict[str, Any]:
        """The template `name` stays, until another one is named."""
        self._require_kernel(peer)
        self._spared = self._named(name)
        return {} if self._spared else {"error": "it is not there any more"}

    def do_go(self, peer: Peer, name: str, back: str | None) -> dict[str, Any]:
        """When the kernel ends, the template `name` goes on; if that does not answer, `back`."""
        self._require_kernel(peer)
        chosen = self._named(name)
        if chosen is None:
            return {"error": "it is not there any more"}
        self._chosen, self._back = chosen, self._named(back)
        return {}

    def do_stay(self, peer: Peer) -> dict[str, Any]:
        """The kernel does not go: when it ends, all has ended."""
        self._require_kernel(peer)
        self._chosen = self._back = self._spared = None
        return {}

    def _require_kernel(self, peer: Peer) -> None:
        if peer.pid != self.kernel:
            raise PermissionError("only the kernel may say this")

    _verbs: dict[str, Callable[..., dict[str, Any] | None]] = {  # noqa: RUF012
        "template": do_template,
        "forked": do_forked,
        "up": do_up,
        "expect": do_expect,
        "list": do_list,
        "look": do_look,
        "spare": do_spare,
        "go": do_go,
        "stay": do_stay,
    }


def own_bytes(pid: int) -> int:
    """The memory of a process that it shares with no other one."""
    return _memory(pid, *_ALONE)


def _memory(pid: int, *names: str) -> int:
    """Bytes that the system counts under these names; 0 where it does not say."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            return sum(int(line.split()[1]) << 10 for line in file if line.startswith(names))
    except OSError:
        return 0


def _listen(folder: str) -> socket.socket:
    found = socket.socket(socket.AF_UNIX)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    # A socket's own path may be only a hundred letters long.
    name = f"/proc/self/fd/{descriptor}/{SOCKET}"
    if os.path.lexists(name):
        os.unlink(name)
    found.bind(name)
    os.chmod(name, 0o600)
    os.close(descriptor)
    found.listen(16)
    return found


def _waking(number: int) -> int:
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    return read


def _note(words: str) -> None:
    """Stands in the kernel's log."""
    os.write(2, f"Jupyter Rewind: {words}\n".encode())


def _kill(pid: int) -> None:
    try:
        if pid:
            os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def main(arguments: list[str]) -> int:
    """Keeps the kernel that `arguments[3:]` start. Before them stand its folder, how many templates
    there may be, and how many megabytes they may have for themselves."""
    folder, most, megabytes, *command = arguments
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    _prctl(_SUBREAPER, 1)
    os.environ[VARIABLE] = folder
    warden = Warden(folder, int(most), int(megabytes))
    warden.start(command)
    return warden.serve()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
