"""While a server is gone, somebody else hears the kernels that go on and keep no journal of their
own: a process that the server starts, and that sleeps until the server has ended.

It goes on with the journals that the server began, and hands them over to the next server.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_rewind.kernels.handover import Handover

if TYPE_CHECKING:
    from jupyter_rewind.kernels.hosting.record import Hosted
    from jupyter_rewind.settings import Rewind

log = logging.getLogger(__name__)
_LOOK_MS = 200


class Deputy:
    """The process of one server; `start` is for when there is something to hear."""

    def __init__(self, runtime: str, root: str, environment: dict[str, str]) -> None:
        self._words = [runtime, root]
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def start(self) -> None:
        """It is there. Never raises; may be called from any thread."""
        with self._lock:
            if self._process is not None and self._process.poll() is None:
                return
            command = [sys.executable, "-m", __name__, *self._words]
            try:
                # It hears of this process' end by the pipe, which nobody writes to.
                self._process = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL, start_new_session=True,
                    env={**os.environ, **self._environment},
                )  # fmt: skip
            except OSError as error:
                log.warning("Outputs of kernels are not kept while no server runs: %s", error)

    def stop(self, *, is_needed: bool) -> None:
        """The server stops, and its kernels with it unless somebody is needed to hear them."""
        with self._lock:
            process, self._process = self._process, None
        if process is None or process.stdin is None:
            return
        if is_needed:
            process.stdin.close()
        else:
            process.kill()
            process.wait()


class Absence:
    """Hears the kernels of the folder `runtime` that the server of `root` has left, until each of
    them has ended or is heard by the next server."""

    def __init__(self, runtime: Path, root: str, settings: Rewind) -> None:
        import zmq

        from jupyter_rewind.faces.server.overhearing import Overhearing
        from jupyter_rewind.kernels.hearing import Hearing

        self._runtime, self._root, self._settings = runtime, root, settings
        self._context = zmq.Context()
        self._poller = zmq.Poller()
        self._kernels: dict[Any, tuple[Hosted, Handover, Any]] = {}
        self._workspace: Any = None
        self._files: dict[str, str] = {}
        self._hearing = Hearing(
            lambda: self._open().repository,
            max_output_bytes=settings.kernels_max_output_mb << 20,
            handover_of=self._handover_of,
            is_left=True,
        )
        self._overhearing = Overhearing(self._hearing, lambda kernel: self._files.get(kernel, ""))

    def hear(self) -> None:
        """Returns when nothing is left to hear."""
        self._begin()
        while self._kernels:
            for stream, _ in self._poller.poll(_LOOK_MS):
                self._read(stream)
            for stream, (hosted, handover, _) in list(self._kernels.items()):
                if handover.is_claimed and handover.is_taken:
                    self._hearing.leave(hosted.kernel)
                elif not hosted.is_alive:
                    self._hearing.forget(hosted.kernel)
                else:
                    continue
                self._poller.unregister(stream)
                stream.close(0)
                del self._kernels[stream]
        self._hearing.stop()
        if self._workspace is not None:
            self._workspace.close()

    def _begin(self) -> None:
        import zmq
        from jupyter_client.session import Session

        from jupyter_rewind.kernels.hosting.record import places
        from jupyter_rewind.kernels.images.listing import notebook

        for place in places(self._runtime):
            handover = Handover(place.folder)
            try:
                hosted = place.read()
                if hosted is None or hosted.root != self._root or not hosted.is_alive:
                    continue
                if not handover.is_there or handover.is_heard:
                    continue
                told = json.loads(Path(hosted.connection).read_bytes())
            except Exception:
                log.warning("kernel %s is not heard", place.kernel, exc_info=True)
                continue
            stream = self._context.socket(zmq.SUB)
            stream.rcvhwm = 0
            stream.subscribe(b"")
            joint = "-" if told["transport"] == "ipc" else ":"
            stream.connect(f"{told['transport']}://{told['ip']}{joint}{told['iopub_port']}")
            self._poller.register(stream, zmq.POLLIN)
            scheme = str(told.get("signature_scheme") or "hmac-sha256")
            session = Session(key=str(told["key"]).encode(), signature_scheme=scheme)
            self._kernels[stream] = hosted, handover, session
            self._files[hosted.kernel] = notebook(hosted)
            self._hearing.take(hosted.kernel)

    def _read(self, stream: Any) -> None:
        """All that has come up to now."""
        import zmq

        hosted, _, session = self._kernels[stream]
        while True:
            try:
                parts = stream.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            try:
                self._overhearing.hear(hosted.kernel, session, parts)
            except Exception:
                log.debug("a message of kernel %s was not heard", hosted.kernel, exc_info=True)

    def _open(self) -> Any:
        from jupyter_rewind.workspace import Workspace

        if self._workspace is None:
            self._workspace = Workspace.open(self._settings)
        return self._workspace

    def _handover_of(self, kernel: str) -> Handover | None:
        found = (each for hosted, each, _ in self._kernels.values() if hosted.kernel == kernel)
        return next(found, None)


def main(words: list[str]) -> None:
    """Waits until whoever started this process has ended, and hears what that has left."""
    from jupyter_rewind.settings import Rewind

    runtime, root = words
    absence = Absence(Path(runtime), root, Rewind.load_leniently())
    sys.stdin.buffer.read()
    absence.hear()


if __name__ == "__main__":
    main(sys.argv[1:])
