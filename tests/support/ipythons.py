"""Real kernels of any IPython, worked with as Jupyter does, and killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

from tests.support.ports import set_ports

PATIENCE = 120.0


class Kernel:
    """A running kernel in a home folder of its own."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager = manager
        self.client = client
        self.connection_file = Path(manager.connection_file)

    def run(self, source: str, **options: Any) -> list[dict[str, Any]]:
        """Executes a cell to its end; the messages that it brought."""
        heard: list[dict[str, Any]] = []
        self.client.execute_interactive(
            source, timeout=PATIENCE, output_hook=heard.append, allow_stdin=False, **options
        )
        return heard

    @property
    def ipython(self) -> str:
        """The version of IPython that runs in it."""
        name = self.client.kernel_info()
        while (reply := self.client.get_shell_msg(timeout=PATIENCE))["parent_header"].get(
            "msg_id"
        ) != name:
            pass
        return str(reply["content"]["banner"].split("IPython ")[1].split()[0])

    def submit(self, source: str) -> None:
        """Asks for an execution and does not wait for it."""
        self.client.execute(source)

    @property
    def pid(self) -> int:
        provisioner = self.manager.provisioner
        return int(provisioner.pid)  # type: ignore[union-attr]

    def kill(self) -> None:
        """Ends the kernel as the out-of-memory killer does; its connection file stays."""
        os.kill(self.pid, signal.SIGKILL)
        self.manager.provisioner.process.wait(PATIENCE)  # type: ignore[union-attr]


def _start(manager: KernelManager, environ: dict[str, str], home: Path) -> BlockingKernelClient:
    """Its client, once it answers. Another program may have taken a port that was free a moment
    ago: then it is tried again with others."""
    for is_last in (False, True):
        set_ports(manager)
        manager.start_kernel(env=environ, cwd=str(home))
        client: BlockingKernelClient = manager.client()
        client.start_channels()
        try:
            client.wait_for_ready(timeout=PATIENCE)
            return client
        except RuntimeError:
            client.stop_channels()
            if is_last or manager.is_alive():
                manager.shutdown_kernel(now=True)
                raise
            manager.cleanup_connection_file()
    raise AssertionError


@contextmanager
def running_kernel(
    python: Path | str,
    home: Path,
    *,
    notebook: Path | None = None,
    arguments: tuple[str, ...] = (),
) -> Iterator[Kernel]:
    """A kernel of `python`'s IPython, started for `notebook` as Jupyter's server does it."""
    runtime = home / ".local" / "share" / "jupyter" / "runtime"
    runtime.mkdir(parents=True, exist_ok=True)
    name = f"kernel-{os.urandom(8).hex()}.json"
    manager = KernelManager(connection_file=str(runtime / name))
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}", *arguments]
    manager._kernel_spec = KernelSpec(argv=argv, language="python", display_name="Test")
    environ = {
        k: v for k, v in os.environ.items() if not k.startswith(("IPYTHON", "JPY", "PYTHON"))
    }
    environ |= {"HOME": str(home), "JUPYTER_RUNTIME_DIR": str(runtime)}
    if notebook is not None:
        environ["JPY_SESSION_NAME"] = str(notebook)
    client = _start(manager, environ, home)
    try:
        yield Kernel(manager, client)
    finally:
        client.stop_channels()
        if manager.is_alive():
            manager.shutdown_kernel(now=True)


def wait_until(condition: Any, *, patience: float = PATIENCE) -> None:
    """Returns once `condition()` holds; fails loudly where it never does."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.05)
