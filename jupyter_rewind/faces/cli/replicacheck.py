"""What `doctor` finds out about the replicas: whether each answers, and how far behind it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from jupyter_rewind.errors import NotFound, RewindError
from jupyter_rewind.faces.cli import wording
from jupyter_rewind.faces.cli.findings import Finding, State
from jupyter_rewind.model.shell import quoted

if TYPE_CHECKING:
    from jupyter_rewind.replication import Replication
    from jupyter_rewind.settings import Rewind

NAME = "replicas"
_LATE_SECONDS = 300


def check_replicas(settings: Rewind) -> Iterator[Finding]:
    """Nothing is said where nobody set a replica; each is asked, for a few seconds at most."""
    if not settings.replica_url.strip():
        return
    from jupyter_rewind.replication import Replication, mending_command

    replicas = Replication(settings)
    try:
        urls = replicas.urls
    except RewindError as error:
        yield Finding(NAME, State.PROBLEM, str(error), mending_command(error, ""))
        return
    for url in urls:
        try:
            yield _standing(replicas, url)
        except NotFound:
            yield Finding(NAME, State.NOTE, f"{url}: there is no store yet to be pushed")
        except RewindError as error:
            text = f"{url} cannot be used: {error}"
            yield Finding(NAME, State.PROBLEM, text, mending_command(error, url))
    if not settings.replica_interval_seconds:
        text = "nothing is pushed by itself: replica.interval_seconds is 0"
        yield Finding(
            NAME, State.NOTE, text, "jupyter rewind config unset replica.interval_seconds"
        )


def _standing(replicas: Replication, url: str) -> Finding:
    from jupyter_rewind import clock

    found = replicas.standing(url, hasty=True)
    pull = f"jupyter rewind replica pull {quoted(url)}"
    if not found.behind_bytes and found.absent_bytes:
        text = f"{url} has everything; {wording.absent(found.absent_bytes)}"
        return Finding(NAME, State.NOTE, text.rstrip("."), pull)
    if not found.behind_bytes and found.ahead_bytes:
        text = f"{url} has everything; {wording.ahead(found.ahead_bytes)}"
        return Finding(NAME, State.NOTE, text, pull)
    if not found.behind_bytes:
        return Finding(NAME, State.ON, f"{url} has everything")
    records = wording.count(found.behind_entries, "record")
    text = f"{url} lacks {records}, {wording.size(found.behind_bytes)}"
    if found.oldest_ns is not None:
        text += f", the oldest of {wording.local_time(found.oldest_ns)}"
    age = (clock.now_ns() - (found.oldest_ns or 0)) / 1e9
    state = State.PROBLEM if age > _LATE_SECONDS else State.NOTE
    return Finding(NAME, state, text, f"jupyter rewind replica push {quoted(url)}")
