"""The replicas that the settings name: what the faces see of them.

`replica.url` holds the addresses. Where there is none, nothing here is ever imported, and nothing
of what a save does changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from jupyter_rewind.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    RestoreRefused,
    RewindError,
)
from jupyter_rewind.model.shell import quoted
from jupyter_rewind.settings import SECTION, Rewind, read_json_file, user_file
from jupyter_rewind.store import encryption
from jupyter_rewind.store.apart import require_apart
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.keyfiles import export_key, import_key
from jupyter_rewind.store.layout import key_path
from jupyter_rewind.store.partial import read_partial
from jupyter_rewind.store.preferences import set_value, unset_value
from jupyter_rewind.store.replica.address import (
    Address,
    open_objects,
    parse_address,
    split_urls,
    with_encryption,
    without_spaces,
)
from jupyter_rewind.store.replica.check import CheckReport, Fault, check
from jupyter_rewind.store.replica.collecting import CollectedReport, collect_replica
from jupyter_rewind.store.replica.fetching import Progress
from jupyter_rewind.store.replica.filling import fill
from jupyter_rewind.store.replica.forwarding import Account, Forwarder, State
from jupyter_rewind.store.replica.mending import mending_command
from jupyter_rewind.store.replica.mounts import note_mount
from jupyter_rewind.store.replica.notes import forget_address, mount_path
from jupyter_rewind.store.replica.objects import Objects
from jupyter_rewind.store.replica.opening import read_identity, require_sealed, require_store
from jupyter_rewind.store.replica.pace import Pace
from jupyter_rewind.store.replica.probe import require_conditions
from jupyter_rewind.store.replica.pull import PullReport, found_store, may_give_way, pull
from jupyter_rewind.store.replica.push import PushReport, push
from jupyter_rewind.store.replica.sealing import require_library
from jupyter_rewind.store.replica.standing import Standing, compare
from jupyter_rewind.store.replica.wholeness import make_whole
from jupyter_rewind.store.repository import default_index_path
from jupyter_rewind.store.rotation import Rotated, rotate
from jupyter_rewind.store.verify import count_absent
from jupyter_rewind.workspace import Workspace

__all__ = [
    "Account", "Added", "CheckReport", "CollectedReport", "Fault", "Forwarder", "PullReport",
    "PushReport", "Replication", "Rotated", "Standing", "State", "mending_command",
]  # fmt: skip

KEY = "replica.url"
_IN_THE_CLEAR = (
    "The store is in the clear, as its replica is, though store.encrypt is on: `jupyter rewind key"
    " rotate --encrypt --yes` encrypts it, and it needs a new replica then."
)


@dataclass(frozen=True, slots=True)
class Added:
    """What became of an address that was added: the settings file, whether there is a replica
    already, and where the key lies without which nobody can use it."""

    url: str
    file: Path
    exists: bool
    key: Path | None
    encrypted: bool
    missed_encryption: str = ""
    """What is said where its store is this machine's now, in the clear against the settings."""


class Replication:
    """The replicas of one store."""

    def __init__(self, settings: Rewind) -> None:
        self._settings = settings

    @property
    def settings(self) -> Rewind:
        """Those that name them."""
        return self._settings

    @property
    def urls(self) -> list[str]:
        """The addresses in force. Raises InvalidInput for one that is none."""
        return split_urls(self._settings.replica_url)

    @property
    def origin(self) -> str:
        """Where they are set."""
        return self._settings.origin_of(KEY)

    def choose(self, text: str | None) -> list[str]:
        """The address that `text` is or is a part of, or all. Raises NotFound, Conflict."""
        urls = self.urls
        if not urls:
            raise NotFound(
                "There is no replica yet.",
                hint="Add one: jupyter rewind replica add s3://bucket/prefix, or file:///a/folder.",
            )
        part = "" if text is None else without_spaces(text.strip())
        found = [url for url in urls if text is None or part == url]
        found = found or [url for url in urls if part in url]
        if not found:
            raise NotFound(
                "None of the replicas has this address.",
                hint="`jupyter rewind replica list` shows them.",
            )
        if text is not None and len(found) > 1:
            raise Conflict(
                f"{len(found)} replicas have {text!r} in their address.",
                hint="Nothing was changed. Give the whole address.",
            )
        return found

    def add(self, text: str, *, encrypt: bool = False) -> Added:
        """The user's settings name one replica more, which this store may use; with `encrypt`, or
        where it is encrypted already, nothing ever goes there in the clear. Where nothing was kept
        here yet, and the key is here, its store is the one from now on, and waits for a pull.

        Raises InvalidInput, Conflict (another store's, or named already), Unavailable (cannot be
        reached, or a server that cannot hold one), Denied.
        """
        address = parse_address(with_encryption(text) if encrypt else text)
        known = self._in_file()
        if same := [each for each in known if parse_address(each).place == address.place]:
            raise Conflict(f"{same[0]} is one of the replicas already.")
        self._require_elsewhere(address)
        if address.encrypt:
            require_library()
        objects = self.open(address.url)
        key: Path | None = None
        exists = True
        try:
            with self._workspace() as workspace:
                layout = workspace.repository.layout
                key = key_path(Path(self._settings.store_key_folder), layout.store_id)
                identity = read_identity(objects)
                if may_give_way(layout, key.parent, identity):
                    key = None  # the pull puts the replica's store in the place of this one
                else:
                    require_store(objects, layout)
        except NotFound:
            # No store here yet, or no replica there.
            exists = _is_replica(objects)
            if not exists:
                require_conditions(objects)
        if exists:
            identity = read_identity(objects)
            if address.encrypt:
                require_sealed(identity, objects.place)
            if identity.sealed:
                address = parse_address(with_encryption(address.url))
        file = set_value(KEY, " ".join([*known, address.url]))
        note_mount(self._store, address.url, objects, Files())
        missed = ""
        with suppress(RewindError):
            # Else what is saved before the first pull would make another store of this one.
            if exists and self._found(objects, address.url):
                missed = self.missed_encryption
        return Added(address.url, file, exists, key, address.encrypt, missed)

    def _require_elsewhere(self, address: Address) -> None:
        """Raises InvalidInput for a folder in the store itself, which is lost with it."""
        store = self._store.resolve()
        if address.scheme == "file" and Path(address.prefix).resolve().is_relative_to(store):
            raise InvalidInput(
                f"{address.url} lies in the store at {store}: it would be lost with it.",
                hint="Nothing was changed. Name a folder on another disk, or on a share.",
            )

    def remove(self, text: str) -> tuple[str, Path]:
        """The user's settings name this replica no more; what it holds stays. Raises NotFound,
        Conflict where it is set elsewhere, RestoreRefused while it alone has contents."""
        [url] = self.choose(text)
        self._require_apart(url)
        known = self._in_file()
        if url not in known:
            raise Conflict(
                f"{url} is not set in {user_file()} but elsewhere ({self.origin}).",
                hint="Nothing was changed. Take it out there.",
            )
        known.remove(url)
        if known:
            set_value(KEY, " ".join(known))
        else:
            unset_value(KEY)
        with suppress(RewindError):
            # There may be no store yet.
            Files().remove(mount_path(self._store, url))
            with self._workspace() as workspace:
                forget_address(workspace.repository.layout, url, workspace.repository.files)
        return url, user_file()

    def _require_apart(self, url: str) -> None:
        with suppress(NotFound), self._workspace() as workspace:
            layout = workspace.repository.layout
            count = list(read_partial(layout).values()).count(url)
            if count:
                raise RestoreRefused(
                    f"Contents of {count} segments of the store at {layout.folder} are still only"
                    f" in {url}.",
                    hint=f"Nothing was changed. `jupyter rewind replica pull {quoted(url)}`"
                    " brings them; then remove it. If it is gone for good, `jupyter rewind salvage"
                    " --without-replicas` gives up what was only there.",
                )

    def push(self, url: str, progress: Progress | None = None) -> PushReport:
        """See `store/replica/push.py`."""
        with self._workspace() as workspace:
            return push(
                workspace.repository, self.open(url), url, pace=self._pace, progress=progress,
                sealed=parse_address(url).encrypt,
            )  # fmt: skip

    def pull(self, url: str, progress: Progress | None = None) -> tuple[PullReport, bool]:
        """All histories that the replica held are here, and of contents what is small; the rest
        comes as it is read, or by `fill`. And whether the store was made for it. See
        `store/replica/pull.py`."""
        objects = self.open(url)
        made = self._found(objects, url)
        with self._workspace() as workspace:
            store = workspace.repository
            return pull(store, objects, url, lazy=True, pace=self._pace, progress=progress), made

    def fill(self, url: str, progress: Progress | None = None) -> int:
        """What this replica alone had is here, and what it has of others' contents; how many bytes
        came. Stopped at any moment, what has come stays. See `store/replica/filling.py`."""
        with self._workspace() as workspace:
            store = workspace.repository
            before = count_absent(store)
            partial = read_partial(store.layout)
            if not partial:
                return 0
            objects = self.open(url)
            ours = [name for name, lender in partial.items() if lender == url]
            make_whole(store, ours, objects, url, self._pace, progress=progress)
            # What came from another replica may lie in this one, too.
            fill(store.layout, store.files, objects, pace=self._pace, progress=progress)
            return max(before - count_absent(store), 0)

    def count_absent(self) -> int:
        """Bytes of contents that replicas alone have."""
        with self._workspace() as workspace:
            return count_absent(workspace.repository)

    def standing(self, url: str, *, hasty: bool = False) -> Standing:
        """See `store/replica/standing.py`; `hasty` gives it seconds to answer, not minutes."""
        with self._workspace() as workspace:
            return compare(workspace.repository, self.open(url, hasty=hasty), url)

    def forwarders(
        self, calm_in: Callable[[], float], tell: Callable[[Account], None]
    ) -> list[Forwarder]:
        """One for each replica; see `store/replica/forwarding.py`. Raises InvalidInput."""
        return [self._forwarder(url, calm_in, tell) for url in self.urls]

    def _forwarder(
        self, url: str, calm_in: Callable[[], float], tell: Callable[[Account], None]
    ) -> Forwarder:
        return Forwarder(
            url,
            lambda: Workspace.open(self._settings, create=False).repository,
            lambda: self.open(url),
            sealed=parse_address(url).encrypt,
            interval_seconds=self._settings.replica_interval_seconds,
            bytes_per_second=self._settings.replica_rate_kb * 1000,
            collect_hours=self._settings.upkeep_interval_hours * self._settings.upkeep_automatic,
            fills=self._settings.replica_fill,
            calm_in=calm_in,
            tell=tell,
        )

    def check(
        self, url: str, *, read_share: float = 0.0, progress: Progress | None = None
    ) -> CheckReport:
        """See `store/replica/check.py`."""
        with self._workspace() as workspace:
            layout, files = workspace.repository.layout, workspace.repository.files
            return check(
                layout, files, self.open(url), url=url, read_share=read_share, pace=self._pace,
                progress=progress,
            )  # fmt: skip

    def collect(
        self, url: str, *, dry_run: bool, progress: Progress | None = None
    ) -> CollectedReport:
        """See `store/replica/collecting.py`."""
        with self._workspace() as workspace:
            return collect_replica(
                workspace.repository, self.open(url), url, dry_run=dry_run, pace=self._pace,
                progress=progress, sealed=parse_address(url).encrypt,
            )  # fmt: skip

    def export_key(self, file: Path) -> Path:
        """See `store/keyfiles.py`; where the key lies."""
        with self._workspace() as workspace:
            layout = workspace.repository.layout
            export_key(layout, file, workspace.repository.files)
            return key_path(Path(self._settings.store_key_folder), layout.store_id)

    def import_key(self, file: Path) -> tuple[str, Path, bool]:
        """See `store/keyfiles.py`. Raises InvalidInput where it would lie in the store."""
        keys = Path(self._settings.store_key_folder).expanduser()
        require_apart(keys, Path(self._settings.store_path).expanduser())
        return import_key(file, keys, Files())

    def rotate_key(
        self, progress: Progress | None = None, *, encrypt: bool | None = None
    ) -> Rotated:
        """See `store/rotation.py`. The replicas stay with the old key."""
        from jupyter_rewind.kernels.records import retell_snapshot

        # Closed before the store is another one.
        with self._workspace() as workspace:
            layout, files = workspace.repository.layout, workspace.repository.files
        folder = Path(self._settings.store_key_folder).expanduser()
        chosen, usual = self._settings.store_index_path, default_index_path(layout)
        indexes = [Path(chosen).expanduser()] if chosen else []
        if usual is not None:
            indexes.append(usual)
            if usual.parent.name == layout.store_id:
                # On a network file system each id has a folder in the cache.
                indexes += usual.parent.parent.glob(f"*/{usual.name}")
        return rotate(
            layout, folder, files, retell_snapshot, progress, encrypt=encrypt, indexes=indexes
        )

    def require_encryption(self) -> None:
        """Raises Denied, with the way to it, where a store cannot be encrypted here."""
        encryption.require_library()

    @property
    def missed_encryption(self) -> str:
        """What is said where the store came from its replica in the clear, against the settings;
        empty where it did not."""
        if not self._settings.store_encrypt:
            return ""
        with self._workspace() as workspace:
            return "" if workspace.repository.layout.is_encrypted else _IN_THE_CLEAR

    def set_aside(self) -> list[Path]:
        """The store's folders of what a change of the key leaves as it is, where they hold any."""
        folders = [self._store / "damaged", self._store / "faults"]
        return [each for each in folders if each.is_dir() and any(each.iterdir())]

    def _found(self, objects: Objects, url: str) -> bool:
        keys = Path(self._settings.store_key_folder)
        return found_store(self._store, keys, objects, Files(), url)

    @property
    def _store(self) -> Path:
        return Path(self._settings.store_path).expanduser()

    @property
    def _pace(self) -> Pace:
        return Pace(self._settings.replica_rate_kb * 1000)

    @contextmanager
    def _workspace(self) -> Iterator[Workspace]:
        with Workspace.open(self._settings, create=False) as workspace:
            yield workspace

    def open(self, url: str, *, hasty: bool = False) -> Objects:
        """What lies at this address; `hasty` gives it seconds to answer, not minutes."""
        return open_objects(parse_address(url), hasty=hasty)

    def _in_file(self) -> list[str]:
        section = read_json_file(user_file()).get(SECTION, {})
        found = section if isinstance(section, dict) else {}
        return split_urls(str(found.get("replica_url", found.get(KEY, ""))))


def _is_replica(objects: Objects) -> bool:
    with suppress(NotFound):
        read_identity(objects)
        return True
    return False
