"""What `doctor` finds out about the store, without making one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from jupyter_rewind.errors import Denied, NotFound, RewindError
from jupyter_rewind.faces.cli import wording
from jupyter_rewind.faces.cli.findings import Finding, State

if TYPE_CHECKING:
    from jupyter_rewind.settings import Rewind
    from jupyter_rewind.workspace import StoreHealth

LITTLE_ROOM = 1_000_000_000


def check_store(settings: Rewind) -> Iterator[Finding]:
    """Whether the store opens, who may look into it, and how much room there is."""
    from jupyter_rewind.workspace import store_health

    health = store_health(Path(settings.store_path), Path(settings.store_key_folder))
    folder, move = health.folder, health.move
    fault, key = _open_store(settings), _check_key(health)
    if not health.exists and health.obstacle:
        text = f"{folder} cannot be made: {health.obstacle}"
        yield Finding("store", State.PROBLEM, text, move)
        return
    if fault is not None:
        mend = fault.hint or "jupyter rewind verify"
        if key is not None and not health.key_readable:
            mend = key.mend
        yield Finding("store", State.PROBLEM, fault.message, mend)
    elif health.key_obstacle:
        text = f"the key of a new store cannot be kept: {health.key_obstacle}"
        yield Finding("key", State.PROBLEM, text, move)
    elif not health.exists:
        yield Finding("store", State.NOTE, f"{folder} will be made with the first checkpoint")
    else:
        yield Finding("store", State.ON, str(folder))
        yield from _encryption(health, wanted=settings.store_encrypt)
    if health.obstacle and not health.problem:  # else it is told why it cannot even be read
        yield Finding("store writable", State.PROBLEM, health.obstacle, _allow(folder) or move)
    elif health.exists and not health.obstacle:
        yield Finding("store writable", State.ON, "yes")
    if not health.private:
        text = f"others may look into {folder}"
        yield Finding(
            "store permissions", State.PROBLEM, text, f"chmod -R go= {quote(str(folder))}"
        )
    if key is not None:
        yield key
    if health.free_bytes is not None:
        room = wording.size(health.free_bytes)
        if health.free_bytes < LITTLE_ROOM:
            shrink = "jupyter rewind expire --yes && jupyter rewind collect"
            mend = shrink if health.exists else move
            yield Finding("free space", State.PROBLEM, f"only {room}", mend)
        else:
            yield Finding("free space", State.ON, room)
    if health.network:
        text = f"{folder} lies on a network file system: its index stays out of there"
        yield Finding("file system", State.NOTE, text)
    usual = "in your cache folder, on a local disk" if health.network else f"beside it, in {folder}"
    index = settings.store_index_path
    if health.encrypted:
        usual, index = "in memory: it names notebooks and labels", ""
    if index and health.exists and fault is None:
        index = _say_index(settings)
    yield Finding("index", State.NOTE, index or usual)
    if health.locks is False:
        text = f"{folder} has no working locks: checkpoints are safe, collect refuses to work"
        yield Finding("locks", State.PROBLEM, text, move)
    elif health.locks:
        yield Finding("locks", State.ON, "work")


def _allow(folder: Path) -> str:
    """The command that lets its owner write to a store again; empty where that is not the cause:
    another place would leave all histories behind in this one."""
    try:
        status = folder.stat()
    except OSError:
        return ""
    if not hasattr(os, "getuid") or status.st_uid != os.getuid() or status.st_mode & 0o300 == 0o300:
        return ""
    return f"chmod -R u+rwX {quote(str(folder))}"


def _encryption(health: StoreHealth, *, wanted: bool) -> Iterator[Finding]:
    if health.encrypted:
        yield Finding("encryption", State.ON, "AES-256-GCM")
    elif wanted:
        text = "off, though the setting store.encrypt asks for it: the store was made without"
        move = "jupyter rewind key rotate --encrypt --yes"
        yield Finding("encryption", State.PROBLEM, text, move)


def _open_store(settings: Rewind) -> RewindError | None:
    """Why the store cannot be opened and read as every command does it; None where it can, or is
    not yet there."""
    from jupyter_rewind.workspace import Workspace

    try:
        with Workspace.open(settings, create=False) as workspace:
            workspace.repository.refresh()
            for name, why in workspace.repository.shut().items():
                place = quote(str(workspace.repository.layout.segments / name))
                # A disk that fails gives nothing back to whoever owns the file.
                mend = next(
                    (f"{way} {place}" for way in ("sudo chown $USER", "chmod u+rw") if way in why),
                    "jupyter rewind verify",
                )
                return Denied(f"segment {name} does not read: {why}", hint=mend)
    except NotFound:
        return None
    except RewindError as error:
        return error
    return None


def _say_index(settings: Rewind) -> str:
    """Where the index that the settings name lies, which may be beside what they name."""
    from jupyter_rewind.workspace import Workspace

    named = Path(settings.store_index_path).expanduser()
    with Workspace.open(settings, create=False) as workspace, workspace.repository.index() as index:
        lies = index.path
    if lies is None:
        return f"in memory: {named} cannot be used"
    if lies == named:
        return str(lies)
    return f"{lies}, for {named} is no index of this store, and stays as it is"


def _check_key(health: StoreHealth) -> Finding | None:
    key = health.key
    if not health.exists or key is None:
        return None
    if not health.key_readable:
        text = f"{key} is missing or cannot be read: the store stays closed without it"
        return Finding("key", State.PROBLEM, text, _bring_key(key))
    if not health.key_private:
        return Finding(
            "key", State.PROBLEM, f"others may read {key}", f"chmod 600 {quote(str(key))}"
        )
    if not health.key_apart:
        text = f"{key} lies inside the store: whoever has a copy of that can open it"
        return Finding("key", State.PROBLEM, text, _take_out(key))
    return Finding("key", State.ON, "only you can read it")


def _bring_key(key: Path) -> str:
    """The command that opens a key which is there, or puts back one that is not."""
    path, rights = key, "u+rw"
    try:
        status = key.stat()
    except PermissionError:
        path, rights = key.parent, "u+rwx"
        status = None
    except OSError:
        return f"cp /your/backup/{quote(key.name)} {quote(str(key.parent))}/"
    if hasattr(os, "getuid") and status is not None and status.st_uid != os.getuid():
        return f"sudo chown $USER {quote(str(path))}"
    return f"chmod {rights} {quote(str(path))}"


def _take_out(key: Path) -> str:
    from jupyter_core.paths import jupyter_config_dir

    folder = quote(str(Path(jupyter_config_dir()) / "rewind-keys"))
    move = f"mkdir -m 700 -p {folder} && mv {quote(str(key))} {folder}/"
    return f"{move} && jupyter rewind config set store.key_folder {folder}"
