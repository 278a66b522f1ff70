"""Writers are killed with SIGKILL at any moment; what they acknowledged is there.

The default run kills for some seconds; for five minutes:

    python -m pytest tests/crash/test_kill.py -m long
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.upkeep import verify
from tests.crash.writing_child import content

pytestmark = [
    pytest.mark.crash,
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here"),
]
_ROOT = Path(__file__).parents[2]


def _start(folder: Path, number: int, durability: str, log: Path) -> subprocess.Popen[bytes]:
    with open(log, "ab") as out:
        return subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.crash.writing_child",
                str(folder),
                str(number),
                durability,
            ],
            stdout=out,
            cwd=_ROOT,
        )


def _kill_for(seconds: float, folder: Path, durability: str) -> dict[str, int]:
    """Four writers at once, each killed and started again all the time; all they acknowledged.
    Where the machine is busy it takes longer: a writer that has just begun has written nothing."""
    rng = random.Random(7)
    logs = [folder / f"log{number}" for number in range(4)]
    children = [_start(folder, n, durability, logs[n]) for n in range(4)]
    end = time.monotonic() + seconds
    while time.monotonic() < end or _count_lines(logs) <= 4 * seconds:
        time.sleep(rng.uniform(0.05, 0.6))
        number = rng.randrange(4)
        os.kill(children[number].pid, signal.SIGKILL)
        children[number].wait()
        children[number] = _start(folder, number, durability, logs[number])
    for child in children:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    told = [line.split() for log in logs for line in log.read_text().splitlines()]
    return {name: int(seed) for name, seed in told}


def _count_lines(logs: list[Path]) -> int:
    return sum(log.read_bytes().count(b"\n") for log in logs)


def _all_is_there(folder: Path, told: dict[str, int], index: Path) -> None:
    with Repository.open(
        folder / "store", key_folder=folder / "keys", index_path=index
    ) as repository:
        repository.refresh()
        present = {entry.id: entry for entry in repository.entries()}
        assert not told.keys() - present.keys(), "acknowledged commits are lost"
        for entry in present.values():
            seed = entry.body["seed"]
            assert isinstance(seed, int)
            assert repository.get_blob(entry.roots) == content(seed)
        assert not repository.gaps()
        assert verify(repository, read_data=True).ok


def _run(seconds: float, folder: Path, durability: str) -> None:
    told = _kill_for(seconds, folder, durability)
    assert len(told) > 4 * seconds
    _all_is_there(folder, told, folder / "index.sqlite")
    _all_is_there(folder, told, folder / "none" / "index")


@pytest.mark.slow
@pytest.mark.parametrize("durability", ["power", "process"])
def test_no_acknowledged_commit_is_lost_when_writers_are_killed(
    durability: str, tmp_path: Path
) -> None:
    """Four writers on one store and one index, killed again and again."""
    _run(6, tmp_path, durability)


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("durability", ["power", "process"])
def test_no_acknowledged_commit_is_lost_in_minutes_of_killing(
    durability: str, tmp_path: Path
) -> None:
    _run(150, tmp_path, durability)
