"""Where a store lies, what it is called, and the key that only its user reads.

<store>/config            JSON: format, store id, a check of the key
<store>/segments/<writer> the records; .retired-<writer> says what `retired` has no room for
<store>/locks/            a sign of life for each writer, and the barrier of collect
<store>/retired           JSON: names of segments that upkeep took away, lest they be missed
<store>/retired-ends      JSON: how far those went that collect took away; a replica may have more
<store>/witness           JSON: the segments there are, and how far each was on the disk
<store>/partial           JSON: segments of which some payloads may be in a replica alone
<store>/rotating          JSON: a change of the key that is decided and not finished
<store>/upkeep            when the last round of upkeep was; upkeep-calendar: what it went by
<store>/spare/           room held ready, for expire and collect on a full disk
<store>/damaged/          segments that salvage set aside
<store>/faults/           what went wrong in kernels, in words, for people
<store>/index-1.sqlite    can be thrown away; on network file systems it lies elsewhere
<keys>/<store id>.key     32 bytes, 0600, outside the store
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from blake3 import blake3

from jupyter_rewind import clock
from jupyter_rewind.errors import (
    Denied,
    Format,
    Full,
    Integrity,
    NotFound,
    Unavailable,
)
from jupyter_rewind.model.encoding import check_format, parse_json, to_json
from jupyter_rewind.model.entry import Json
from jupyter_rewind.model.ids import StoreId
from jupyter_rewind.store.apart import require_apart, without_key
from jupyter_rewind.store.durable import Files, translate
from jupyter_rewind.store.locks import FileLock

if TYPE_CHECKING:
    from jupyter_rewind.store.encryption import StoreCipher

STORE_FORMAT, SEALED_FORMAT = 1, 2
KEY_SIZE = 32
RETIRED_NAMES = 10_000
ROTATING = "rotating"
ROTATED = ".rotated"
"""Beside a key: what was said with it is said with another one now."""
_MARK = ".retired-"
_RETIRED_ENDS = "retired-ends"


@dataclass(frozen=True, slots=True)
class Layout:
    """The places of one store and its key."""

    folder: Path
    store_id: StoreId
    key: bytes
    is_encrypted: bool = False
    """What stands in its segments is; its other files tell nothing of contents."""

    @property
    def cipher(self) -> StoreCipher | None:
        """What hides and shows the contents of an encrypted store. Raises Denied where nothing
        can be encrypted here."""
        if not self.is_encrypted:
            return None
        from jupyter_rewind.store.encryption import cipher_of

        return cipher_of(self.key, self.store_id)

    @property
    def segments(self) -> Path:
        return self.folder / "segments"

    @property
    def locks(self) -> Path:
        return self.folder / "locks"

    @property
    def barrier(self) -> Path:
        return self.locks / "collect"

    @property
    def damaged(self) -> Path:
        return self.folder / "damaged"

    @property
    def faults(self) -> Path:
        return self.folder / "faults"

    @property
    def retired(self) -> Path:
        return self.folder / "retired"

    @property
    def partial(self) -> Path:
        return self.folder / "partial"

    @property
    def witness(self) -> Path:
        return self.folder / "witness"

    @property
    def spare(self) -> Path:
        return self.folder / "spare"

    def lock_of(self, segment: str) -> Path:
        return self.locks / segment


def open_layout(
    folder: Path, key_folder: Path, files: Files, *, create: bool, encrypt: bool = False
) -> Layout:
    """The store at `folder`; made, with its key, where there is none and `create` says so; one that
    is made is encrypted where `encrypt` says so.

    Raises NotFound (no store), Denied (no access, no key, no library), Integrity (another store's
    key), InvalidInput (a new key would lie in the store), Newer, Format.
    """
    config = folder / "config"
    if _is_there(folder / ROTATING):
        from jupyter_rewind.store.rotation import finish_rotation

        finish_rotation(folder, key_folder, files)
    if not _is_there(config):
        _refuse_file(folder)
        refuse_orphans(folder)
        if not create:
            raise NotFound(
                f"There is no Jupyter Rewind store at {folder} yet.",
                hint="It is made with the first checkpoint.",
            )
        _create(folder, key_folder, files, encrypt)
    facts = read_config(config)
    store_id = StoreId(str(facts.get("store")))
    encrypted = facts["format"] == SEALED_FORMAT
    key = _read_key(key_path(key_folder, store_id), folder, encrypted)
    if key_check(key, store_id, encrypted) != facts.get("key_check"):
        raise Integrity(
            f"The key {key_path(key_folder, store_id)} is not the key of the store at {folder}.",
            hint=f"Nothing was changed. Put the right key back{without_key(encrypted)}.",
        )
    if (folder / "segments").is_file():
        raise Integrity(
            f"The store at {folder} is damaged: its folder `segments` is a file.",
            hint="Nothing was changed. Put the folder back from a copy of the store; your"
            " notebooks themselves are not touched by this.",
        )
    layout = Layout(folder, store_id, key, encrypted)
    if _is_there(key_folder / f"{store_id}{ROTATED}"):
        from jupyter_rewind.store.framing import refuse_former

        refuse_former(layout)
    _ = layout.cipher  # refused here, and not in the middle of a commit
    return layout


def _refuse_file(folder: Path) -> None:
    if folder.is_file():
        raise Unavailable(
            f"{folder} is a file, not the folder of a store.",
            hint="Nothing was changed. Name the store's folder, or move the file away.",
        )


def refuse_orphans(folder: Path) -> None:
    """A store that lost its config is no place for a new one, nor to be begun again: nobody but a
    salvage can say which store it was. Raises Format."""
    try:
        names = os.listdir(folder / "segments")
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise translate(error, "read", folder / "segments") from error
    # A look once more at the config: the store may be younger than the first one.
    if any(not name.startswith(".") for name in names) and not _is_there(folder / "config"):
        raise Format(
            f"The store at {folder} has lost its config.",
            hint="Its records are still there: `jupyter rewind salvage` makes the config again.",
        )


def _is_there(path: Path) -> bool:
    """False only when there is no such file; what cannot be looked at is not missing."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise translate(error, "read", path) from error
    return True


def key_path(key_folder: Path, store_id: str) -> Path:
    """Where the key of the store lies."""
    return key_folder / f"{store_id}.key"


def read_store_id(folder: Path) -> StoreId:
    """The id of the store at `folder`, without its key."""
    return StoreId(str(read_config(folder / "config").get("store")))


def read_retired(layout: Layout) -> set[str]:
    """Names of segments that upkeep took away; empty where that was never written or is lost."""
    return set(_retired_list(layout)) | _marked(layout).keys()


def retire_segments(layout: Layout, files: Files, names: list[str]) -> None:
    """From now on, nobody takes the absence of these segments for a loss. Durable, also on a full
    disk: empty files say it then, which need no room, until there is room for the list.

    Raises Storage: then none of them may be taken away.
    """
    before, marked = _retired_list(layout), _marked(layout)
    fresh = sorted({*names, *marked} - set(before))
    if not fresh and not marked:
        return
    # An index that sleeps through ten thousand removals is sooner built anew.
    kept: list[Json] = [*before, *fresh]
    try:
        files.replace_file(layout.retired, to_json(kept[-RETIRED_NAMES:]))
    except Full:
        for name in sorted(set(names) - marked.keys() - set(before)):
            files.close(files.create(layout.segments / (_MARK + name)))
        files.sync_folder(layout.segments)
    else:
        for path in marked.values():
            files.remove(path)


def read_retired_ends(layout: Layout) -> dict[str, int]:
    """How far the segments went that collect took away; empty where that is lost."""
    try:
        ends = parse_json((layout.folder / _RETIRED_ENDS).read_bytes())
        return {str(name): int(end) for name, end in ends.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def note_retired_ends(layout: Layout, files: Files, ends: Mapping[str, int]) -> None:
    """These segments went so far when they were taken away, and all that is needed of them stands
    elsewhere. Raises Storage: then a pull may bring them back."""
    kept = {**read_retired_ends(layout), **ends}
    facts: dict[str, Json] = dict(list(kept.items())[-RETIRED_NAMES:])
    files.replace_file(layout.folder / _RETIRED_ENDS, to_json(facts))


def _marked(layout: Layout) -> dict[str, Path]:
    """The names that empty files tell of, and these files."""
    try:
        found = os.listdir(layout.segments)
    except OSError:
        return {}
    return {
        name.removeprefix(_MARK): layout.segments / name for name in found if name.startswith(_MARK)
    }


def _retired_list(layout: Layout) -> list[str]:
    try:
        names = parse_json(layout.retired.read_bytes())
    except (OSError, ValueError):
        return []
    return [str(name) for name in names] if isinstance(names, list) else []


def mend_config(
    folder: Path, store_id: StoreId, key: bytes, files: Files, *, encrypted: bool
) -> None:
    """The store's config says again which store it is; one that did not read is set aside."""
    config = folder / "config"
    try:
        before = config.read_bytes()
    except FileNotFoundError:
        before = b""
    if before:
        files.make_folder(folder / "damaged")
        files.replace_file(folder / "damaged" / f"config.{clock.new_id()}", before)
    files.make_folder(folder / "locks")
    files.replace_file(config, make_config(store_id, key, encrypted))


def _create(folder: Path, key_folder: Path, files: Files, encrypt: bool) -> None:
    if encrypt:
        from jupyter_rewind.store.encryption import require_library

        require_library()
    require_apart(key_folder, folder)
    files.make_folder(key_folder)
    files.make_folder(folder)
    files.make_folder(folder / "segments")
    files.make_folder(folder / "locks")
    with making(folder):
        if not _is_there(folder / "config"):
            _fill(folder, key_folder, files, encrypt)


@contextmanager
def making(folder: Path) -> Iterator[None]:
    """Nobody else makes a store at `folder` meanwhile. Raises Unavailable."""
    # Where a name cannot be published at once (no hard links), only this keeps two makers apart.
    lock = FileLock(folder / "locks" / "create")
    try:
        lock.acquire(exclusive=True, timeout_seconds=60, doing=f"make the store at {folder}")
    except Unavailable as error:
        if error.code != "no_locks":
            raise
    try:
        yield
    finally:
        lock.release()


def _fill(folder: Path, key_folder: Path, files: Files, encrypt: bool) -> None:
    store_id = StoreId(clock.token(16).hex())
    key = clock.token(KEY_SIZE)
    # The key comes first: a store whose key was lost in a crash could never be read.
    path = key_path(key_folder, store_id)
    files.rename(files.write_new(path, key), path)
    files.sync_folder(key_folder)
    config = make_config(store_id, key, encrypt)
    target = folder / "config"
    temporary = files.write_new(target, config)
    if not files.publish(temporary, target):
        # Another process made the store in the meantime: its id and its key are the ones.
        files.remove(temporary)
        files.remove(path)
    files.sync_folder(folder)


def make_config(store_id: StoreId, key: bytes, encrypted: bool) -> bytes:
    """What stands in the config of a store."""
    return to_json(
        {
            "format": SEALED_FORMAT if encrypted else STORE_FORMAT,
            "store": store_id,
            "created": clock.now_ns(),
            "key_check": key_check(key, store_id, encrypted),
        }
    )


def read_config(path: Path) -> dict[str, object]:
    """What the config at `path` says. Raises NotFound, Denied, Newer, Format."""
    try:
        facts = parse_json(path.read_bytes())
    except OSError as error:
        raise translate(error, "read", path) from error
    except ValueError as error:
        raise Format(
            f"The store's config {path} does not read: {error}.",
            hint="The records beside it are whole; take them into a new store with"
            " `jupyter rewind salvage`.",
        ) from error
    if not isinstance(facts, dict) or not isinstance(facts.get("format"), int):
        raise Format(f"{path} is not the config of a Jupyter Rewind store.")
    check_format(facts["format"], SEALED_FORMAT, f"The store at {path.parent}")
    return facts


def _read_key(path: Path, folder: Path, encrypted: bool) -> bytes:
    without = without_key(encrypted)
    try:
        key = path.read_bytes()
    except FileNotFoundError as error:
        raise Denied(
            f"The key of the store at {folder} is missing: there is no {path}.",
            code="no_key",
            hint=f"The store is untouched. Put the key back{without}.",
        ) from error
    except OSError as error:
        raise translate(error, "read the key", path) from error
    if len(key) != KEY_SIZE:
        raise Integrity(
            f"The key {path} has {len(key)} bytes instead of {KEY_SIZE}.",
            hint=f"The store is untouched. Put the key back from a backup of your home{without}.",
        )
    return key


def key_check(key: bytes, store_id: str, encrypted: bool = False) -> str:
    """What tells whether a key is that of the store, and whether that is encrypted; nobody can make
    it without the key."""
    said = b"key check, encrypted " if encrypted else b"key check "
    return blake3(said + store_id.encode(), key=key).hexdigest(16)
