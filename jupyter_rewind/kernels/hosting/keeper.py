"""The first process in a kernel's own room of processes: starts it, freezes it, brings it back.

Run by its path with nothing of ours imported, as root, or what root is in a namespace of users, in
new namespaces of processes and mounts.
It ends when the kernel ends, and with it all that the kernel left behind. It does what it is asked
through a socket in the kernel's folder, which only its owner can reach: one question a connection,
one line of JSON each way. While the kernel sleeps in an image, the keeper waits for it.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from typing import Any

CONTROL, LOG = "control", "output.log"
_NEW_CONTROL = "control.new"
TURN, SCRATCH = "imaging", "image-"
"""The lock that whoever asks for an image holds meanwhile, and how folders of images begin."""
MEMORY = "/dev/shm"
"""What lies there is on no disk. A folder of an image that does is named by a link."""
# None of them ends a keeper; its kernel, and what that starts, end by them as anywhere.
_DEAF = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_FIRST, _TOOLS = 1000, 300
_LAST_PID = "/proc/sys/kernel/ns_last_pid"
_WAIT_SECONDS, _WATCH_SECONDS = 30, 1
_TAIL_BYTES = 4000
_PRIVATE = 0o077
ENDED = "the kernel has ended"


class Keeper:
    """`kernel` is its number in this room; 0 while there is none.

    While somebody makes an image, the kernel may stand still, or be one that came back and has not
    shown yet that it lives. Whoever asked for that holds a lock; when it is free, they were killed,
    and the keeper brings to an end what they began: no kernel stands still for ever.
    """

    def __init__(self, folder: str) -> None:
        self.kernel = 0
        self.holds = False
        self.stands = self.on_trial = False
        self._ports: list[list[int]] = []
        self._reserved: list[socket.socket] = []
        self._folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        self._socket = socket.socket(socket.AF_UNIX)
        # Whoever sees it asks: it has its name only when it listens, and to nobody else.
        name = f"/proc/self/fd/{self._folder}/{_NEW_CONTROL}"
        if os.path.lexists(name):
            os.unlink(name)
        self._socket.bind(name)
        os.chmod(name, 0o600)
        self._socket.listen(8)
        os.rename(name, f"/proc/self/fd/{self._folder}/{CONTROL}")  # noqa: TID251 - none of ours is imported here

    def start(self, command: list[str]) -> None:
        """The kernel runs, with numbers above those that tools get here."""
        set_last_pid(_FIRST)
        self.kernel = os.fork()
        if not self.kernel:
            try:
                os.setsid()
                for number in _DEAF:
                    signal.signal(number, signal.SIG_DFL)
                self._open_streams()
                os.execvpe(command[0], command, os.environ)
            except OSError as error:
                os.write(2, f"{command[0]} does not start: {error}\n".encode())
            finally:
                os._exit(127)

    def _open_streams(self) -> None:
        """Standard input, output and error, opened anew: those that were inherited belong to
        mounts outside of this room, and no image could be made of them."""
        nothing = os.open(os.devnull, os.O_RDONLY)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        log = os.open(LOG, flags, 0o600, dir_fd=self._folder)
        for source, target in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        os.close(nothing)
        os.close(log)

    def serve(self) -> int:
        """How the kernel ended."""
        wake, woken = os.pipe()
        os.set_blocking(woken, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        while True:
            status = self.reap()
            if status is not None:
                return status
            asked = self._socket.fileno()
            pause = _WATCH_SECONDS if self.stands or self.on_trial else _WAIT_SECONDS
            ready, _, _ = select.select([asked, wake], [], [], pause)
            if wake in ready:
                os.read(wake, 4096)
            if asked in ready:
                self._answer()
            elif not ready:
                self._look_after()

    def reap(self) -> int | None:
        """All that ended here is gone; how the kernel ended, if it did and nobody holds on."""
        status = None
        while True:
            try:
                pid, code = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if not pid:
                break
            if pid == self.kernel:
                self.kernel, status = 0, code
        if status is None or self.holds:
            return None
        return os.waitstatus_to_exitcode(status) & 0xFF

    def _answer(self) -> None:
        connection, _ = self._socket.accept()
        with connection:
            try:
                connection.settimeout(10)
                asked = json.loads(connection.makefile("rb").readline())
                answer = getattr(self, f"do_{asked.pop('verb')}")(**asked)
            except Exception as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            try:
                connection.sendall(json.dumps(answer).encode() + b"\n")
            except OSError:
                return

    def do_status(self) -> dict[str, Any]:
        """Whether the kernel is there, and for how long it, and what it started, had a
        processor."""
        ticks = sum(_ticks(pid) for pid in _others())
        seconds = ticks / os.sysconf("SC_CLK_TCK")
        return {"kernel": self.kernel, "holds": self.holds, "seconds": seconds}

    def do_files(self) -> dict[str, Any]:
        """The names, without folders, of the files that the kernel, or what it started, has open,
        and of those whose code or data is in its memory."""
        pids = _others()
        return {
            "open": sorted({name for pid in pids for name in _open(pid)}),
            "mapped": sorted({name for pid in pids for name in _mapped(pid)}),
        }

    def do_memory(self) -> dict[str, Any]:
        """How many bytes the kernel, and what it started, have in memory, or swapped out."""
        return {"bytes": sum(_memory(pid) for pid in _others())}

    def do_signal(self, number: int) -> dict[str, Any]:
        """The kernel and what it started get the signal."""
        if self.kernel:
            os.killpg(self.kernel, number)
        return {}

    def do_hold(self, on: bool) -> dict[str, Any]:
        """From now on the keeper goes on without a kernel, or no more."""
        self.holds = on
        return {}

    def do_dump(self, command: list[str], seconds: float) -> dict[str, Any]:
        """CRIU writes the image. `command` lacks the kernel's number, which comes last."""
        if not self.kernel:
            return {"error": "there is no kernel"}
        self.stands = True
        answer = _run([*command, "--tree", str(self.kernel)], seconds)
        if "error" in answer:
            self.do_go_on()
        return answer

    def do_go_on(self) -> dict[str, Any]:
        """What was left standing still goes on."""
        for pid in _others():
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                continue
        self.stands = False
        return {}

    def do_end(self) -> dict[str, Any]:
        """There is no kernel any more, nor anything that it started; the keeper waits."""
        self.holds = True
        self._end_all()
        return {}

    def do_reserve(self, ports: list[list[int]]) -> dict[str, Any]:
        """Nobody else gets these ports, each after the number of its protocol, while there is no
        kernel: one that comes back listens at them again."""
        self._ports = ports
        self._reserve()
        return {}

    def _reserve(self) -> None:
        for protocol, port in self._ports:
            is_datagram = protocol == socket.IPPROTO_UDP
            found = socket.socket(type=socket.SOCK_DGRAM if is_datagram else socket.SOCK_STREAM)
            try:
                if not is_datagram:  # connections of the kernel that has ended may linger
                    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                found.bind(("", port))
            except OSError:  # somebody was quicker
                found.close()
                continue
            self._reserved.append(found)

    def _release(self) -> None:
        for each in self._reserved:
            each.close()
        self._reserved.clear()

    def do_restore(self, command: list[str], pidfile: str, seconds: float) -> dict[str, Any]:
        """The kernel of an image takes the place of the one that is there. If that fails, or if it
        ends before `do_trust`, there is none, and the keeper waits for another try."""
        self.holds = True
        self._end_all()
        self._release()
        set_last_pid(_TOOLS)
        answer = _run(command, seconds)
        if "error" in answer:
            self._end_all()
            self._reserve()
            return answer
        with open(pidfile) as file:
            self.kernel = int(file.read())
        self.on_trial = True
        return {"kernel": self.kernel}

    def do_trust(self) -> dict[str, Any]:
        """The kernel that came back lives; from now on the keeper ends with it."""
        self.on_trial = False
        if not self.kernel:
            return {"error": ENDED}
        self.holds = False
        self._ports = []
        return {"kernel": self.kernel}

    def _look_after(self) -> None:
        """What somebody began who was killed is ended; nothing of an image lies about."""
        turn = os.open(TURN, os.O_RDWR | os.O_CREAT, 0o600, dir_fd=self._folder)
        try:
            fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if self.stands:
                self.do_go_on()
            if self.on_trial:
                self.do_trust()
            sweep(self._folder)
        except BlockingIOError:
            return
        finally:
            os.close(turn)

    def _end_all(self) -> None:
        self.stands = self.on_trial = False
        while others := _others():
            for pid in others:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                break
        self.kernel = 0


def sweep(folder: int) -> None:
    """No image's files are left in the folder of a kernel, nor where its links lead."""
    for name in os.listdir(folder):
        if name.startswith(SCRATCH):
            remove(folder, name)


def remove(folder: int, name: str) -> None:
    """Nothing is left of one image's files."""
    try:
        target = os.readlink(name, dir_fd=folder)
    except OSError:
        shutil.rmtree(name, ignore_errors=True, dir_fd=folder)
        return
    if os.path.dirname(target) == MEMORY:
        shutil.rmtree(target, ignore_errors=True)
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)


def set_last_pid(number: int) -> None:
    """The next process of this room has the number after this one, if that is free."""
    with open(_LAST_PID, "w") as file:
        file.write(str(number))


def _others() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and name != "1"]


def _open(pid: int) -> set[str]:
    folder = f"/proc/{pid}/fd"
    found = set()
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        try:
            found.add(os.path.basename(os.readlink(f"{folder}/{name}")))
        except OSError:  # it was closed since
            continue
    return found


def _mapped(pid: int) -> set[str]:
    try:
        with open(f"/proc/{pid}/maps", errors="replace") as file:
            return {os.path.basename(line.rstrip("\n")) for line in file if "/" in line}
    except OSError:  # it has ended since
        return set()


def _ticks(pid: int) -> int:
    """Of the processor, that of its children which have ended included."""
    try:
        with open(f"/proc/{pid}/stat", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:  # it has ended since
        return 0
    return sum(map(int, fields[11:15]))


def _memory(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/status", errors="replace") as file:
            lines = [line for line in file if line.startswith(("VmRSS:", "VmSwap:"))]
    except OSError:  # it has ended since
        return 0
    return sum(int(line.split()[1]) << 10 for line in lines)


def _run(command: list[str], seconds: float) -> dict[str, Any]:
    """How it ended. What it started ends with it where it failed: killed, CRIU leaves helpers that
    stand still for ever."""
    said = os.memfd_create("said")
    try:
        try:
            tool = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                umask=_PRIVATE,
                start_new_session=True,
            )
        except OSError as error:
            return {"error": f"{command[0]} does not start: {error.strerror}"}
        try:
            status = tool.wait(seconds)
        except subprocess.TimeoutExpired:
            _end_group(tool.pid)
            tool.wait()
            return {"error": f"{command[0]} did not end within {seconds:.0f} seconds"}
        if status:
            _end_group(tool.pid)
            size = os.fstat(said).st_size
            tail = os.pread(said, _TAIL_BYTES, max(0, size - _TAIL_BYTES))
            return {"error": f"exit status {status}", "tail": tail.decode("utf-8", "replace")}
        return {}
    finally:
        os.close(said)


def _end_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


def main(arguments: list[str]) -> int:
    """Keeps the kernel that `arguments[1:]` start, with `arguments[0]` as its folder; without a
    command, the one that comes from an image."""
    for number in _DEAF:
        signal.signal(number, signal.SIG_IGN)
    keeper = Keeper(arguments[0])
    keeper.holds = len(arguments) == 1
    if not keeper.holds:
        keeper.start(arguments[1:])
    return keeper.serve()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
