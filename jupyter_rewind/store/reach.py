"""What entries keep alive: their roots, and through nodes whatever those name.

Reads nodes and no other content. Content that is named and cannot be had is listed, never
skipped in silence: whoever removes bytes must know that his picture is whole.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from jupyter_rewind.errors import Denied, Format, Integrity, Newer, NotFound, Unavailable
from jupyter_rewind.model.encoding import DIGEST_SIZE, split_digests
from jupyter_rewind.model.ids import Digest, EntryId
from jupyter_rewind.store.framing import Kind
from jupyter_rewind.store.index import Index
from jupyter_rewind.store.partial import ABSENT
from jupyter_rewind.store.repository import Repository

_PAGE = 2_000
_ASK = 500


class Reach:
    """The content that was followed so far. About a hundred bytes of memory a chunk."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self.entries: set[EntryId] = set()
        """Those whose roots were followed."""
        self.live: set[Digest] = set()
        self.nodes: set[Digest] = set()
        self.missing: set[Digest] = set()
        """Named by something alive, and stored nowhere."""
        self.unreadable: dict[Digest, str] = {}
        """Nodes that are stored and do not read: what they name is not known."""
        self.away: dict[Digest, Unavailable | Denied] = {}
        """Nodes told as a difference from what a replica alone has, and cannot be asked for now,
        or that this user may not read: what they name is not known, and nothing is lost."""

    @property
    def lost(self) -> set[Digest]:
        return self.missing | self.unreadable.keys()

    def follow_entries(self, without: Collection[EntryId] = ()) -> set[Digest]:
        """What the entries in view keep alive, as far as they and it were not followed before."""
        fresh: set[Digest] = set()
        wait: list[Digest] = []
        for name, roots in entry_roots(self._repository):
            if name in self.entries or name in without:
                continue
            self.entries.add(name)
            wait += roots
            if len(wait) > _PAGE:
                fresh |= self.follow(wait)
                wait = []
        return fresh | self.follow(wait)

    def follow(self, roots: Iterable[Digest]) -> set[Digest]:
        """What `roots` keep alive and was not followed before. Raises Newer."""
        fresh: set[Digest] = set()
        level = set(roots) - self.live
        while level:
            self.live |= level
            fresh |= level
            named: set[Digest] = set()
            for node in self._nodes_among(level):
                named.update(self.links(node))
            level = named - self.live
        return fresh

    def links(self, node: Digest) -> tuple[Digest, ...]:
        """What the node names; nothing, and the node is listed, where it does not read."""
        try:
            return self._repository.get_node(node).links
        except Newer:
            raise
        except NotFound:
            self.missing.add(node)
        except Unavailable as error:
            if error.code != ABSENT:
                raise
            self.away[node] = error
        except Denied as error:
            self.away[node] = error
        except (Integrity, Format) as error:
            self.unreadable[node] = str(error)
        return ()

    def carriers(self, lost: set[Digest]) -> dict[Digest, set[Digest]]:
        """For each node that leads to some of `lost`: to which."""
        found: dict[Digest, set[Digest]] = {}
        parents: dict[Digest, list[Digest]] = {}
        for node in self.nodes:
            links = self.links(node)
            hit = lost.intersection(links)
            if hit:
                found[node] = hit
            for child in self.nodes.intersection(links):
                parents.setdefault(child, []).append(node)
        wait = list(found)
        while wait:
            child = wait.pop()
            for parent in parents.get(child, ()):
                known = found.setdefault(parent, set())
                if not found[child] <= known:
                    known |= found[child]
                    wait.append(parent)
        return found

    def _nodes_among(self, digests: set[Digest]) -> list[Digest]:
        nodes = []
        wanted = list(digests)
        for at in range(0, len(wanted), _ASK):
            some = wanted[at : at + _ASK]
            kinds: dict[Digest, int] = {}
            with self._repository.index() as index:
                for digest, kind in index.rows(
                    f"SELECT digest, kind FROM chunks WHERE digest IN ({_marks(some)})", some
                ):
                    kinds[digest] = max(kind, kinds.get(digest, 0))
            self.missing.update(each for each in some if each not in kinds)
            nodes += [each for each, kind in kinds.items() if kind == Kind.NODE]
        self.nodes.update(nodes)
        return nodes


def entry_roots(repository: Repository) -> Iterator[tuple[EntryId, tuple[Digest, ...]]]:
    """Id and roots of every entry in view, read a page at a time."""
    last = ""
    while True:
        with repository.index() as index:
            page = list(_page(index, last))
        if not page:
            return
        last = page[-1][0]
        for name, roots in page:
            yield EntryId(name), split_digests(roots, len(roots) // DIGEST_SIZE)


def mark(repository: Repository, without: Collection[EntryId] = ()) -> Reach:
    """All that the entries in view, but for `without`, keep alive."""
    reach = Reach(repository)
    reach.follow_entries(without)
    return reach


def affected_entries(repository: Repository, reach: Reach) -> dict[EntryId, set[Digest]]:
    """The lost content that each entry leads to, where it leads to any."""
    lost = reach.lost
    if not lost:
        return {}
    carriers = reach.carriers(lost)
    found: dict[EntryId, set[Digest]] = {}
    for name, roots in entry_roots(repository):
        hit = lost.intersection(roots)
        for root in carriers.keys() & set(roots):
            hit |= carriers[root]
        if hit:
            found[name] = hit
    return found


def _page(index: Index, last: str) -> Iterator[tuple[str, bytes]]:
    text = "SELECT id, roots FROM entries WHERE id>? ORDER BY id LIMIT ?"
    return ((name, roots) for name, roots in index.rows(text, [last, _PAGE]))


def _marks(values: list[Digest]) -> str:
    return ",".join("?" * len(values))
