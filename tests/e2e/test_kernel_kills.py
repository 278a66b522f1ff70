"""kill -9 of a kernel at random moments: in a cell, in a capture, in a restore.

Each trial runs cells whose states a plain model knows, kills the kernel at a moment drawn by
chance, and resumes in a new one: the state after the last cell that was answered comes back, exact;
or that of the cell in flight, where its state was kept before the kill. Nothing in between.
"""

from __future__ import annotations

import json
import os
import random
import signal
import threading
from pathlib import Path
from queue import Empty
from typing import Any

import pytest

from jupyter_rewind.store.upkeep import verify
from tests.support.kernels import Home, Kernel, eventually, running

SETUP = """
import collections, hashlib, json
data, index, total, notes = [], {}, 0, collections.OrderedDict()
twin = data
def step(n):
    global total
    data.append([n, str(n) * 50]); index[n % 7] = data[-1]; total += n; notes[n] = index
def state():
    same = [twin is data, all(row in data for row in index.values())]
    same += [any(row is other for other in data) for row in index.values()]
    named = {str(k): v for k, v in sorted(index.items())}
    return json.dumps([data, named, total, len(notes), same])
"""


class Model:
    """What the variables should be: an oracle in plain Python."""

    def __init__(self) -> None:
        self.data: list[list[Any]] = []
        self.index: dict[int, list[Any]] = {}
        self.total = 0
        self.notes = 0

    def step(self, n: int) -> None:
        self.data.append([n, str(n) * 50])
        self.index[n % 7] = self.data[-1]
        self.total += n
        self.notes += 1

    def after(self, numbers: list[int]) -> list[Any]:
        """The state after these steps, as `state` tells it."""
        for number in numbers:
            self.step(number)
        index = {str(key): row for key, row in sorted(self.index.items())}
        return [self.data, index, self.total, self.notes, [True, True, *([True] * len(index))]]


def run_until_killed(kernel: Kernel, chance: random.Random) -> tuple[list[int], list[int]]:
    """The steps of the last answered cell's state, and of that of the cell in flight."""
    killer = threading.Timer(chance.uniform(0.0, 1.5), lambda: os.kill(kernel.pid, signal.SIGKILL))
    states: dict[int, list[int]] = {1: []}
    answered: list[int] = []
    killer.start()
    try:
        for count in range(2, 2000):
            if count > 4 and chance.random() < 0.15:
                target = chance.randrange(1, count - 1)
                source, following = f"%rewind to {target}", list(states[target])
            else:
                following = [*answered, count]
                pause = f"import time; time.sleep({chance.random() * 0.03})\n"
                source = (pause if chance.random() < 0.3 else "") + f"step({count})"
            if not is_answered(kernel, source):
                return answered, following
            states[count] = answered = following
    finally:
        killer.cancel()
    raise AssertionError("the kernel was never killed")


def is_answered(kernel: Kernel, source: str) -> bool:
    """Whether the cell was answered before the kernel was gone."""
    message = kernel.client.execute(source)
    while True:
        try:
            reply = kernel.client.get_shell_msg(timeout=0.2)
        except Empty:
            if not kernel.manager.is_alive():
                return False
            continue
        if reply["parent_header"].get("msg_id") == message:
            assert reply["content"]["status"] == "ok", reply["content"]
            return True


def check_kill(home: Home, seed: int) -> None:
    """One trial."""
    chance = random.Random(seed)
    with running(home) as kernel:
        assert kernel.run(SETUP).status == "ok"
        answered, in_flight = run_until_killed(kernel, chance)
        eventually(lambda: not kernel.manager.is_alive(), "the kernel is gone")
    with running(home) as kernel:
        said = kernel.run("%rewind resume")
        assert said.status == "ok", (seed, said)
        found = json.loads(kernel.run("print(state())").text)
        allowed = [Model().after(answered), Model().after(in_flight)]
        assert found in allowed, (seed, answered[-3:], in_flight[-3:], found[2:])
        assert kernel.run("step(0); print(twin is data)").text == "True\n"
    with home.repository() as repository:
        assert verify(repository, read_data=True).ok, seed


@pytest.mark.slow
@pytest.mark.crash
@pytest.mark.parametrize("seed", range(4))
def test_the_last_finished_cells_state_comes_back_after_a_kill(tmp_path: Path, seed: int) -> None:
    """Whenever a kernel is killed, the state after the last answered cell is there, exact."""
    check_kill(Home(tmp_path), seed)


@pytest.mark.long
@pytest.mark.crash
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(100, 300))
def test_two_hundred_kills(tmp_path: Path, seed: int) -> None:
    """The same at two hundred moments."""
    check_kill(Home(tmp_path), seed)
