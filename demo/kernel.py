"""Kills a notebook's kernel and brings its variables back: the second half of `./run --demo`."""

from __future__ import annotations

import ast
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient

PATIENCE = 60.0
CELLS = (
    "import random; random.seed(7)\nreadings = [random.random() for _ in range(20_000)]",
    "by_day = {day: readings[day::7] for day in range(7)}\nmonday = by_day[0]",
    "class Model:\n    def __init__(self, days): self.days, self.fitted = days, []\n"
    "    def fit(self): self.fitted = [sum(d) / len(d) for d in self.days.values()]; return self\n"
    "model = Model(by_day).fit()",
    "monday[:] = []; del readings  # a mistake",
)
STATE = (
    "(sum(map(sum, by_day.values())), monday is by_day[0], model.days is by_day, model.fitted, "
    "'readings' in globals())"
)

Ask = Callable[..., Any]
Say = Callable[[str], None]


class Failed(Exception):
    """The kernel or its variables did not come back."""


class Notebook:
    """A notebook's kernel on a server, worked with as a front end does."""

    def __init__(self, ask: Ask, runtime: Path, name: str) -> None:
        self._ask = ask
        body = {"path": name, "name": name, "type": "notebook", "kernel": {"name": "python3"}}
        self.session = ask("POST", "/api/sessions", body)
        self.kernel = str(self.session["kernel"]["id"])
        self._connection = str(runtime / f"kernel-{self.kernel}.json")
        self._client = self._connect()

    def _connect(self) -> BlockingKernelClient:
        client = BlockingKernelClient()
        client.load_connection_file(self._connection)
        client.start_channels(hb=False)
        client.wait_for_ready(timeout=PATIENCE)
        return client

    def run(self, source: str) -> str:
        """What the cell printed. Raises Failed where it ended with an error."""
        said: list[str] = []

        def hear(message: dict[str, Any]) -> None:
            if message["msg_type"] == "stream":
                said.append(message["content"]["text"])

        reply = self._client.execute_interactive(source, timeout=PATIENCE, output_hook=hear)
        if reply["content"]["status"] != "ok":
            raise Failed(f"{source.splitlines()[0]} failed: {reply['content'].get('evalue')}")
        return "".join(said)

    def value(self, expression: str) -> Any:
        """What the expression is worth in the kernel."""
        return ast.literal_eval(self.run(f"print(repr({expression}))"))

    def wait_for_state(self, count: int) -> None:
        """The state after In[count] is kept: on a slow machine, in the first pause behind it."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            found = self._ask("GET", f"/rewind/api/v1/kernels/{self.kernel}/snapshots")
            if any(each["count"] == count for each in found["snapshots"]):
                return
            time.sleep(0.1)
        raise Failed(f"The state after In[{count}] was not kept.")

    def kill(self) -> None:
        """kill -9, and the server has started the kernel anew."""
        before = int(self.value("__import__('os').getpid()"))
        os.kill(before, signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            runs = self._ask("GET", "/rewind/api/v1/kernels")["runs"]
            if any(each["alive"] and each["pid"] != before for each in runs):
                # A fresh client: the old one may take the time without a kernel for its end.
                self._client.stop_channels()
                self._client = self._connect()
                return
            time.sleep(0.1)
        raise Failed("The server did not start the kernel anew.")

    def close(self) -> None:
        self._client.stop_channels()
        self._ask("DELETE", f"/api/sessions/{self.session['id']}")


def kill_and_bring_back(ask: Ask, runtime: Path, name: str, say: Say) -> None:
    """Raises Failed where anything is not as it was."""
    notebook = Notebook(ask, runtime, name)
    try:
        say("\nWork in the notebook's kernel: 20,000 readings, a class, a model, shared lists.")
        for source in CELLS[:3]:
            notebook.run(source)
        notebook.wait_for_state(3)
        before = notebook.value(STATE)
        notebook.run(CELLS[3])
        say(f"  The last cell spoiled it: {CELLS[3]}")
        began = time.monotonic()
        notebook.run("%rewind to 3")
        say(f"  `%rewind to 3` took {1000 * (time.monotonic() - began):.0f} ms.")
        _compare(notebook, before, "after going back")

        say("\nThe disaster: kill -9 of the kernel. The server starts an empty one.")
        notebook.kill()
        words = notebook.run("pass")
        if "%rewind resume" not in words:
            raise Failed(f"The new kernel did not offer the old one's state. It said: {words!r}")
        began = time.monotonic()
        notebook.run("%rewind resume")
        say(f"  `%rewind resume` took {1000 * (time.monotonic() - began):.0f} ms.")
        _compare(notebook, before, "after the kill")
        if len(notebook.value("model.fit().fitted")) != 7:
            raise Failed("The class that came back does not work.")
    finally:
        notebook.close()


def _compare(notebook: Notebook, expected: object, when: str) -> None:
    found = notebook.value(STATE)
    if found != expected:
        raise Failed(f"The variables {when} are {found}, not {expected}.")
    print("  Every variable is back, and what was shared is shared again.", flush=True)
