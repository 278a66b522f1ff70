"""A store's key as a file that a person keeps: on paper, in a safe, on another disk.

Without the key no replica can be pulled, and nothing of an encrypted one, or of an encrypted store,
can ever be read. The file is text, with a check against slips of the pen, and holds the store's id.
"""

from __future__ import annotations

import hmac
import re
from pathlib import Path

from blake3 import blake3

from jupyter_rewind.errors import Conflict, Denied, Format, NotFound
from jupyter_rewind.model.ids import StoreId
from jupyter_rewind.store.durable import Files, translate
from jupyter_rewind.store.layout import KEY_SIZE, ROTATED, Layout, key_path

_WORD = "rewind-key-1"
_LINE = re.compile(rf"{_WORD} ([0-9a-f]{{16,64}}) ([0-9a-f]{{{2 * KEY_SIZE}}}) ([0-9a-f]{{8}})")
_WORDS = """\
# The key of a Jupyter Rewind store. Keep it where you keep passwords, apart from the store and from
# every replica: whoever has it and one of these can read all that is in there. What is encrypted
# nobody can read without it, you included.
# On a new machine: jupyter rewind key import THIS-FILE
"""


def export_key(layout: Layout, file: Path, files: Files) -> None:
    """`file`, which was not there, holds the store's key, and only its owner may read it.

    Raises Conflict where there is such a file, Storage.
    """
    line = f"{_WORD} {layout.store_id} {layout.key.hex()} {_check(layout.store_id, layout.key)}\n"
    temporary = files.write_new(file, (_WORDS + line).encode())
    try:
        made = files.publish(temporary, file)
    finally:
        files.remove(temporary)
    if not made:
        raise Conflict(f"There is a file {file} already.", hint="Nothing was changed.")
    files.sync_folder(file.parent)


def import_key(file: Path, key_folder: Path, files: Files) -> tuple[StoreId, Path, bool]:
    """The key in `file` lies where this machine looks for it: of which store it is, where it lies,
    and whether it is new here.

    Raises NotFound, Format (no key, or a slip in it), Conflict (another key of that store is
    here), Storage.
    """
    store_id, key = _read(file)
    path = key_path(key_folder, store_id)
    files.make_folder(key_folder)
    temporary = files.write_new(path, key)
    try:
        is_new = files.publish(temporary, path)
    finally:
        files.remove(temporary)
    try:
        is_same = is_new or hmac.compare_digest(path.read_bytes(), key)
    except OSError as error:
        raise Denied(f"The key {path} cannot be read: {error.strerror}.", code="no_key") from error
    if not is_same:
        raise Conflict(
            f"There is another key of the store {store_id[:8]}… at {path}.",
            hint="Nothing was changed. One of the two is not this store's; take that one away.",
        )
    files.sync_folder(key_folder)
    return store_id, path, is_new


def only_key(key_folder: Path) -> tuple[str, bytes] | None:
    """The id and the key of the one store whose key is here and was not changed since; None where
    there is none, or more than one, or it does not read."""
    try:
        found = [
            path
            for path in key_folder.glob("*.key")
            if not (key_folder / f"{path.stem}{ROTATED}").exists()
        ]
        key = found[0].read_bytes() if len(found) == 1 else b""
    except OSError:
        return None
    return (found[0].stem, key) if len(key) == KEY_SIZE else None


def _read(file: Path) -> tuple[StoreId, bytes]:
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {file}.") from error
    except UnicodeDecodeError as error:
        raise _no_key(file) from error
    except OSError as error:
        raise translate(error, "read", file) from error
    lines = [line.strip() for line in text.splitlines()]
    found = [line for line in lines if line and not line.startswith("#")]
    match = _LINE.fullmatch(found[0]) if len(found) == 1 else None
    if match is None:
        raise _no_key(file)
    store_id, key = StoreId(match[1]), bytes.fromhex(match[2])
    if match[3] != _check(store_id, key):
        raise Format(
            f"The key in {file} has a mistake in it: its check does not fit.",
            hint="Nothing was changed. Compare it with another copy, character by character.",
        )
    return store_id, key


def _no_key(file: Path) -> Format:
    return Format(
        f"{file} is not a key that `jupyter rewind key export` wrote.", hint="Nothing was changed."
    )


def _check(store_id: StoreId, key: bytes) -> str:
    """Against slips alone: it tells nobody anything who has not the key."""
    return blake3(b"key file\0" + store_id.encode() + b"\0" + key).hexdigest(4)
