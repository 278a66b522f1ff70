"""The command about the store's key: to another place, to another machine, or another one."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jupyter_rewind.errors import InvalidInput
from jupyter_rewind.faces.cli import wording
from jupyter_rewind.faces.cli.answers import Answer, Part, Remark, Words
from jupyter_rewind.faces.cli.command import Commands, Face
from jupyter_rewind.model.entry import Json

if TYPE_CHECKING:
    from jupyter_rewind.replication import Replication

commands = Commands("Keep copies elsewhere")


class KeyAction(StrEnum):
    """What to do with the store's key."""

    EXPORT = "export"
    IMPORT = "import"
    ROTATE = "rotate"


@commands.add("key")
def key(
    face: Face,
    action: Annotated[
        KeyAction, typer.Argument(metavar="ACTION", help="export, import or rotate.")
    ],
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="The file that holds the key.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Rotate. Without, only tell.")] = False,
    encrypt: Annotated[
        bool | None,
        typer.Option(
            "--encrypt/--decrypt",
            help="For rotate: the store is encrypted then, or in the clear. Without, as before.",
        ),
    ] = None,
) -> Answer:
    """Keep the store's key in another place, bring it to another machine, or change it.

    Without it no replica can be pulled, and nothing of an encrypted one can ever be read again.
    rotate gives the store another key, for when this one has become known: all that was kept is
    there as before; replicas stay with the old key, and each needs a new place. It changes nothing
    without --yes, nor while a server or a kernel is writing. With --encrypt all that the store
    holds is encrypted from then on; with --decrypt it is in the clear again.
    """
    from jupyter_rewind.replication import Replication

    replicas = Replication(face.settings)
    if action is KeyAction.ROTATE:
        return _rotate(face, replicas, doing=yes, encrypt=encrypt)
    if encrypt is not None:
        raise InvalidInput(f"--encrypt and --decrypt go with rotate, not with {action}.")
    if file is None:
        raise InvalidInput(f"key {action} needs a FILE.")
    place = file.expanduser().absolute()
    if action is KeyAction.EXPORT:
        lies = replicas.export_key(place)
        parts: list[Part] = [Words(f"{place} is a copy of the store's key, {lies}.")]
        parts.append(Remark("Keep it as you keep passwords, apart from store and replicas."))
        return Answer({"action": str(action), "file": str(place), "key": str(lies)}, parts)
    store, lies, is_new = replicas.import_key(place)
    text = "lies" if is_new else "lay already"
    parts = [Words(f"The key of the store {store[:8]}… {text} at {lies}.")]
    return Answer(
        {"action": str(action), "file": str(place), "key": str(lies), "new": is_new}, parts
    )


_FORMS = {None: "", True: " and encrypt all of it", False: " and put all of it in the clear"}
_DONE = {None: "", True: " It is encrypted.", False: " It is in the clear."}


def _rotate(face: Face, replicas: Replication, *, doing: bool, encrypt: bool | None) -> Answer:
    urls = replicas.urls
    left = [
        Remark(
            f"{url} stays as it is, readable with the old key alone. Begin a new one: jupyter"
            f" rewind replica remove {shlex.quote(url)}, then replica add with another prefix."
        )
        for url in urls
    ]
    data: dict[str, Json] = {
        "action": "rotate",
        "dry_run": not doing,
        "replicas": [*urls],
        **({} if encrypt is None else {"encrypt": encrypt}),
    }
    if not doing:
        if encrypt:
            replicas.require_encryption()
        text = f"Would give the store another key and write all of its tags anew{_FORMS[encrypt]}."
        return Answer(data, [Words(f"{text} Nothing was changed; --yes does it."), *left])
    with face.screen.progress("Rotating") as progress:
        done = replicas.rotate_key(progress, encrypt=encrypt)
    data |= {"key": str(done.new_key), "old_key": str(done.old_key), "bytes": done.bytes}
    words = (
        f"The store has another key, {done.new_key}; {wording.size(done.bytes)} were sealed anew."
        + _DONE[encrypt]
    )
    aside = [
        Remark(f"{folder} still holds in the clear what was set aside there. Look, and remove it.")
        for folder in (replicas.set_aside() if encrypt else ())
    ]
    parts: list[Part] = [
        Words(words),
        *aside,
        Remark("Copies of the old key open this store no more: `jupyter rewind key export` anew."),
        Remark(
            f"The old key stays at {done.old_key}, for replicas and backups that were made with"
            " it. Delete it once there are none: without it nobody can read those."
        ),
        *left,
    ]
    return Answer(data, parts)
