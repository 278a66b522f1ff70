"""Real kernels in a home folder of their own, asked as front ends ask them."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

from jupyter_rewind.kernels.runs import Runs, RunState
from jupyter_rewind.model.execution import Execution
from jupyter_rewind.recovery.evidence import Scope
from jupyter_rewind.store.repository import Repository
from tests.support.ports import set_ports

T = TypeVar("T")
PATIENCE = 90.0


def eventually(ask: Callable[[], T | None], words: str) -> T:
    """The first answer of `ask` that is true."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        answer = ask()
        if answer:
            return answer
        time.sleep(0.02)
    raise AssertionError(f"not within {PATIENCE:.0f} seconds: {words}")


@dataclass
class Said:
    """How a cell ended, and all that it put out, as messages in the order in which they came."""

    status: str
    messages: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    error: str = ""

    @property
    def text(self) -> str:
        """What it printed, results included."""
        parts = []
        for kind, content in self.messages:
            if kind == "stream":
                parts.append(content["text"])
            elif kind in ("execute_result", "display_data"):
                parts.append(content["data"].get("text/plain", ""))
        return "".join(parts)

    @property
    def result(self) -> str:
        return next(
            (c["data"]["text/plain"] for k, c in self.messages if k == "execute_result"), ""
        )


class Home:
    """A user's folders: settings, store, notebooks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notebook = folder / "work" / "analysis.ipynb"
        self.notebook.parent.mkdir(parents=True, exist_ok=True)

    @property
    def environment(self) -> dict[str, str]:
        mine = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("JUPYTER", "_JUPYTER", "JPY", "IPYTHON", "XDG_"))
        }
        folders = {"CONFIG": "config", "DATA": "data", "RUNTIME": "runtime"}
        jupyter = {f"JUPYTER_{name}_DIR": str(self.folder / to) for name, to in folders.items()}
        return {
            **mine,
            **jupyter,
            "HOME": str(self.folder),
            "IPYTHONDIR": str(self.folder / "ipython"),
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
            # On a machine that is busy, a state would be passed over for want of time.
            "JUPYTER_REWIND_KERNELS_BUDGET_FLOOR_MS": "60000",
        }

    def scope(self) -> Scope:
        """Where traces of the notebook are looked for."""
        (self.folder / "scratch").mkdir(exist_ok=True)
        return Scope(
            notebook=self.notebook, folder=self.notebook.parent, home=self.folder,
            scratch=self.folder / "scratch", store=self.folder / "data/rewind",
            store_keys=self.folder / "config/rewind-keys",
        )  # fmt: skip

    def repository(self) -> Repository:
        repository = Repository.open(
            self.folder / "data" / "rewind", key_folder=self.folder / "config" / "rewind-keys"
        )
        repository.refresh()
        return repository

    def runs(self) -> list[RunState]:
        with self.repository() as repository:
            runs = Runs(repository)
            return [runs.state(each) for each in runs.all()]

    def executions(self, number: int = -1) -> list[Execution]:
        """Those of the run with this number, the newest without one."""
        with self.repository() as repository:
            runs = Runs(repository)
            return runs.executions(runs.all()[number].id)


class Kernel:
    """One running kernel and a client of it."""

    def __init__(
        self,
        home: Home,
        *,
        python: str = sys.executable,
        load: bool = True,
        provisioner: str = "local-provisioner",
        **environment: str,
    ) -> None:
        self.home = home
        self.manager = KernelManager(connection_file=str(home.folder / f"kernel-{_number()}.json"))
        set_ports(self.manager)
        # Started by its own interpreter, whatever kernels this machine's user has.
        arguments = [python, "-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f"]
        self.manager._kernel_spec = KernelSpec(
            argv=[*arguments, "{connection_file}"],
            language="python",
            display_name="Test",
            metadata={"kernel_provisioner": {"provisioner_name": provisioner}},
        )
        extra = ["--IPKernelApp.extra_extensions=jupyter_rewind"] if load else []
        names = {"JPY_SESSION_NAME": str(home.notebook), **environment}
        self.manager.start_kernel(
            env=home.environment | names, extra_arguments=extra, cwd=str(home.notebook.parent)
        )
        self.client: BlockingKernelClient = self.manager.client()  # type: ignore[assignment]
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE)

    @property
    def pid(self) -> int:
        return int(self.manager.provisioner.process.pid)  # type: ignore[union-attr]

    def run(self, source: str, **options: Any) -> Said:
        """What the cell said, once it has ended."""
        said: list[tuple[str, dict[str, Any]]] = []
        reply = self.client.execute_interactive(
            source,
            timeout=PATIENCE,
            output_hook=lambda message: said.append((message["msg_type"], message["content"])),
            **options,
        )
        content = reply["content"]
        return Said(content["status"], said, content.get("evalue", ""))

    def begin(self, source: str) -> str:
        """The cell has been sent; nobody waits for it."""
        return str(self.client.execute(source))

    def kill(self) -> None:
        """The process is gone, without a chance to say so."""
        os.kill(self.pid, signal.SIGKILL)
        eventually(lambda: not self.manager.is_alive(), "the killed kernel is gone")

    def stop(self) -> None:
        """The kernel ends as its user wants it to."""
        self.client.stop_channels()
        if self.manager.is_alive():
            self.manager.shutdown_kernel()
        self.manager.cleanup_resources()


_count = 0


def _number() -> int:
    global _count
    _count += 1
    return _count


@contextmanager
def running(home: Home, **options: Any) -> Iterator[Kernel]:
    """A kernel that is gone when the block has ended, however that ends."""
    kernel = Kernel(home, **options)
    try:
        yield kernel
    finally:
        kernel.stop()
