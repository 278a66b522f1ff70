"""What is left of a store of which no machine has anything but its key: in its replicas, which may
be damaged, each in another place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jupyter_rewind.errors import RewindError
from jupyter_rewind.replication import Replication
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.replica.fetching import Progress
from jupyter_rewind.store.replica.mounts import require_mounted
from jupyter_rewind.store.replica.objects import Objects
from jupyter_rewind.store.replica.pace import Pace
from jupyter_rewind.store.replica.pull import found_store
from jupyter_rewind.store.replica.salvaging import TakenReport, take_what_reads
from jupyter_rewind.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Remains:
    """What came of one replica, and whether the store was made for it."""

    report: TakenReport
    made_store: bool


def take_remains(
    replicas: Replication, urls: Sequence[str], progress: Progress | None = None
) -> dict[str, Remains | RewindError]:
    """What still reads in any of the replicas is here; of each, what came of it or why it could not
    be asked. Raises as `take_what_reads` does. See `store/replica/salvaging.py`."""
    settings = replicas.settings
    folder, keys = Path(settings.store_path), Path(settings.store_key_folder)
    ended: dict[str, Remains | RewindError] = {}
    opened: dict[str, tuple[Objects, bool]] = {}
    for url in urls:
        try:
            objects = replicas.open(url)
            opened[url] = objects, found_store(folder, keys, objects, Files(), url)
        except RewindError as error:
            ended[url] = error
    if not opened:
        return ended
    with Workspace.open(settings, create=False) as workspace:
        for url in [*opened]:
            try:
                require_mounted(opened[url][0], workspace.repository.layout, url)
            except RewindError as error:
                ended[url] = error
                del opened[url]
        taken = take_what_reads(
            workspace.repository,
            [objects for objects, _ in opened.values()],
            Pace(settings.replica_rate_kb * 1000),
            progress,
        )
    for (url, (_, made)), one in zip(opened.items(), taken, strict=True):
        ended[url] = one if isinstance(one, RewindError) else Remains(one, made)
    return ended
