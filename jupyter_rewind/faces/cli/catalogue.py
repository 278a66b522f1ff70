"""The command about a hub's catalogue, and what `doctor` says of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from jupyter_rewind.errors import InvalidInput, NotFound, RewindError
from jupyter_rewind.faces.cli import wording
from jupyter_rewind.faces.cli.answers import Answer, Column, Part, Remark, Table, Words
from jupyter_rewind.faces.cli.command import Commands, Face
from jupyter_rewind.faces.cli.findings import Finding, State
from jupyter_rewind.model.entry import Json

if TYPE_CHECKING:
    from jupyter_rewind.catalogue import Catalogue, Row
    from jupyter_rewind.settings import Rewind

commands = Commands("Keep copies elsewhere")
NAME = "catalogue"


class CatalogueAction(StrEnum):
    """What to do with the catalogue."""

    LIST = "list"
    CREATE = "create"
    FORGET = "forget"


@commands.add("catalogue")
def catalogue(
    face: Face,
    action: Annotated[
        CatalogueAction,
        typer.Argument(metavar="ACTION", help="list (the default), create or forget."),
    ] = CatalogueAction.LIST,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="For create: the role of the database that the users' logins are members of. For"
            " forget: the user.",
        ),
    ] = None,
    shared: Annotated[
        bool,
        typer.Option(
            "--shared",
            help="For create: whoever logs in as this role may write any user's row. Without, a"
            " login writes and sees the rows of its own name alone.",
        ),
    ] = False,
) -> Answer:
    """For administrators of a hub: who keeps how much, and how far behind the replicas are.

    The catalogue is a table in the PostgreSQL database of catalogue.url. Nothing of a notebook
    stands in it, not even its name. create makes the table and may be done again.
    """
    if name is None and action is not CatalogueAction.LIST:
        what = "a role" if action is CatalogueAction.CREATE else "a user"
        raise InvalidInput(f"`catalogue {action}` takes the name of {what}.")
    if name is not None and action is CatalogueAction.LIST:
        raise InvalidInput("`catalogue list` takes no name: it shows all users.")
    if shared and action is not CatalogueAction.CREATE:
        raise InvalidInput(f"--shared goes with create, not with {action}.")
    from jupyter_rewind.catalogue import Catalogue

    found = Catalogue(face.settings)
    match action:
        case CatalogueAction.CREATE:
            return _create(found, name or "", shared=shared)
        case CatalogueAction.FORGET:
            count = found.forget(name or "")
            text = f"The catalogue holds nothing of {name} any more. A server of theirs that runs"
            words = Words(f"{text} writes its row again.")
            return Answer({"action": str(action), "user": name, "rows": count}, [words])
    return _list(found)


def _create(found: Catalogue, role: str, *, shared: bool) -> Answer:
    found.create(role, shared=shared)
    rows = "any row" if shared else "the rows of their own names, and no others"
    parts: list[Part] = [
        Words(f"The catalogue is there. Members of {role} write and see {rows}."),
        Remark("Set catalogue.url for the users' servers; each writes its row within a minute."),
    ]
    return Answer({"action": "create", "role": role, "shared": shared}, parts)


def _list(found: Catalogue) -> Answer:
    rows = found.rows()
    columns = (
        Column("user", "cyan", fold=True), Column("seen"), Column("histories", right=True),
        Column("checkpoints", right=True), Column("size", right=True), Column("quota", right=True),
        Column("behind", fold=True),
    )  # fmt: skip
    lines = [
        (
            wording.visible(row.username), _seen(row), str(row.histories), str(row.checkpoints),
            wording.size(row.used_bytes), _share(row), wording.visible(_behind(row)),
        )
        for row in rows
    ]  # fmt: skip
    table = Table(columns, lines, empty="No server has written into the catalogue yet.")
    users: list[Json] = [_data(row) for row in rows]
    return Answer({"action": "list", "users": users}, [table])


def _seen(row: Row) -> str:
    return "" if row.seen is None else wording.local_time(int(row.seen.timestamp()) * 10**9)


def _share(row: Row) -> str:
    return f"{row.used_bytes / row.quota_bytes:.0%}" if row.quota_bytes else ""


def _behind(row: Row) -> str:
    if not row.replicas:
        return "no replica"
    lacking = [each for each in row.replicas if each.bytes or each.state == "failing"]
    if not lacking:
        return "no"
    return "; ".join(
        f"{each.url}: {each.seconds:.0f} s, {wording.size(each.bytes)}"
        f"{', failing' if each.state == 'failing' else ''}"
        for each in lacking
    )


def _data(row: Row) -> dict[str, Json]:
    replicas: list[Json] = [
        {
            "url": each.url,
            "state": each.state,
            "behind_seconds": each.seconds,
            "behind_bytes": each.bytes,
            "oldest": each.oldest,
        }
        for each in row.replicas
    ]
    return {
        "user": row.username,
        "store": row.store,
        "host": row.host,
        "version": row.version,
        "histories": row.histories,
        "checkpoints": row.checkpoints,
        "used_bytes": row.used_bytes,
        "quota_bytes": row.quota_bytes,
        "replicas": replicas,
        "seen": None if row.seen is None else row.seen.astimezone(UTC).isoformat(),
    }


def check_catalogue(settings: Rewind) -> Iterator[Finding]:
    """Nothing is said where nobody set a catalogue."""
    if not settings.catalogue_url:
        return
    from jupyter_rewind.catalogue import Catalogue

    found = Catalogue(settings)
    try:
        known = [row for row in found.rows() if row.username == found.username]
    except NotFound as error:
        yield Finding(NAME, State.PROBLEM, str(error), "jupyter rewind catalogue create ROLE")
        return
    except RewindError as error:
        mend = 'pip install "jupyter-rewind[catalogue]"' if "pip install" in error.hint else ""
        yield Finding(NAME, State.PROBLEM, str(error), mend)
        return
    if known:
        seen = max((row.seen for row in known if row.seen is not None), default=None)
        when = "" if seen is None else wording.local_time(int(seen.timestamp()) * 10**9)
        yield Finding(NAME, State.ON, f"{found.username} stands there, last told at {when}")
    else:
        text = f"nothing of {found.username} stands there: no server has run since it was set"
        yield Finding(NAME, State.NOTE, text)
