"""What has to be held back from a replica, because contents that it needs cannot be had.

A replica never gets a commit whose contents it cannot get: other machines would take that for
damage, and build on it. So with each segment that lacks contents all those stay here that stand on
it. Nothing of them is removed, here or there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from jupyter_rewind.errors import NotFound, RewindError, Unavailable
from jupyter_rewind.model.ids import Digest, EntryId
from jupyter_rewind.store.chunks import Codec
from jupyter_rewind.store.framing import Kind
from jupyter_rewind.store.plan import base_of
from jupyter_rewind.store.reach import entry_roots
from jupyter_rewind.store.repository import Repository

HELD = "held_back"
"""The code of the error that tells of segments that were not pushed for want of contents."""
_FEW = 3
_WAY_OUT = (
    "Push from a machine that has them, or put the replica back, and push again. Where they are"
    " lost for good, `jupyter rewind salvage --without-replicas` keeps what reads and names what is"
    " lost."
)


def held_with(
    repository: Repository, lacking: Collection[str], wanted: Collection[str]
) -> set[str]:
    """Those of the segments `wanted` that lack contents, or stand on what only such ones hold."""
    repository.refresh()
    places, parents, doubtful = _survey(repository)
    told = _entries_within(repository, wanted)
    roots = dict(entry_roots(repository))
    held = set(lacking)
    while True:
        tainted = {name for name, stands_in in places.items() if held.issuperset(stands_in)}
        _spread(tainted | doubtful, parents, tainted)
        more = {name for each in tainted for name in places.get(each, ()) if name in wanted}
        for segment, entries in told.items():
            if any(not tainted.isdisjoint(roots.get(each, ())) for each in entries):
                more.add(segment)
        if more <= held:
            return held.intersection(wanted)
        held |= more


def notebooks_of(repository: Repository, entries: Iterable[EntryId]) -> list[str]:
    """The notebooks, or what else has a path, that these entries tell of."""
    found: dict[str, None] = {}
    for name in entries:
        try:
            keys = repository.entry(name).keys
        except NotFound:
            continue
        for key in keys:
            for one in repository.entries(key=key, newest_first=True):
                if path := str(one.body.get("path", "")):
                    found[path] = None
                    break
    return sorted(found)


def entries_in(repository: Repository, segments: Collection[str]) -> set[EntryId]:
    """The entries in view of which these segments tell."""
    found = set().union(*_entries_within(repository, segments).values())
    return found & {name for name, _ in entry_roots(repository)}


def gone(repository: Repository, place: str, entries: Collection[EntryId]) -> Unavailable:
    """Contents that these entries need are in the replica at `place` no more."""
    return Unavailable(
        f"Contents of {_in_words(repository, entries)} are not here, and the replica {place} has"
        " them no more: another machine has collected it, or it was emptied, put back, or is not"
        " the one they came from.",
        code=HELD,
        hint=_WAY_OUT,
    )


def held_back(
    repository: Repository, place: str, held: Collection[str], why: RewindError
) -> RewindError:
    """What was not pushed to `place`, while all else was."""
    count = "1 segment" if len(held) == 1 else f"{len(held)} segments"
    was = "was" if len(held) == 1 else "were"
    what = _in_words(repository, entries_in(repository, held))
    is_gone = isinstance(why, NotFound)
    return (Unavailable if is_gone else type(why))(
        f"{count} of the store at {repository.folder} {was} held back from {place}: {what}."
        f" {why.message}",
        code=HELD,
        hint="Nothing was removed: what is here stays, and all else is in the replica."
        f" {_WAY_OUT if is_gone else why.hint}",
        retryable=why.retryable,
    )


def _in_words(repository: Repository, entries: Collection[EntryId]) -> str:
    paths = notebooks_of(repository, entries)
    count = f"{len(entries)} record{'' if len(entries) == 1 else 's'}"
    if not paths:
        return count
    more = f" and {len(paths) - _FEW} more" if len(paths) > _FEW else ""
    return f"{count} of {', '.join(paths[:_FEW])}{more}"


def _survey(
    repository: Repository,
) -> tuple[dict[Digest, set[str]], dict[Digest, list[Digest]], set[Digest]]:
    """Where all content stands; what stands on each; and the nodes that cannot be read now."""
    places: dict[Digest, set[str]] = {}
    nodes: set[Digest] = set()
    deltas: set[Digest] = set()
    with repository.index() as index:
        for name, segment, kind, codec in index.rows(
            "SELECT c.digest, s.name, c.kind, c.codec FROM chunks c JOIN segments s ON s.num=c.seg"
        ):
            digest = Digest(name)
            places.setdefault(digest, set()).add(segment)
            if kind == Kind.NODE:
                nodes.add(digest)
            if codec == Codec.DELTA:
                deltas.add(digest)
    parents: dict[Digest, list[Digest]] = {}
    doubtful: set[Digest] = set()
    for node in nodes:
        try:
            links = repository.get_node(node).links
        except RewindError:
            doubtful.add(node)
            continue
        for link in links:
            parents.setdefault(link, []).append(node)
    for delta in deltas:
        base = base_of(repository, delta)
        if base is not None:
            parents.setdefault(base, []).append(delta)
    return places, parents, doubtful


def _spread(
    begin: Collection[Digest], parents: Mapping[Digest, list[Digest]], tainted: set[Digest]
) -> None:
    wait = list(begin)
    tainted.update(wait)
    while wait:
        for parent in parents.get(wait.pop(), ()):
            if parent not in tainted:
                tainted.add(parent)
                wait.append(parent)


def _entries_within(repository: Repository, segments: Collection[str]) -> dict[str, set[EntryId]]:
    found: dict[str, set[EntryId]] = {}
    with repository.index() as index:
        for name, segment in index.rows(
            "SELECT p.id, s.name FROM entry_places p JOIN segments s ON s.num=p.seg"
        ):
            if segment in segments:
                found.setdefault(segment, set()).add(EntryId(name))
    return found
