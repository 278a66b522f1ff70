"""How fast a push or a pull may go, and that nobody waits for it in vain."""

from __future__ import annotations

import pytest
from obstore.store import MemoryStore

from jupyter_rewind import clock
from jupyter_rewind.store.replica.cloud import CloudObjects
from jupyter_rewind.store.replica.fetching import Source
from jupyter_rewind.store.replica.ledger import Place
from jupyter_rewind.store.replica.pace import Pace


def test_who_interrupts_a_slow_pull_does_not_wait_for_its_rate() -> None:
    """Ctrl-C ends what waits for its turn; at this rate it would be minutes until the last."""
    objects = CloudObjects(MemoryStore(), "memory")
    places = []
    for number in range(4):
        objects.create(f"some/{number}", bytes(1000))
        places.append(Place(number * 1000, number * 1000 + 1000, f"some/{number}", 0))
    coming = Source(objects, Pace(10)).read_all(places)
    next(coming)
    begun = clock.monotonic()
    with pytest.raises(KeyboardInterrupt):
        coming.throw(KeyboardInterrupt)  # type: ignore[attr-defined]
    assert clock.monotonic() - begun < 60
