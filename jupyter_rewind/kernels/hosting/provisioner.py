"""The kernel provisioner `rewind-host`: any kernel, started so that it does not need its server.

The kernel has a session of its own, no terminal and no pipe to whoever started it, and it is not
told to end with its parent. A server that finds its record asks for a kernel with the same id, and
gets that very process instead of a new one. On systems without /proc it does what Jupyter's own
provisioner does.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase

from jupyter_rewind import clock
from jupyter_rewind.errors import Conflict, RewindError, Unavailable
from jupyter_rewind.kernels.hosting.forwarding import Forwarder
from jupyter_rewind.kernels.hosting.process import (
    AdoptedProcess,
    find_process,
    is_group_alive,
)
from jupyter_rewind.kernels.hosting.record import Hosted, Place
from jupyter_rewind.kernels.hosting.rooms import (
    ask_keeper,
    find_keeper,
    room_command,
    room_problem,
    warden_command,
)
from jupyter_rewind.kernels.life import LIFE_VARIABLE
from jupyter_rewind.settings import Rewind, environment_name

if TYPE_CHECKING:
    from jupyter_client.connect import KernelConnectionInfo

NAME = "rewind-host"
IS_SUPPORTED = sys.platform == "linux"
_PARENT = "JPY_PARENT_PID"
_PAUSE_SECONDS, _SIGNAL_SECONDS, _GONE_SECONDS = 0.01, 2, 5
_OURS = {
    "env", "stdin", "stdout", "stderr", "start_new_session", "independent", "extra_arguments",
    "kernel_id",
}  # fmt: skip


class HostProvisioner(LocalProvisioner):
    """Starts a kernel that outlives its server, or takes one over that did."""

    _place: Place | None = None
    _found: Hosted | None = None
    _forwarder: Forwarder | None = None
    _has_room = _has_warden = False
    is_left = False
    """Whether the server stops, and the kernel goes on."""

    @property
    def place(self) -> Place | None:
        """Where the kernel's record lies; None where it is not hosted."""
        return self._place

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """The kernel's own connection file is read where the kernel is still there."""
        self._found = self._find()
        if self._found is None:
            return await super().pre_launch(**kwargs)
        manager: Any = self.parent
        manager.load_connection_file()
        # Whoever ends the kernel shall remove its file, as if it had been written here.
        manager._connection_file_written = True
        self.connection_info = manager.get_connection_info()
        for word in ("extra_arguments", "transport_encryption"):
            kwargs.pop(word, None)
        return await KernelProvisionerBase.pre_launch(self, cmd=[], **kwargs)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """The kernel runs, and is written down. Raises what starting a process raises."""
        if not IS_SUPPORTED or self.parent is None:
            return await super().launch_kernel(cmd, **kwargs)
        if self._found is not None:
            self._adopt(self._found)
        else:
            await self._start(cmd, kwargs)
        self.cwd = kwargs.get("cwd", Path.cwd())
        return self.connection_info

    async def send_signal(self, signum: int) -> None:
        """As always; in a room through its keeper, whose own end is the end of all in it."""
        if not self._has_room or self._place is None or self.process is None:
            await super().send_signal(signum)
            return
        if signum != signal.SIGKILL and signum != 0:
            words = {"number": int(signum)}
            try:
                answer = await asyncio.to_thread(
                    ask_keeper, self._place.folder, "signal", words, seconds=_SIGNAL_SECONDS
                )
                if "error" not in answer:
                    return
            except Unavailable as error:
                self.log.warning("Kernel %s did not get its signal: %s", self.kernel_id, error)
                return
        if self.pid is not None and find_process(self.pid) is not None:
            os.kill(self.pid, signum)

    async def wait(self) -> int | None:
        """As always; nothing of a kernel with templates is left then, and its ports are free."""
        group = self.pgid if self._has_warden and self.process is not None else None
        status = await super().wait()
        deadline = clock.monotonic() + _GONE_SECONDS
        while status and group is not None and clock.monotonic() < deadline:
            if not is_group_alive(group):
                break
            await asyncio.sleep(_PAUSE_SECONDS)
        return status

    async def cleanup(self, restart: bool = False) -> None:
        """The record goes with the kernel; it stays where a new process will have it."""
        await super().cleanup(restart=restart)
        self._stop_forwarding()
        if self._place is not None and not restart:
            self._place.clear()
            self._place = None

    def let_go(self) -> None:
        """The kernel goes on without this process, and another one may have it. Raises Storage."""
        offset = self._stop_forwarding()
        self.process = None
        if self._place is not None:
            self._place.change(log_offset=offset)
            self._place.leave()
            self._place = None

    def remember(self, **changes: Any) -> None:
        """What else is known of the kernel is written down. Raises Storage, Integrity, Newer."""
        if self._place is not None:
            self._place.change(**changes)

    def _find(self) -> Hosted | None:
        """The living kernel of this id. Raises Conflict where another process has it: its
        connection file must not be written anew."""
        place = self._open_place()
        if place is None:
            return None
        try:
            hosted = place.read()
            if hosted is None or not hosted.is_alive:
                return None
            is_ours = place.take()
        except RewindError as error:
            self.log.warning("Kernel %s is started anew: %s", self.kernel_id, error)
            return None
        if not is_ours:
            raise self._in_use()
        self._place = place
        return hosted

    def _in_use(self) -> Conflict:
        return Conflict(
            f"Kernel {self.kernel_id} belongs to another server that is running.",
            hint="Nothing was changed. Ask that server for it, or start a new kernel.",
        )

    def _open_place(self) -> Place | None:
        if not IS_SUPPORTED or self.parent is None:
            return None
        return self._place or Place(Path(self.parent.connection_file), self.kernel_id)

    def _adopt(self, hosted: Hosted) -> None:
        self._has_room = hosted.has_room
        self._has_warden = (self._place is not None) and self._place.warden.exists()
        self.process = AdoptedProcess(hosted.process)  # type: ignore[assignment]  # asked in the same way
        self.pid = hosted.process.pid
        self.pgid = None if hosted.has_room else os.getpgid(hosted.process.pid)
        self._forward(hosted.log_offset)

    async def _start(self, cmd: list[str], kwargs: dict[str, Any]) -> None:
        place = self._open_place()
        assert place is not None
        place.make()
        if not place.take():
            raise self._in_use()
        self._place = place
        self._has_room = self._wants_room()
        place.control.unlink(missing_ok=True)
        place.warden.unlink(missing_ok=True)
        place.life.touch(0o600)
        command = self._kept([os.path.expanduser(part) for part in cmd], place)
        log = os.open(place.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        written = os.fstat(log).st_size
        try:
            process = subprocess.Popen(
                room_command(command, place.folder) if self._has_room else command,
                **{word: value for word, value in kwargs.items() if word not in _OURS},
                env=_independent(kwargs.get("env"), place.life if self._has_room else None),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        finally:
            os.close(log)
        self.process = process
        self.pid = self.pgid = process.pid
        if self._has_room:
            self.pid, self.pgid = await self._keeper_of(process), None
        self._write_down(place, kwargs)
        self._forward(written)

    def _wants_room(self) -> bool:
        """Whether the settings ask for rooms, and there can be one."""
        if not Rewind.load_leniently(config=self.config).kernels_images:
            return False
        problem = room_problem()
        if problem:
            self.log.warning("No process images of kernel %s: %s.", self.kernel_id, problem)
        return not problem

    def _kept(self, command: list[str], place: Place) -> list[str]:
        """`command`, below a warden where templates of the kernel are to be kept."""
        settings = Rewind.load_leniently(config=self.config)
        is_python = str(self.kernel_spec.language).lower() == "python"
        self._has_warden = settings.kernels_templates > 0 and is_python and not self._has_room
        if settings.kernels_templates and self._has_room:
            self.log.warning(
                "No templates of kernel %s: process images of it are made.", self.kernel_id
            )
        if not self._has_warden:
            return command
        most, megabytes = settings.kernels_templates, settings.kernels_templates_mb
        return warden_command(command, place.folder, most, megabytes)

    async def _keeper_of(self, process: subprocess.Popen[bytes]) -> int:
        """The number of the keeper, seen from outside, when it has begun to listen."""
        assert self._place is not None
        while process.poll() is None:
            keeper = find_keeper(process.pid, self._place.folder)
            if keeper is not None:
                return keeper.pid
            await asyncio.sleep(_PAUSE_SECONDS)
        return process.pid

    def _write_down(self, place: Place, kwargs: dict[str, Any]) -> None:
        assert self.pid is not None and self.parent is not None
        mark = find_process(self.pid)
        if mark is None:
            return  # it ended at once: Jupyter will see
        before = place.read()
        servers: Any = self.parent.parent
        place.write(
            Hosted(
                kernel=self.kernel_id,
                name=str(self.parent.kernel_name),
                process=mark,
                boot=clock.boot_id(),
                root=str(getattr(servers, "root_dir", "") or ""),
                cwd=str(kwargs.get("cwd") or Path.cwd()),
                has_room=self._has_room,
                connection=os.path.realpath(self.parent.connection_file),
                session=before.session if before is not None else None,
            )
        )

    def _forward(self, offset: int | None) -> None:
        if self._place is not None:
            name = f"kernel {self.kernel_id[:8]}"
            self._forwarder = Forwarder(self._place.log, name, self.log, offset)
            self._forwarder.start()

    def _stop_forwarding(self) -> int | None:
        if self._forwarder is None:
            return None
        forwarder, self._forwarder = self._forwarder, None
        return forwarder.stop()


def _independent(given: dict[str, str] | None, life: Path | None) -> dict[str, str]:
    environment = dict(os.environ if given is None else given)
    environment.pop(_PARENT, None)
    environment.pop(LIFE_VARIABLE, None)
    if life is not None:
        environment[LIFE_VARIABLE] = str(life)
        # No image can be made of a process that tracks its pages.
        environment[environment_name("kernels.page_tracking")] = "false"
    return environment
