"""The command that pushes is killed with SIGKILL at any moment, again and again."""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jupyter_rewind.store.replica.address import open_objects, parse_address
from jupyter_rewind.store.replica.check import check
from tests.support import object_servers
from tests.support.fault_proxy import PASS, RESET, FaultProxy, fault_proxy
from tests.support.object_servers import Server
from tests.support.replicas import Machine, holds, next_machine
from tests.support.stores import QuickFiles, fill, noise

pytestmark = [
    pytest.mark.crash,
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here"),
]
ROOT = Path(__file__).parents[2]


def command(machine: Machine, *words: str) -> list[str]:
    folder = machine.filled.folder
    return [
        sys.executable, "-m", "jupyter_rewind.faces.cli.app", "replica", *words,
        "--store", str(folder / "store"),
        "--set", f"store.key_folder={folder / 'keys'}",
        "--set", f"replica.url={machine.url}",
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("rounds", "kills"), [(4, 1), pytest.param(24, 8, marks=pytest.mark.long)])
def test_a_push_that_is_killed_loses_and_doubles_nothing(
    rounds: int, kills: int, tmp_path: Path, seaweed: Server, keys: dict[str, str]
) -> None:
    """Between the kills more is saved; in the end a new machine has everything, once."""
    with fault_proxy(seaweed.endpoint) as proxy:
        url = (
            f"s3://rewind/killed-{rounds}-{os.getpid()}?endpoint={proxy.endpoint}&region=us-east-1"
        )
        first = Machine(fill(tmp_path / "a", segments=2), open_objects(parse_address(url)), url)
        rng = random.Random(11)
        killed = 0
        for number in range(rounds):
            size = rng.choice((500, 3 << 20))
            with first.open() as repository:
                first.filled.add(repository, parts=[noise(f"n{number}", size)])
            killed += _push_and_kill(first, proxy, rng.randint(1, 9), rng.choice((PASS, RESET)))
        assert killed >= kills
        proxy.rule = lambda method, path: PASS
        _check_all(tmp_path, first)


def _push_and_kill(first: Machine, proxy: FaultProxy, at: int, fate: str) -> bool:
    """Whether the push was killed, at the request with this number, before it or behind it."""
    children: list[int] = []
    count = itertools.count(1)

    def rule(method: str, path: str) -> str:
        if next(count) != at:
            return PASS
        os.kill(children[0], signal.SIGKILL)
        return fate

    proxy.rule = rule
    with subprocess.Popen(command(first, "push"), cwd=ROOT, stderr=subprocess.PIPE) as child:
        children.append(child.pid)
        _, said = child.communicate(timeout=120)
    assert child.returncode in {0, -signal.SIGKILL}, said.decode()
    return child.returncode != 0


def _check_all(tmp_path: Path, first: Machine) -> None:
    subprocess.run(command(first, "push"), cwd=ROOT, check=True, timeout=120)
    second = next_machine(tmp_path / "b", first)
    second.pull()
    assert holds(second, first)
    with first.open() as repository:
        report = check(repository.layout, QuickFiles(), first.objects, read_share=1.0)
    assert report.ok, report.faults


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_server_that_is_killed_keeps_what_it_acknowledged(
    tmp_path: Path, keys: dict[str, str]
) -> None:
    """SeaweedFS is killed in the middle of a push and begun again: the push goes on by itself or
    is repeated, and a new machine has everything, once."""
    folder = tmp_path / "server"
    folder.mkdir()
    ports = object_servers.seaweed_ports()
    url = f"s3://rewind/down?endpoint=http://127.0.0.1:{ports['s3']}&region=us-east-1"
    first = Machine(fill(tmp_path / "a", segments=2), open_objects(parse_address(url)), url)
    with object_servers.seaweed(folder, ports):
        first.push()
        acknowledged = first.objects.size("rewind-replica")
        with first.open() as repository:
            first.filled.add(repository, parts=[noise("large", 12 << 20)])
        child = subprocess.Popen(command(first, "push"), cwd=ROOT, stderr=subprocess.PIPE)
        _wait_for_a_pack(first, child)
    with object_servers.seaweed(folder, ports):
        _, said = child.communicate(timeout=300)
        assert child.returncode in {0, 6}, said.decode()
        assert first.objects.size("rewind-replica") == acknowledged
        first.push()
        second = next_machine(tmp_path / "b", first)
        second.pull()
        assert holds(second, first)
        with first.open() as repository:
            report = check(repository.layout, QuickFiles(), first.objects, read_share=1.0)
        assert report.ok and report.refs == 2, report.faults


def _wait_for_a_pack(machine: Machine, child: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 120
    while child.poll() is None and time.monotonic() < end:
        if machine.objects.folders("packs/"):
            return
        time.sleep(0.01)
