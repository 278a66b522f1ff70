"""How fast a push or a pull may go, and that nobody waits for it in vain."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from jupyter_rewind import clock
from jupyter_rewind.store.replica import packing, push
from jupyter_rewind.store.replica.cloud import CloudObjects
from jupyter_rewind.store.replica.fetching import Source
from jupyter_rewind.store.replica.ledger import Place
from jupyter_rewind.store.replica.pace import Pace
from tests.support.forwarders import DEADLINE_SECONDS
from tests.support.replicas import Machine
from tests.support.stores import Filled, noise, segment_files


def test_who_interrupts_a_slow_pull_does_not_wait_for_its_rate() -> None:
    """Ctrl-C ends what waits for its turn; at this rate it would be 12 seconds until the last."""
    objects = CloudObjects(MemoryStore(), "memory")
    places = []
    for number in range(4):
        objects.create(f"some/{number}", bytes(1000))
        places.append(Place(number * 1000, number * 1000 + 1000, f"some/{number}", 0))
    coming = Source(objects, Pace(250)).read_all(places)
    next(coming)
    begun = clock.monotonic()
    with pytest.raises(KeyboardInterrupt):
        coming.throw(KeyboardInterrupt)  # type: ignore[attr-defined]
    assert clock.monotonic() - begun < 8


def test_who_interrupts_a_slow_push_does_not_wait_for_its_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C ends what waits for its turn, and nothing more is sent: at this rate it would be
    minutes."""
    monkeypatch.setattr(packing, "INLINE_BYTES", 0)
    monkeypatch.setattr(packing, "PACK_BYTES", 64 << 10)
    objects = CloudObjects(MemoryStore(), "memory")
    machine = Machine(Filled(tmp_path), objects)
    with machine.open() as repository:
        machine.filled.add(repository, parts=[noise(f"part {n}", 900) for n in range(700)])

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        machine.push(pace=Pace(640), progress=interrupt)
    assert len([*objects.find("packs/")]) == 1


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no signal to one thread here")
def test_who_interrupts_a_push_that_only_compares_does_not_wait_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All packs are there from a push that was stopped, and what is here is still being compared:
    Ctrl-C ends that, too."""
    monkeypatch.setattr(packing, "INLINE_BYTES", 0)
    compared = threading.Event()
    main = threading.main_thread().ident
    assert main is not None

    def compare(repository: object, name: str, start: int, end: int, pace: Pace) -> None:
        while not [*objects.find("packs/")]:
            pace.check()
        compared.wait(0.3)
        signal.pthread_kill(main, signal.SIGUSR1)
        while not compared.wait(0.01):
            pace.check()

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    objects = CloudObjects(MemoryStore(), "memory")
    machine = Machine(Filled(tmp_path), objects)
    machine.save()
    monkeypatch.setattr(push, "read_tail", compare)
    before = signal.signal(signal.SIGUSR1, interrupt)
    given_up = threading.Timer(DEADLINE_SECONDS, compared.set)
    given_up.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            machine.push()
        assert not compared.is_set(), "it was waited for"
    finally:
        given_up.cancel()
        compared.set()
        signal.signal(signal.SIGUSR1, before)


class Road(CloudObjects):
    """A memory that tells how many packs are on their way at once. The first one arrives when all
    others have."""

    def __init__(self) -> None:
        super().__init__(MemoryStore(), "memory")
        self.others = threading.Semaphore(0)
        self.lock = threading.Lock()
        self.first = ""
        self.now = self.most = 0
        self.expected = 0

    def create(self, key: str, data: bytes | bytearray) -> bool:
        if not key.startswith("packs/"):
            return super().create(key, data)
        with self.lock:
            self.first = self.first or key
            self.now += 1
            self.most = max(self.most, self.now)
        if key == self.first:
            for _ in range(self.expected - 1):
                assert self.others.acquire(timeout=DEADLINE_SECONDS), "it was waited for"
        made = super().create(key, data)
        time.sleep(0.005)  # where more than may be are on their way, they meet
        with self.lock:
            self.now -= 1
        self.others.release()
        return made


@pytest.mark.parametrize("sealed", [False, True])
def test_a_slow_pack_stops_no_other_and_no_more_are_on_their_way_than_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sealed: bool
) -> None:
    """What a push has in memory, and asks of the server at once, is bounded; within that nothing
    waits for what was begun before it."""
    monkeypatch.setattr(packing, "INLINE_BYTES", 0)
    monkeypatch.setattr(packing, "PACK_BYTES", 64 << 10)
    road = Road()
    machine = Machine(Filled(tmp_path), road)
    with machine.open() as repository:
        machine.filled.add(repository, parts=[noise("large", 700_000)])
    [segment] = segment_files(machine.filled)
    road.expected = -(-segment.stat().st_size // (64 << 10))
    machine.push(sealed=sealed, pace=Pace(hands=3))
    assert road.expected > 10 and road.most <= 3
    assert len([*road.find("packs/")]) == road.expected
