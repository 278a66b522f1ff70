"""A fresh machine begins with what the replicas hold, not with a store of its own.

A store of its own has another id and another key: no replica takes it, and what is saved in it is
on this machine alone. So where replicas are set, and nothing is here yet, they are asked first.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from jupyter_rewind.errors import Denied, NotFound, RewindError, Unavailable
from jupyter_rewind.model.ids import StoreId
from jupyter_rewind.replication import PullReport, Replication
from jupyter_rewind.settings import Rewind
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.keyfiles import only_key
from jupyter_rewind.store.replica.fetching import Progress
from jupyter_rewind.store.replica.opening import read_identity
from jupyter_rewind.store.replica.pull import begin_store, found_store

NO_KEY = "no_key"
"""The code of the error where a replica is there, and the key of its store is not here."""


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
        """Whether there are replicas, and here is no store yet, or one that nothing was ever in."""
        if not self._urls:
            return False
        if not (self._folder / "config").exists():
            return True
        kept = any(path.name[0] != "." for path in (self._folder / "segments").glob("*"))
        return not kept and not any((self._folder / "replicas").glob("*.json"))

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
                found_store(self._folder, self._keys, objects, Files())
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
        no replica is there yet. Raises as `found` and `pull` do."""
        first = self.found()
        if first is None:
            return None
        report = self._replicas.pull(first, progress)[0]
        unasked: dict[str, RewindError] = {}
        for url in self._replicas.urls:
            if url == first:
                continue
            # Another one may be further on than the first.
            with suppress(NotFound):
                try:
                    read_identity(self._replicas.open(url, hasty=True))
                    report = _sum(report, self._replicas.pull(url, progress)[0])
                except NotFound:
                    raise
                except RewindError as error:
                    unasked[url] = error
        return Adopted(report, unasked)


def _sum(one: PullReport, more: PullReport) -> PullReport:
    return replace(
        one,
        bytes=one.bytes + more.bytes,
        segments=one.segments + more.segments,
        entries=one.entries + more.entries,
        absent_bytes=one.absent_bytes + more.absent_bytes,
    )
