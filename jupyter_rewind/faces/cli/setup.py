"""Commands about the installation: config, doctor."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from jupyter_rewind.errors import InvalidInput
from jupyter_rewind.faces.cli import completion
from jupyter_rewind.faces.cli.answers import Answer, Column, Document, Remark, Table, Words
from jupyter_rewind.faces.cli.command import Commands, Face
from jupyter_rewind.model.entry import Json

if TYPE_CHECKING:
    from jupyter_rewind.settings import SettingRow

commands = Commands("Set up")


class Action(StrEnum):
    """What to do with the settings."""

    LIST = "list"
    GET = "get"
    SET = "set"
    UNSET = "unset"


_TAKES = {Action.LIST: 0, Action.GET: 1, Action.SET: 2, Action.UNSET: 1}
_FORMS = {
    Action.LIST: "config list",
    Action.GET: "config get KEY",
    Action.SET: "config set KEY VALUE",
    Action.UNSET: "config unset KEY",
}


@commands.add("config")
def config(
    face: Face,
    action: Annotated[
        Action, typer.Argument(metavar="ACTION", help="list (the default), get, set or unset.")
    ] = Action.LIST,
    key: Annotated[
        str | None,
        typer.Argument(
            metavar="KEY", help="A setting, such as store.path.", autocompletion=completion.keys
        ),
    ] = None,
    value: Annotated[str | None, typer.Argument(metavar="VALUE", help="What to set.")] = None,
) -> Answer:
    """Show and change the settings; shows where each value comes from."""
    words = [each for each in (key, value) if each is not None]
    if len(words) != _TAKES[action]:
        raise InvalidInput(
            f"`config {action}` takes {_TAKES[action]} more word(s), not {len(words)}.",
            hint=f"Like this: jupyter rewind {_FORMS[action]}",
        )
    match action, words:
        case Action.SET, [name, text]:
            return _set(face, name, text)
        case Action.UNSET, [name]:
            return _unset(face, name)
        case Action.GET, [name]:
            return _get(face, name)
    return _settings(face, None)


def _get(face: Face, key: str) -> Answer:
    """The one value. A mistake that may be in it ends the command, as it ends those that go by it;
    others are told."""
    from jupyter_rewind.settings import trait_name

    name, remarks = trait_name(key), []
    for each in face.lenient_settings.problems:
        if not each.key or each.key.strip().lower().replace(".", "_") == name:
            raise each.error
        remarks.append(Remark(f"Left out: {each.error}"))
    answer = _settings(face, key)
    return replace(answer, parts=[*answer.parts, *remarks])


def _settings(face: Face, key: str | None) -> Answer:
    from jupyter_rewind.settings import describe, dotted_key, trait_name

    wanted = dotted_key(trait_name(key)) if key else None
    settings = face.lenient_settings
    rows = [row for row in describe(settings) if wanted in (None, row.key)]
    problems = [str(each.error) for each in settings.problems]
    data: list[Json] = [
        {
            "key": row.key,
            "value": row.value,
            "origin": row.origin,
            "default": row.default,
            "help": row.help,
        }
        for row in rows
    ]
    if wanted:
        return Answer(
            {"settings": data, "problems": list(problems)}, [Words(_shown(rows[0].value))]
        )
    columns = (Column("key", "bold"), Column("value", "cyan", fold=True), Column("from", fold=True))
    table = Table(columns, [(row.key, _shown(row.value), row.origin) for row in rows])
    remarks = [Remark(f"Left out: {text}") for text in problems]
    return Answer({"settings": data, "problems": list(problems)}, [table, *remarks])


def _shown(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _set(face: Face, key: str, value: str) -> Answer:
    from jupyter_rewind.settings import dotted_key, parse_value, trait_name
    from jupyter_rewind.workspace import set_value

    path = set_value(key, value)
    name = dotted_key(trait_name(key))
    stored = parse_value(key, value)
    row = _settings(face, key).data
    data: Document = {"key": name, "value": stored, "file": str(path), **row}
    for each in _rows(face, name):
        if each.value != stored:
            words = f"{name} is {_shown(stored)} in {path}."
            wins = f"But {each.origin} says {_shown(each.value)}, and that counts."
            return Answer(data, [Words(words), Remark(wins)])
    return Answer(data, [Words(f"{name} is now {_shown(stored)}, in {path}.")])


def _rows(face: Face, key: str) -> list[SettingRow]:
    from jupyter_rewind.settings import describe

    return [row for row in describe(face.lenient_settings) if row.key == key]


def _unset(face: Face, key: str) -> Answer:
    from jupyter_rewind.settings import dotted_key, setting_traits, user_file
    from jupyter_rewind.workspace import unset_value

    changed = unset_value(key)
    name = dotted_key(key.strip().lower().replace(".", "_"))
    known = name in map(dotted_key, setting_traits())
    said = f"{name} is no longer set in" if changed else f"{name} was not set in"
    row = _settings(face, key).data if known else {"settings": [], "problems": []}
    data: Document = {"key": name, "changed": changed, "file": str(user_file()), **row}
    return Answer(data, [Words(f"{said} {user_file()}.")])


@commands.add("doctor")
def doctor(face: Face) -> Answer:
    """Look at the installation: what is on, what is not, why, and the command that mends each.

    Ends with status 0 whatever it finds; `healthy` in --json tells.
    """
    from jupyter_rewind.faces.cli.diagnosis import examine
    from jupyter_rewind.faces.cli.findings import State

    findings = examine(face.lenient_settings)
    problems = [each for each in findings if each.state is State.PROBLEM]
    columns = (
        Column("state", "bold"),
        Column("what", "cyan"),
        Column("finding", fold=True),
        Column("mend", "bold yellow", fold=True),
    )
    rows = [(str(each.state), each.name, each.text, each.mend) for each in findings]
    verdict = "All is well." if not problems else f"Problems: {len(problems)}."
    data: Document = {
        "healthy": not problems,
        "findings": [
            {"name": e.name, "state": str(e.state), "text": e.text, "mend": e.mend or None}
            for e in findings
        ],
    }
    return Answer(data, [Table(columns, rows), Remark(verdict)])
