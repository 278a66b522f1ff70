"""Kernels from outside: told, asked, started. Runs in the server and in commands."""

from __future__ import annotations

import ast
import base64
import json
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_rewind import clock, errors
from jupyter_rewind.errors import NotFound, RewindError, Unavailable
from jupyter_rewind.model.encoding import to_json
from jupyter_rewind.store.durable import Files, translate

if TYPE_CHECKING:
    from jupyter_client.blocking.client import BlockingKernelClient
    from jupyter_client.manager import KernelManager

    from jupyter_rewind.model.entry import Json

_START_SECONDS = 180.0
_LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Started:
    """A kernel that was started, and what its first answer was."""

    connection: str
    pid: int
    name: str
    answer: dict[str, Json]


def notice_path(connection_file: Path) -> Path:
    """Where a server leaves word for a running kernel that its notebook has been renamed."""
    return connection_file.with_suffix(".rewind")


def leave_notice(connection_file: Path, path: str) -> None:
    """The kernel learns before its next cell that its notebook lies at `path`. Raises Storage."""
    Files().replace_file(notice_path(connection_file), to_json({"path": path}))


def drop_stale_notices(runtime: Path) -> None:
    """Notes for kernels that are gone are gone as well. Raises Storage."""
    for notice in runtime.glob("kernel-*.rewind"):
        if not notice.with_suffix(".json").exists():
            Files().remove(notice)


def ask_kernel(
    connection: str, verb: str, words: Mapping[str, Json], *, timeout: float
) -> dict[str, Json]:
    """What the kernel with this connection file answers to a verb; it may be one that other
    clients use. Raises Unavailable (gone, busy, without Rewind), and what the kernel raised."""
    from jupyter_client.blocking.client import BlockingKernelClient

    client = BlockingKernelClient()
    try:
        client.load_connection_file(connection)
    except OSError as error:
        raise Unavailable(
            f"The kernel cannot be reached: {connection} does not read.",
            hint="Its states are in the store all the same.",
        ) from error
    client.start_channels(iopub=False, stdin=False, hb=False)
    try:
        return _ask(client, verb, words, timeout)
    finally:
        client.stop_channels()


def start_with_state(
    path: str,
    snapshot: str,
    *,
    store: str,
    kernel_name: str | None = None,
    trust: bool = False,
) -> Started:
    """A kernel for the notebook at `path` with the state of this store in it; it outlives this
    process.

    Raises NotFound (no such kernel), Unavailable, and what the kernel raised; no kernel is left
    behind then.
    """
    words: dict[str, Json] = {"ref": snapshot, "trust": trust}
    try:
        return _start(path, words, store, kernel_name)
    except _Ended:
        # Between Jupyter's choice of a port and the kernel's use of it, somebody may have taken it.
        return _start(path, words, store, kernel_name)


def _start(path: str, words: Mapping[str, Json], store: str, kernel_name: str | None) -> Started:
    from jupyter_client.kernelspec import NoSuchKernel

    manager = _create_manager(kernel_name or _kernel_name(path))
    environment = {**os.environ, "JPY_SESSION_NAME": path, "JUPYTER_REWIND_STORE_PATH": store}
    folder = os.path.dirname(path)
    try:
        manager.start_kernel(
            env=environment,
            independent=True,
            cwd=folder if os.path.isdir(folder) else None,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except NoSuchKernel as error:
        raise NotFound(
            f"There is no kernel {manager.kernel_name} here.",
            hint="`jupyter kernelspec list` says which there are; name one with --kernel.",
        ) from error
    try:
        client = manager.client()
        client.start_channels(iopub=False, stdin=False, hb=False)
        try:
            answer = _ask(client, "resume", words, _START_SECONDS, manager.is_alive)
        finally:
            client.stop_channels()
    except BaseException:
        manager.shutdown_kernel(now=True)
        raise
    pid = int(getattr(manager.provisioner, "pid", 0) or 0)
    _let_go(manager)
    return Started(manager.connection_file, pid, str(manager.kernel_name), answer)


def _let_go(manager: KernelManager) -> None:
    """Nothing of the manager is left open, and its kernel's files stay for other clients.

    Without this the collector removes the files, and may wait for ever: it ends a context of
    ZeroMQ before the sockets that are collected along with it.
    """
    manager.cleanup_connection_file = lambda: None  # type: ignore[method-assign]
    manager.cleanup_ipc_files = lambda: None  # type: ignore[method-assign]
    manager.cleanup_resources()


def _create_manager(kernel_name: str) -> KernelManager:
    """The manager of a kernel whose connection file lies where Jupyter's programs look for it."""
    from jupyter_client.manager import KernelManager
    from jupyter_core.paths import jupyter_runtime_dir

    runtime = Path(jupyter_runtime_dir())
    try:
        runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise translate(error, "use", runtime) from error
    connection = runtime / f"kernel-{clock.new_id()}.json"
    return KernelManager(kernel_name=kernel_name, connection_file=str(connection))


def _kernel_name(path: str) -> str:
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
        return str(found["metadata"]["kernelspec"]["name"])
    except (OSError, ValueError, KeyError, TypeError):
        return "python3"


def _ask(
    client: BlockingKernelClient,
    verb: str,
    words: Mapping[str, Json],
    timeout: float,
    is_alive: Callable[[], bool] = lambda: True,
) -> dict[str, Json]:
    # What waits in a busy kernel's queue is not carried out once nobody waits for it any more.
    until = clock.now_ns() + int(timeout * 1e9)
    asked: dict[str, Json] = {"verb": verb, "words": dict(words), "until_ns": until}
    request = base64.b64encode(to_json(asked)).decode()
    module = "jupyter_rewind.faces.ipython.remote"
    expression = f"__import__({module!r}, fromlist=['answer']).answer({request!r})"
    message = client.execute(
        "", silent=True, store_history=False, user_expressions={"rewind": expression}
    )
    reply = _wait_for(client, message, timeout, is_alive)
    said = reply.get("user_expressions", {}).get("rewind", {})
    if said.get("status") != "ok":
        raise Unavailable(
            "The kernel does not keep its states: "
            f"{said.get('evalue') or reply.get('evalue') or 'it gave no answer'}.",
            hint="Install jupyter-rewind where the kernel runs; `jupyter rewind doctor` says how.",
        )
    answer = json.loads(ast.literal_eval(said["data"]["text/plain"]))
    if "error" in answer:
        raise _rebuilt(answer["error"])
    return dict(answer["answer"])


def _wait_for(
    client: BlockingKernelClient, message: str, timeout: float, is_alive: Callable[[], bool]
) -> dict[str, Any]:
    from queue import Empty

    deadline = clock.monotonic() + timeout
    while True:
        rest, lives = deadline - clock.monotonic(), is_alive()
        try:
            reply = client.get_shell_msg(timeout=max(min(rest, _LOOK_SECONDS), 0.01))
        except Empty as error:
            if not lives:
                raise _Ended(
                    "The kernel ended before it had the state.",
                    hint="Nothing is lost. `jupyter console` with the same kernel shows why it "
                    "does not stay.",
                ) from error
            if rest > 0:
                continue
            raise Unavailable(
                f"The kernel did not answer within {timeout:.0f} seconds: a cell may be running.",
                hint="Nothing is lost. Try again when it has ended.",
                retryable=True,
            ) from error
        if reply["parent_header"].get("msg_id") == message:
            return dict(reply["content"])


class _Ended(Unavailable):
    """The kernel's process is gone."""


def _rebuilt(told: Mapping[str, Any]) -> RewindError:
    kind = getattr(errors, str(told.get("class")), RewindError)
    if not (isinstance(kind, type) and issubclass(kind, RewindError)):
        kind = RewindError
    return kind(str(told.get("message")), code=str(told.get("code")), hint=str(told.get("hint")))
