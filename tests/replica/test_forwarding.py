"""What is committed goes to a replica by itself, beside the user's work."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from jupyter_rewind import clock
from jupyter_rewind.errors import Conflict, NotFound
from jupyter_rewind.store.replica import forwarding
from jupyter_rewind.store.replica.cloud import CloudObjects
from jupyter_rewind.store.replica.folder import FolderObjects
from jupyter_rewind.store.replica.forwarding import LONGEST_PAUSE_SECONDS, State, longer_pause
from jupyter_rewind.store.replica.push import sole_pusher
from jupyter_rewind.store.rotation import rotate
from tests.support.forwarders import (
    DEADLINE_SECONDS,
    Running,
    Watched,
    counted_looks,
    is_current,
)
from tests.support.replicas import (
    URL,
    Machine,
    first_machine,
    holds,
    next_machine,
)
from tests.support.stores import QuickFiles, noise


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return first_machine(tmp_path / "a", CloudObjects(MemoryStore(), "memory"))


@pytest.fixture
def run(machine: Machine) -> Iterator[Callable[..., Running]]:
    begun: list[Running] = []

    def begin(**more: object) -> Running:
        begun.append(Running(machine, **more))  # type: ignore[arg-type]
        begun[-1].forwarder.start()
        return begun[-1]

    yield begin
    for each in begun:
        each.objects.gate.set()
        each.forwarder.end()
        assert each.forwarder.join(DEADLINE_SECONDS)


def test_what_is_committed_is_there_soon(
    tmp_path: Path, machine: Machine, run: Callable[..., Running]
) -> None:
    """Nobody asks for a push: what was there before the start and what comes later is sent."""
    running = run()
    running.until(lambda: is_current(running))
    second = next_machine(tmp_path / "b", machine)
    second.pull()
    assert holds(second, machine)
    machine.save(3)
    machine.save(2)

    def has_all() -> bool:
        second.pull()
        with second.open() as repository:
            return len(repository.entries()) == len(machine.filled.bodies)

    running.until(has_all)
    assert holds(second, machine)


def test_a_replica_is_left_alone_while_nothing_is_new(
    machine: Machine, run: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looks at the store go on, and cost no request."""
    running = run()
    running.until(lambda: is_current(running))
    asked = running.objects.asked
    looks = counted_looks(monkeypatch)
    running.until(lambda: len(looks) > 5)
    assert running.objects.asked == asked


def test_a_small_commit_costs_four_requests(machine: Machine, run: Callable[..., Running]) -> None:
    """One PUT, and three small reads: whose replica it is, whether our last push is there, and that
    collecting has not overtaken this one."""
    running = run()
    running.until(lambda: is_current(running))
    with machine.open() as repository:  # closing it would be one more commit
        for _ in range(3):
            asked, pushed = running.objects.asked, running.account.pushed_ns
            machine.filled.add(repository)
            running.until(lambda pushed=pushed: running.account.pushed_ns != pushed)
            running.until(lambda: is_current(running))
            assert running.objects.asked == asked + 4


def test_an_empty_bucket_is_noticed_without_news(
    tmp_path: Path, machine: Machine, run: Callable[..., Running]
) -> None:
    """When a server begins, the replica is asked whether it still has what was pushed."""
    machine.push()
    machine.objects = CloudObjects(MemoryStore(), "memory")
    running = run()
    running.until(lambda: is_current(running))
    second = next_machine(tmp_path / "b", machine)
    second.pull()
    assert holds(second, machine)


def test_a_failure_is_told_and_mends_itself(
    tmp_path: Path, machine: Machine, run: Callable[..., Running]
) -> None:
    """While the server is down the account says since when and how much waits; afterwards all is
    there, and each change was told once."""
    running = run()
    running.until(lambda: is_current(running))
    running.objects.fails = True
    machine.save(2)
    # One try may have begun between the two; the next one has seen both.
    failures = running.account.failures
    running.until(lambda: running.account.failures > failures + 1)
    account = running.account
    assert account.state is State.FAILING and account.lag.behind_entries == 2
    assert account.error is not None and "down" in account.error.message
    assert account.lag.oldest_ns is not None and account.lag.behind_bytes > 0
    running.objects.fails = False
    running.until(lambda: is_current(running))
    assert running.account.error is None and running.account.lag.behind_bytes == 0
    states = [each.state for each in running.told]
    assert all(one is not other for one, other in itertools.pairwise(states))
    assert states.count(State.FAILING) == 1
    second = next_machine(tmp_path / "b", machine)
    second.pull()
    assert holds(second, machine)


def test_what_waits_is_counted_while_nobody_tries(
    machine: Machine, run: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Minutes may pass between two tries: what is saved then is told as not yet there."""
    monkeypatch.setattr(forwarding, "_MEASURE_SECONDS", 0.05)
    machine.push()
    watched = Watched(machine.objects)
    watched.fails = True
    machine.objects = watched
    running = run(interval_seconds=3600)
    running.until(lambda: running.account.state is State.FAILING)
    assert running.account.lag.behind_entries == 0
    machine.save(2)
    running.until(lambda: running.account.lag.behind_entries == 2)
    assert running.account.failures == 1 and running.account.lag.behind_bytes > 0


def test_a_changed_key_is_noticed_by_an_idle_server(
    machine: Machine, run: Callable[..., Running]
) -> None:
    """Nothing of the store as it is now goes to the old replica, and nobody calls that current."""
    running = run()
    running.until(lambda: is_current(running))
    with machine.open() as repository:
        layout = repository.layout
    rotate(layout, machine.filled.folder / "keys", QuickFiles(), lambda entry, *_: entry)
    running.until(lambda: running.account.state is State.FAILING)
    assert isinstance(running.account.error, Conflict)
    assert running.account.lag.behind_entries == len(machine.filled.bodies)


def test_pauses_grow_and_differ() -> None:
    """Servers that lost their replica together do not come back together, nor too often."""
    for failures in range(1, 40):
        drawn = [longer_pause(5.0, failures) for _ in range(50)]
        whole = min(5.0 * 2**failures, LONGEST_PAUSE_SECONDS)
        assert all(whole / 2 <= each <= whole for each in drawn)
        assert len(set(drawn)) > 5


def test_a_save_is_made_way_for(machine: Machine, run: Callable[..., Running]) -> None:
    """While the user saves nothing is sent; afterwards it is."""
    until = [clock.monotonic() + 3600]
    calm = threading.Event()

    def calm_in() -> float:
        calm.set()
        return max(0.0, until[0] - clock.monotonic()) / 1000

    running = run(calm_in=calm_in)
    assert calm.wait(DEADLINE_SECONDS)
    assert running.objects.asked == 0
    until[0] = 0.0
    running.until(lambda: is_current(running))


def test_it_takes_turns_with_a_command(machine: Machine, run: Callable[..., Running]) -> None:
    """While somebody else pushes it waits, which is no failure."""
    with machine.open() as repository, sole_pusher(repository.layout, URL):
        running = run()
        running.until(lambda: running.account.state is State.BEHIND)
        threading.Event().wait(0.3)
        assert running.account.error is None and running.objects.asked == 0
    running.until(lambda: is_current(running))
    assert not running.account.failures


def test_the_end_is_a_last_try(tmp_path: Path, machine: Machine) -> None:
    """What was committed a moment ago is pushed, though the next look was an hour away."""
    running = Running(machine, interval_seconds=3600)
    running.forwarder.start()
    running.until(lambda: is_current(running))
    machine.save(2)
    running.forwarder.end()
    assert running.forwarder.join(DEADLINE_SECONDS)
    second = next_machine(tmp_path / "b", machine)
    second.pull()
    assert holds(second, machine)


def test_the_last_try_is_bounded(tmp_path: Path, machine: Machine) -> None:
    """A replica that does not answer keeps no server from ending, and nothing is lost by that."""
    running = Running(machine)
    running.objects.gate.clear()
    running.forwarder.start()
    running.until(lambda: running.objects.asked > 0)
    running.forwarder.end()
    assert not running.forwarder.join(0.2)
    running.objects.gate.set()
    assert running.forwarder.join(DEADLINE_SECONDS)
    again = Running(machine)
    again.forwarder.start()
    again.forwarder.end()
    assert again.forwarder.join(DEADLINE_SECONDS)
    second = next_machine(tmp_path / "b", machine)
    second.pull()
    assert holds(second, machine)


def test_a_slow_rate_does_not_keep_it_from_ending(machine: Machine) -> None:
    """At a thousand bytes a second, a large push is left where it is when time is up."""
    with machine.open() as repository:
        machine.filled.add(repository, parts=[noise("large", 3 << 20)])
    running = Running(machine, bytes_per_second=1000)
    running.forwarder.start()
    # The second pack waits for an hour of its turn.
    running.until(lambda: any(True for _ in machine.objects.find("packs/")) or _waits(running))
    running.forwarder.end()
    running.forwarder.join(0.1)
    assert running.forwarder.join(DEADLINE_SECONDS)


def _waits(running: Running) -> bool:
    return running.account.state is State.BEHIND and running.objects.asked > 3


def test_a_store_that_is_not_there_yet_is_waited_for(tmp_path: Path, machine: Machine) -> None:
    """Before the first save there is nothing to push, and that is no failure."""
    opened = itertools.count()

    def open_store() -> object:
        if next(opened) < 3:
            raise NotFound("There is no store yet.")
        return machine.open()

    running = Running(machine)
    running.forwarder._open_store = open_store  # type: ignore[assignment]
    running.forwarder.start()
    running.until(lambda: is_current(running))
    assert not running.account.failures
    running.forwarder.end()
    assert running.forwarder.join(DEADLINE_SECONDS)


def test_a_folder_that_is_not_mounted_is_a_failure(tmp_path: Path) -> None:
    """Nothing is made where a disk is missing; when it is back, the push goes on."""
    folder = tmp_path / "mount"
    machine = first_machine(tmp_path / "a", FolderObjects(folder, QuickFiles()))
    running = Running(machine)
    running.forwarder.start()
    running.until(lambda: running.account.state is State.FAILING)
    assert not folder.exists()
    folder.mkdir()
    running.until(lambda: is_current(running))
    running.forwarder.end()
    assert running.forwarder.join(DEADLINE_SECONDS)
