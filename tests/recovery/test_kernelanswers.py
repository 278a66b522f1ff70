"""Kernels that run are asked side by side, each once; those that do not answer are told apart."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zmq
from jupyter_client.session import Session

from jupyter_rewind.errors import Unavailable
from jupyter_rewind.recovery import kernelquestions
from jupyter_rewind.recovery.evidence import Evidence, Scope, Trace
from jupyter_rewind.recovery.search import gather, look
from jupyter_rewind.recovery.traces.live import LiveKernelFinder
from jupyter_rewind.rescue import Request, open_scope
from jupyter_rewind.settings import Rewind
from tests.support.traces import Home, traces_of

FINDER = LiveKernelFinder()
KEY = "a-key"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def connect(home: Home, number: int, port: int, heart: int) -> None:
    """A connection file that names no notebook, as VS Code and consoles leave them."""
    folder = home.path / ".local/share/jupyter/runtime"
    folder.mkdir(parents=True, exist_ok=True)
    ports = {f"{name}_port": port for name in ("shell", "iopub", "stdin", "control")}
    told = {
        **ports, "hb_port": heart, "ip": "127.0.0.1", "key": KEY, "transport": "tcp",
        "signature_scheme": "hmac-sha256", "kernel_name": "python3",
    }  # fmt: skip
    # No other kernel of this machine is called so.
    (folder / f"kernel-{number}-{heart}.json").write_text(json.dumps(told))


class Kernels:
    """Programs that speak as kernels do; none answers before `together` were asked."""

    def __init__(self, together: int) -> None:
        self.asked: list[str] = []
        self._context, self._together = zmq.Context(), together
        self.sockets = [self._context.socket(zmq.ROUTER) for _ in range(together or 1)]
        self.hearts = [self._context.socket(zmq.REP) for _ in self.sockets]
        self.ports = [each.bind_to_random_port("tcp://127.0.0.1") for each in self.sockets]
        self.heart_ports = [each.bind_to_random_port("tcp://127.0.0.1") for each in self.hearts]
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._answer)

    def __enter__(self) -> Kernels:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        self._context.destroy(linger=0)

    def _answer(self) -> None:
        session = Session(key=KEY.encode())
        held: list[tuple[int, list[bytes], dict[str, Any]]] = []
        first: set[int] = set()
        while not self._end.is_set():
            for number, each in enumerate(self.sockets):
                if not each.poll(10):
                    continue
                names, parts = session.feed_identities(each.recv_multipart())
                message = session.deserialize(parts)
                self.asked.append(message["msg_type"])
                first.add(number)
                held.append((number, names, message))
            if self._together and len(first) == self._together:
                for number, names, message in held:
                    self._reply(session, number, names, message)
                held.clear()

    def _reply(
        self, session: Session, number: int, names: list[bytes], message: dict[str, Any]
    ) -> None:
        content: dict[str, Any] = {"status": "ok", "language_info": {"name": "r"}}
        if message["msg_type"] == "history_request":
            content = {"status": "ok", "history": [[0, 1, [f"cell_{number} <- 1", None]]]}
        kind = message["msg_type"].replace("_request", "_reply")
        session.send(self.sockets[number], kind, content, parent=message, ident=names)


def test_kernels_are_asked_side_by_side(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three kernels are slow to answer: one is not waited for before the next is asked."""
    monkeypatch.setattr(kernelquestions, "IDLE_SECONDS", 30.0)
    with Kernels(together=3) as kernels:
        for number in range(3):
            connect(home, number, kernels.ports[number], kernels.heart_ports[number])
        scope = home.scope()
        heard = gather(scope, look(scope, [FINDER]).traces, [FINDER])
    assert not heard.problems
    assert [each.executions[0].source for each in heard.runs] == [
        f"cell_{number} <- 1" for number in range(3)
    ]


@contextmanager
def mute_program() -> Iterator[int]:
    """The port of a program that takes every connection and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        yield server.getsockname()[1]


def why(trace: Trace, scope: Scope) -> str:
    with pytest.raises(Unavailable) as told:
        FINDER.read(trace, scope)
    return str(told.value)


def test_busy_kernel_and_another_programs_port_are_told_apart(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is no kernel is not called a kernel that is busy."""
    monkeypatch.setattr(kernelquestions, "IDLE_SECONDS", 3.0)
    with Kernels(together=0) as busy, mute_program() as other:
        connect(home, 1, busy.ports[0], busy.heart_ports[0])
        connect(home, 2, other, other)
        scope = home.scope()
        first, second = traces_of(FINDER, scope)
        assert "it is busy" in why(first, scope)
        assert "another program's" in why(second, scope)


def test_kernel_that_did_not_answer_is_asked_once_for_all_notebooks(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every notebook of a folder is brought back: the time of a busy kernel is paid once."""
    monkeypatch.setattr(kernelquestions, "IDLE_SECONDS", 0.5)
    environ = {"HOME": str(home.path)}
    one = Request(target=str(home.work / "one.ipynb"), environ=environ, home=home.path)

    def told(request: Request) -> Evidence:
        with open_scope(Rewind(), request) as scope:
            return gather(scope, look(scope, [FINDER]).traces, [FINDER])

    with Kernels(together=0) as busy:
        connect(home, 1, busy.ports[0], busy.heart_ports[0])
        heard = [told(replace(one, target=str(home.work / f"{n}.ipynb"))) for n in range(3)]
        anew = told(Request(target=one.target, environ=environ, home=home.path))
    for each in (*heard, anew):
        assert ["did not answer" in problem.words for problem in each.problems] == [True]
    assert len(busy.asked) <= 2, "once for the first request, and once for the other"
