"""A fresh machine begins with what the replicas hold, not with a store of its own.

A store of its own has another id and another key: no replica takes it, and what is saved in it is
on this machine alone. So where replicas are set, and nothing is here yet, they are asked first.

A kernel asks none itself: a child that is forked after the client of an object store was used may
hang. It runs this module, which begins the store for it.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from jupyter_rewind.errors import Denied, Integrity, NotFound, RewindError, Unavailable
from jupyter_rewind.model.ids import StoreId
from jupyter_rewind.replication import PullReport, Replication
from jupyter_rewind.settings import Rewind
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.keyfiles import only_key
from jupyter_rewind.store.layout import read_store_id
from jupyter_rewind.store.replica.fetching import Progress
from jupyter_rewind.store.replica.mounts import require_disk
from jupyter_rewind.store.replica.opening import is_unused, read_identity
from jupyter_rewind.store.replica.pull import AWAITED, begin_store, found_store

log = logging.getLogger(__name__)
_PATIENCE_SECONDS = 10.0
"""A kernel waits so long for replicas at its start, once on a machine."""
NO_KEY = "no_key"
"""The code of the error where a replica is there, and the key of its store is not here."""

_NOT_THERE = (
    "There is no replica yet, and a store of its own is begun here, though the key of one is on"
    " this machine. If that one's replica lies on a disk or a share that is away, mount it before"
    " anything is saved, and start anew."
)


@dataclass(frozen=True, slots=True)
class Adopted:
    """What came on the first use, and the replicas that could not be asked, with why."""

    report: PullReport
    unasked: Mapping[str, RewindError]


class Beginning:
    """The first use of one store on this machine."""

    def __init__(self, settings: Rewind) -> None:
        self._replicas = Replication(settings)
        self._urls = settings.replica_url.strip()
        self._folder = Path(settings.store_path).expanduser()
        self._keys = Path(settings.store_key_folder).expanduser()
        self._encrypts = settings.store_encrypt

    @property
    def is_due(self) -> bool:
        """Whether there are replicas, and here is no store yet, or one that nothing was ever in, or
        that was begun for what they hold and has not got it."""
        if not self._urls:
            return False
        if not self._is_begun:
            # With records, it is a store that lost its config: whoever opens it says so.
            return not self.has_work
        if (self._folder / AWAITED).exists():
            return True
        return not self.has_work and not any((self._folder / "replicas").glob("*.json"))

    @property
    def has_work(self) -> bool:
        """Whether something was kept here."""
        return any(path.name[0] != "." for path in (self._folder / "segments").glob("*"))

    @property
    def _is_begun(self) -> bool:
        return (self._folder / "config").exists()

    def begin(self) -> None:
        """Where nothing is here yet, the replicas' store is the one from now on, and what they hold
        comes later; where none can be asked, the store of the only key. Raises as `found` does:
        then whoever saves begins a store of its own. Nothing where a store has lost its config.
        One that nothing was kept in gives way, where its replicas are another's."""
        if self.has_work or not self._urls:
            return
        if self._is_begun:
            if is_unused(self._folder) and not (self._folder / AWAITED).exists():
                self._give_way()
            return
        try:
            if self.found():
                self._tell_clear()
            elif only_key(self._keys) is not None:
                log.warning(_NOT_THERE)
        except RewindError as error:
            # Of a replica that was read it is known that its key is another one.
            is_read = error.code == NO_KEY or isinstance(error, Integrity)
            if is_read or not self.found_by_key():
                raise
            log.warning("What the replicas hold comes when they answer: %s", error)

    def _give_way(self) -> None:
        """Without the key, or an answer, it stays a store of its own."""
        try:
            before = read_store_id(self._folder)
            self.found()
            if read_store_id(self._folder) != before:
                self._tell_clear()
        except RewindError as error:
            log.warning("The store here, in which nothing was kept yet, stays: %s", error)

    def _tell_clear(self) -> None:
        """Not without a word is a store in the clear that was to be encrypted."""
        with suppress(RewindError):
            if missed := self._replicas.missed_encryption:
                log.warning("%s", missed)

    def found(self) -> str | None:
        """The first replica that is there, whose store is this machine's from now on, still empty;
        None where none is there yet. In seconds, not minutes.

        Raises Denied (`NO_KEY`); Unavailable or Denied where none is there, and one does not answer
        or refuses: then it is not known whether there is one.
        """
        silent: RewindError | None = None
        for url in self._replicas.urls:
            try:
                objects = self._replicas.open(url, hasty=True)
                found_store(self._folder, self._keys, objects, Files(), url)
            except NotFound:
                continue
            except (Unavailable, Denied) as error:
                if error.code == NO_KEY:
                    raise
                silent = silent or error
            else:
                return url
        if silent is not None:
            raise silent
        return None

    def found_by_key(self) -> bool:
        """Where no replica can be asked, the only key that is here says which store this is: what
        is saved until then comes together with what they hold. False where there is none, or
        more."""
        known = only_key(self._keys)
        if known is None:
            return False
        name, key = known
        begin_store(self._folder, self._keys, StoreId(name), key, Files(), encrypted=self._encrypts)
        return True

    def adopt(self, progress: Progress | None = None) -> Adopted | None:
        """All histories that the replicas hold are here, and contents as after a pull. None where
        no replica is there yet. Raises as `found` and `pull` do, where none could be pulled."""
        first = None if self._is_begun else self.found()
        report: PullReport | None = None
        unasked: dict[str, RewindError] = {}
        # Another one may be further on than the first.
        for url in self._replicas.urls:
            try:
                if url != first:
                    objects = self._replicas.open(url, hasty=True)
                    require_disk(objects, self._folder, url)
                    read_identity(objects)
                more = self._replicas.pull(url, progress)[0]
            except NotFound:
                continue
            except RewindError as error:
                unasked[url] = error
            else:
                report = more if report is None else _sum(report, more)
        if report is not None:
            return Adopted(report, unasked)
        for why in unasked.values():
            raise why
        if self._is_begun:
            # All of them were asked, and there is nothing to wait for.
            Files().remove(self._folder / AWAITED)
        return None


def _sum(one: PullReport, more: PullReport) -> PullReport:
    return replace(
        one,
        bytes=one.bytes + more.bytes,
        segments=one.segments + more.segments,
        entries=one.entries + more.entries,
        absent_bytes=one.absent_bytes + more.absent_bytes,
    )


def main() -> int:
    """Begins the store of a kernel; what is printed is for its log."""
    beginning = Beginning(Rewind(**json.load(sys.stdin)))
    told = logging.StreamHandler(sys.stdout)
    log.addHandler(told)
    try:
        _ask(beginning)
    finally:
        log.removeHandler(told)
    return 0


def _ask(beginning: Beginning) -> None:
    asking = threading.Thread(target=_begin, args=(beginning,), daemon=True)
    asking.start()
    asking.join(_PATIENCE_SECONDS)
    if asking.is_alive():
        _begin_unasked(beginning)


def _begin(beginning: Beginning) -> None:
    try:
        beginning.begin()
    except RewindError as error:
        _say(f"A store of its own is begun here: {error}")


def _begin_unasked(beginning: Beginning) -> None:
    silence = f"the replicas did not answer in {_PATIENCE_SECONDS:.0f} seconds."
    try:
        if beginning.found_by_key():
            _say(f"What the replicas hold comes when they answer: {silence}")
        else:
            _say(f"A store of its own is begun here, for no key says which one it is: {silence}")
    except RewindError as error:
        _say(str(error))


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
