"""Forwarding: what is committed goes to one replica by itself, from a thread of its own.

The thread looks at the store every few seconds, and asks the replica for nothing while there is
nothing new. It sends one pack at a time, waits while the user saves, and after a failure waits
longer and longer, with some chance in it, so that many servers do not come back at one moment.
Once in a while it collects the replica, where much of that is gone here.
No commit waits for it: what it could not send is committed here, and is sent later.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum

from jupyter_rewind import clock
from jupyter_rewind.errors import (
    Conflict,
    Full,
    Internal,
    NotFound,
    RewindError,
    Storage,
    Unavailable,
)
from jupyter_rewind.store.layout import read_store_id
from jupyter_rewind.store.partial import is_known, read_partial
from jupyter_rewind.store.replica.collecting import collect_replica, is_worth_collecting
from jupyter_rewind.store.replica.holding import HELD
from jupyter_rewind.store.replica.notes import Notes, read_notes
from jupyter_rewind.store.replica.objects import Objects
from jupyter_rewind.store.replica.pace import Pace
from jupyter_rewind.store.replica.pull import pull
from jupyter_rewind.store.replica.push import push_in_turn, sole_pusher
from jupyter_rewind.store.replica.standing import Lag, measure
from jupyter_rewind.store.replica.turns import BUSY
from jupyter_rewind.store.replica.wholeness import make_whole
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.verify import count_absent

log = logging.getLogger(__name__)
LONGEST_PAUSE_SECONDS = 300.0
_SURELY_SECONDS = 3600.0
"""So often the replica is asked whether it is still there, also where nothing is new."""
_CALM_SECONDS = 10.0
_MEASURE_SECONDS = 10.0
"""So often it is looked how much waits for a replica that cannot be reached."""
_FILL_SECONDS = 10.0
_COUNT_SECONDS = 30.0
"""To say how much is missing, the end of each content that may be is looked at."""


class State(StrEnum):
    """How forwarding to a replica stands."""

    UNKNOWN = "unknown"
    CURRENT = "current"
    BEHIND = "behind"
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class Account:
    """What a forwarder says of its replica, as of its last look."""

    url: str
    state: State = State.UNKNOWN
    lag: Lag = field(default_factory=Lag)
    pushed_ns: int | None = None
    """When this store was last pushed there."""
    error: RewindError | None = None
    """Why the last push failed."""
    failures: int = 0
    """How many pushes have failed, one after the other."""
    absent_bytes: int = 0
    """Of the store's contents, what this replica alone has."""
    uncollected: RewindError | None = None
    """Why it could not be collected the last time; what is pushed does not depend on it."""


class Forwarder:
    """Keeps one replica up with the store, as long as it runs."""

    def __init__(
        self,
        url: str,
        open_store: Callable[[], Repository],
        open_objects: Callable[[], Objects],
        *,
        sealed: bool = False,
        interval_seconds: float,
        bytes_per_second: int = 0,
        collect_hours: int = 0,
        fills: bool = True,
        calm_in: Callable[[], float] = lambda: 0.0,
        tell: Callable[[Account], None] = lambda account: None,
    ) -> None:
        """`calm_in` says for how many seconds the user's own work should be left alone; `tell`
        hears of every change of the state. The replica is collected no more often than every
        `collect_hours`; 0 is never. Unless it `fills`, contents that are only there come as they
        are read."""
        self.account = Account(url)
        self._open_store = open_store
        self._open_objects = open_objects
        self._sealed = sealed
        self._interval = interval_seconds
        self._collect_hours = collect_hours
        self._fills = fills
        self._calm_in = calm_in
        self._tell = tell
        self._ending = threading.Event()
        self._given_up = threading.Event()
        self._pace = Pace(bytes_per_second, self._given_up.wait, hands=1, check=self._check)
        self._store: Repository | None = None
        self._objects: Objects | None = None
        self._sure_until = 0.0
        self._is_filling = False
        self._full_until = 0.0
        self._counted_until = 0.0
        self._collect_from = 0.0
        self._uncollected: RewindError | None = None
        self._thread = threading.Thread(target=self._work, name="rewind-replica", daemon=True)

    def start(self) -> None:
        """The first look is taken at once."""
        self._thread.start()

    def end(self) -> None:
        """A last try begins now, however long the next one was to wait."""
        self._ending.set()

    def join(self, timeout_seconds: float) -> bool:
        """True when the last try has ended within this time; else it is given up."""
        self._thread.join(max(timeout_seconds, 0.0))
        if self._thread.is_alive():
            self._given_up.set()
            return False
        return True

    def _work(self) -> None:
        pause = 0.0
        try:
            while True:
                is_last = self._rest(pause)
                pause = self._look()
                if is_last or self._given_up.is_set():
                    return
        finally:
            self._close()

    def _rest(self, seconds: float) -> bool:
        """Whether it is to end. While the replica cannot be reached what waits for it grows, and
        the account says so."""
        until = clock.monotonic() + seconds
        while not self._ending.wait(max(min(until - clock.monotonic(), _MEASURE_SECONDS), 0.0)):
            if clock.monotonic() >= until:
                return False
            if self.account.state is State.FAILING:
                self._change(replace(self.account, lag=self._measured()))
        return True

    def _look(self) -> float:
        """What is new here is there, or why not stands in the account; seconds to the next look."""
        self._is_filling = False
        try:
            self._forward()
        except Conflict as error:
            if error.code != BUSY:
                return self._note_failure(error)
            # Another server or a command is at it: the next look finds what that has done.
        except RewindError as error:
            return self._note_failure(error)
        except Exception as error:
            log.warning("Could not push to %s.", self.account.url, exc_info=True)
            fault = Internal(f"Could not push to {self.account.url}: {error!r}.")
            return self._note_failure(fault)
        return 0.0 if self._is_filling else self._interval

    def _forward(self) -> None:
        try:
            store = self._opened()
        except NotFound:
            return  # no store yet: the first save makes it
        notes = read_notes(store.layout, self.account.url)
        lag = measure(store, notes.ends, notes.cut_ns)
        is_sure = clock.monotonic() < self._sure_until and is_known(store.layout)
        if not lag.behind_bytes and is_sure:
            self._settle(State.CURRENT, lag, notes)
            self._fill(store)
            return
        if self.account.state is not State.FAILING:
            self._settle(State.BEHIND if lag.behind_bytes else self.account.state, lag, notes)
        self._objects = self._objects or self._open_objects()
        self._pace.check()
        try:
            self._push(store, self._objects, notes)
        except RewindError as error:
            if error.code == HELD:
                # What can be had still is not to wait for what is gone.
                with suppress(RewindError):
                    self._fill(store)
            raise
        self._sure_until = clock.monotonic() + _SURELY_SECONDS
        self._settle(State.CURRENT, Lag(), read_notes(store.layout, self.account.url))
        self._tend(store, self._objects)
        self._is_filling = self._fills and bool(self._lacks(store))

    def _opened(self) -> Repository:
        """The store that is there now: a change of its key makes another one of it."""
        store = self._store
        if store is not None and read_store_id(store.folder) != store.store_id:
            self._close()
        self._store = self._store or self._open_store()
        return self._store

    def _push(self, store: Repository, objects: Objects, notes: Notes) -> None:
        with sole_pusher(store.layout, self.account.url):
            if not notes.replica or not is_known(store.layout):
                # The first time here what other machines have pushed comes, histories at once and
                # contents by and by; and where it is not known which contents are here, a pull
                # finds out.
                with suppress(NotFound):
                    pull(store, objects, self.account.url, lazy=True, pace=self._pace)
            push_in_turn(store, objects, self.account.url, sealed=self._sealed, pace=self._pace)

    def _fill(self, store: Repository) -> None:
        """Contents that are in the replica alone have come, as many as do in a few seconds; then
        it is looked again whether there is something to be pushed."""
        is_off = not self._fills or self._ending.is_set() or clock.monotonic() < self._full_until
        if is_off or not self._lacks(store):
            return
        self._objects = self._objects or self._open_objects()
        until = clock.monotonic() + _FILL_SECONDS
        try:
            make_whole(
                store, self._lacks(store), self._objects, self.account.url, self._pace,
                lambda: self._ending.is_set() or clock.monotonic() > until,
            )  # fmt: skip
        except Full as error:
            # What is saved here is pushed all the same.
            level = logging.DEBUG if self._full_until else logging.WARNING
            log.log(level, "Not all contents come from %s: %s", self.account.url, error)
            self._full_until = clock.monotonic() + LONGEST_PAUSE_SECONDS
            return
        self._is_filling = bool(self._lacks(store))

    def _lacks(self, store: Repository) -> list[str]:
        """Segments of which this replica has more than the store."""
        partial = read_partial(store.layout)
        return [name for name, url in partial.items() if url == self.account.url]

    def _tend(self, store: Repository, objects: Objects) -> None:
        """The replica gives back what is gone here, where that is worth it. What fails at that is
        told, costs no push, and is tried again as late as if it had been done: who may not delete
        there would else condemn the same again with each push."""
        notes = read_notes(store.layout, self.account.url)
        due = notes.collected_ns + self._collect_hours * 3600 * 10**9
        if not self._collect_hours or clock.now_ns() < due or self._ending.is_set():
            return
        if clock.monotonic() < self._collect_from or not is_worth_collecting(
            store, self.account.url
        ):
            return
        try:
            report = collect_replica(
                store, objects, self.account.url, sealed=self._sealed, pace=self._pace
            )
        except RewindError as error:
            self._pace.check()  # the server ends: nothing of that is a failure
            log.warning("Could not collect %s: %s", self.account.url, error)
            self._uncollected = error
            self._collect_from = clock.monotonic() + self._collect_hours * 3600
        else:
            log.info("freed %s bytes of %s", report.freed_bytes, self.account.url)
            self._uncollected = None
        self._change(replace(self.account, uncollected=self._uncollected))

    def _settle(self, state: State, lag: Lag, notes: Notes) -> None:
        account = Account(
            self.account.url, state, lag, notes.pushed_ns or None, absent_bytes=self._absent(),
            uncollected=self._uncollected,
        )  # fmt: skip
        self._change(account)

    def _absent(self) -> int:
        if self._store is None:
            return 0
        if is_known(self._store.layout) and not self._lacks(self._store):
            return 0
        if clock.monotonic() < self._counted_until or not is_known(self._store.layout):
            return self.account.absent_bytes
        self._counted_until = clock.monotonic() + _COUNT_SECONDS
        return count_absent(self._store, self.account.url)

    def _note_failure(self, error: RewindError) -> float:
        """The account says it; with each failure in a row the next try comes later."""
        if self._given_up.is_set():
            return 0.0
        failures = self.account.failures + 1
        level = logging.WARNING if failures == 1 else logging.DEBUG
        log.log(level, "Could not push to %s: %s", self.account.url, error)
        account = replace(
            self.account, state=State.FAILING, lag=self._measured(), error=error,
            failures=failures,
        )  # fmt: skip
        self._change(account)
        # The next look opens the replica anew: credentials may have been mended.
        self._objects, self._sure_until = None, 0.0
        if not isinstance(error, Storage):
            self._close()  # it may be another store by now
        return longer_pause(self._interval, failures)

    def _measured(self) -> Lag:
        """How far behind it is, by what was noted; where that cannot be told now, as before, and
        the next look opens the store anew."""
        try:
            if self._store is not None:
                notes = read_notes(self._store.layout, self.account.url)
                return measure(self._store, notes.ends, notes.cut_ns)
        except (RewindError, OSError):
            self._close()
        return self.account.lag

    def _change(self, account: Account) -> None:
        before, self.account = self.account, account
        if before.state is not account.state:
            self._tell(account)

    def _close(self) -> None:
        """The next look opens the store and the replica anew."""
        store, self._store, self._objects = self._store, None, None
        self._sure_until = 0.0
        if store is not None:
            store.close()

    def _check(self) -> None:
        """Waits while the user saves. Raises Unavailable where the process is to end."""
        until = clock.monotonic() + _CALM_SECONDS
        while not self._ending.is_set():
            rest = min(self._calm_in(), until - clock.monotonic())
            if rest <= 0:
                break
            self._ending.wait(rest)
        if self._given_up.is_set():
            raise Unavailable("The server stopped before this was pushed.", retryable=True)


def longer_pause(seconds: float, failures: int) -> float:
    """How long to wait after so many failures in a row: twice as long each time, up to five
    minutes, and of that something between half and all."""
    whole = min(seconds * 2.0 ** min(failures, 30), LONGEST_PAUSE_SECONDS)
    return whole * (0.5 + clock.token(1)[0] / 512)


def known_lag(repository: Repository, url: str) -> tuple[Lag, int | None]:
    """How far behind a replica is by what was noted of it here, and when it was last pushed to;
    the replica itself is not asked."""
    notes = read_notes(repository.layout, url)
    return measure(repository, notes.ends, notes.cut_ns), notes.pushed_ns or None
