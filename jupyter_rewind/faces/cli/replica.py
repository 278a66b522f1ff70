"""The command about replicas: copies of the store elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from jupyter_rewind.errors import InvalidInput, RewindError
from jupyter_rewind.faces.cli import wording
from jupyter_rewind.faces.cli.answers import Answer, Column, Part, Remark, Table, Words
from jupyter_rewind.faces.cli.command import Commands, Face
from jupyter_rewind.faces.cli.statuses import Status
from jupyter_rewind.model.entry import Json

if TYPE_CHECKING:
    from jupyter_rewind.remains import Remains
    from jupyter_rewind.replication import CheckReport, PullReport, Replication, Standing

commands = Commands("Keep copies elsewhere")
Row = dict[str, Json]


class Action(StrEnum):
    """What to do with replicas."""

    LIST = "list"
    ADD = "add"
    REMOVE = "remove"
    PUSH = "push"
    PULL = "pull"
    STATUS = "status"
    VERIFY = "verify"
    SALVAGE = "salvage"
    COLLECT = "collect"


@commands.add("replica")
def replica(
    face: Face,
    action: Annotated[
        Action,
        typer.Argument(
            metavar="ACTION",
            help="list (the default), add, remove, push, pull, status, verify, salvage or collect.",
        ),
    ] = Action.LIST,
    url: Annotated[
        str | None,
        typer.Argument(
            metavar="URL",
            help="s3://bucket/prefix or file:///a/folder; for all but add, a part of it will do.",
        ),
    ] = None,
    read_data: Annotated[
        str | None,
        typer.Option(
            "--read-data",
            metavar="[=SHARE]",
            help="For verify: read and compare everything; with =5% so much, drawn by chance.",
        ),
    ] = None,
    encrypt: Annotated[
        bool, typer.Option("--encrypt", help="For add: nothing goes there in the clear.")
    ] = False,
    lazy: Annotated[
        bool,
        typer.Option(
            "--lazy", help="For pull: large contents stay only there until they are read."
        ),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="For collect: do it. Without, only tell.")
    ] = False,
) -> Answer:
    """Keep copies of the store elsewhere: push to them, pull from them, look after them.

    All but add and remove mean all replicas without a URL. Where one of several fails, the others
    are seen to all the same. collect frees the room of what expired and was collected here; with
    --yes it pushes and pulls first. salvage brings what still reads of replicas that are damaged,
    where no machine has the store any more; what one lacks comes from the others.
    """
    if url is None and action in {Action.ADD, Action.REMOVE}:
        raise InvalidInput(
            f"`replica {action}` takes an address.",
            hint=f"Like this: jupyter rewind replica {action} s3://bucket/prefix",
        )
    if url is not None and action is Action.LIST:
        raise InvalidInput("`replica list` takes no address: it shows all replicas.")
    if read_data is not None and action is not Action.VERIFY:
        raise InvalidInput(f"--read-data goes with verify, not with {action}.")
    if encrypt and action is not Action.ADD:
        raise InvalidInput(f"--encrypt goes with add, not with {action}.")
    if lazy and action is not Action.PULL:
        raise InvalidInput(f"--lazy goes with pull, not with {action}.")
    if yes and action is not Action.COLLECT:
        raise InvalidInput(f"--yes goes with collect, not with {action}.")
    from jupyter_rewind.replication import Replication

    share = _share(read_data) if read_data is not None else 0.0
    replicas = Replication(face.settings)
    match action:
        case Action.ADD:
            return _add(face, replicas, url or "", encrypt)
        case Action.REMOVE:
            gone, file = replicas.remove(url or "")
            text = f"{gone} is no replica of this store any more, by {file}. What it holds stays."
            return _answer(action, [{"url": gone}], [Words(text)])
        case Action.PUSH:
            return _each(action, replicas, url, lambda one: _push(face, replicas, one))
        case Action.PULL:
            return _pull_all(face, replicas, url, lazy)
        case Action.STATUS:
            return _each(action, replicas, url, lambda one: _standing(replicas.standing(one)))
        case Action.VERIFY:
            return _each(action, replicas, url, lambda one: _verify(face, replicas, one, share))
        case Action.SALVAGE:
            return _salvage_all(face, replicas, url)
        case Action.COLLECT:
            return _each(action, replicas, url, lambda one: _collect(face, replicas, one, yes))
    table = Table(
        (Column("replica", "cyan", fold=True), Column("from", fold=True)),
        [(each, replicas.origin) for each in replicas.urls],
        empty="There is no replica. Add one: jupyter rewind replica add s3://bucket/prefix",
    )
    return _answer(action, [{"url": each} for each in replicas.urls], [table])


_URL = typer.Argument(
    metavar="URL", help="s3://bucket/prefix or file:///a/folder; a part of it will do."
)


@commands.add("pull")
def pull(
    face: Face,
    url: Annotated[str | None, _URL] = None,
    lazy: Annotated[
        bool,
        typer.Option("--lazy", help="Large contents stay in the replica until they are read."),
    ] = False,
) -> Answer:
    """Bring what the replicas hold: all histories first, then their contents.

    The histories are there as soon as they have come, and contents that somebody reads meanwhile
    come at once. Ctrl-C leaves what has come; the rest comes as it is read, with a server, or
    with the next pull. Without a URL all replicas are meant. The same as `replica pull`.
    """
    from jupyter_rewind.replication import Replication

    return _pull_all(face, Replication(face.settings), url, lazy)


def _answer(
    action: Action, rows: list[Row], parts: list[Part], status: Status = Status.DONE
) -> Answer:
    listed: list[Json] = [*rows]
    return Answer({"action": str(action), "replicas": listed}, parts, status)


def _add(face: Face, replicas: Replication, url: str, encrypt: bool) -> Answer:
    from jupyter_rewind.settings import Settings

    added = replicas.add(url, encrypt=encrypt)
    state = "There is one of this store already." if added.exists else "`push` makes it."
    if added.exists and added.key is None:
        state = "What it holds comes with `jupyter rewind pull`, or the next command."
    told = Words(f"{added.url} is a replica of this store now, by {added.file}.")
    parts: list[Part] = [told, Remark(state)]
    if added.encrypted:
        parts.append(Remark("It is encrypted: without the key nobody can ever read it again."))
    if added.missed_encryption:
        parts.append(Remark(added.missed_encryption))
    if added.key is not None:
        words = f"Keep a copy of {added.key} in another place: nobody can use a replica without it."
        parts.append(Remark(f"{words} `jupyter rewind key export FILE` makes one."))
    if added.url not in Settings.load(face.overrides()).replica_url.split():
        parts.append(Remark(f"But {replicas.origin} says otherwise, and that counts."))
    row: Row = {"url": added.url, "exists": added.exists, "encrypted": added.encrypted}
    return _answer(Action.ADD, [row], parts)


def _each(
    action: Action,
    replicas: Replication,
    url: str | None,
    work: Callable[[str], tuple[Row, str, Status]],
) -> Answer:
    """One replica after the other; the first failure is told when all have had their turn."""
    rows: list[Row] = []
    parts: list[Part] = []
    failed: list[tuple[str, RewindError]] = []
    status = Status.DONE
    for one in replicas.choose(url):
        try:
            row, text, ended = work(one)
        except RewindError as error:
            failed.append((one, error))
            continue
        rows.append({"url": one, **row})
        parts.append(Words(f"{one}: {text}"))
        status = max(status, ended)
    if not failed:
        return _answer(action, rows, parts, status)
    if len(failed) == 1 and not rows:
        raise failed[0][1]
    first = failed[0][1]
    done = "".join(f" {part.text}" for part in parts if isinstance(part, Words))
    told = " ".join(f"{one}: {error.message}" for one, error in failed)
    raise type(first)(told + done, code=first.code, hint=first.hint, retryable=first.retryable)


def _push(face: Face, replicas: Replication, url: str) -> tuple[Row, str, Status]:
    with face.screen.progress("Pushing") as progress:
        report = replicas.push(url, progress)
    row: Row = {
        "bytes": report.bytes,
        "segments": report.segments,
        "entries": report.entries,
        "objects": report.objects,
    }
    if not report.bytes:
        return row, "has everything already.", Status.DONE
    entries = wording.count(report.entries, "new record")
    size = wording.size(report.bytes)
    return row, f"has everything now; {entries}, {size}.", Status.DONE


def _pull_all(face: Face, replicas: Replication, url: str | None, lazy: bool) -> Answer:
    """The histories of all of them are here before the contents of the first."""
    brought: dict[str, tuple[PullReport, bool] | RewindError] = {}
    for one in replicas.choose(url):
        try:
            with face.screen.progress("Pulling histories") as progress:
                brought[one] = replicas.pull(one, progress)
        except RewindError as error:
            brought[one] = error
    return _each(
        Action.PULL, replicas, url, lambda one: _pull(face, replicas, one, brought[one], lazy)
    )


def _pull(
    face: Face,
    replicas: Replication,
    url: str,
    brought: tuple[PullReport, bool] | RewindError,
    lazy: bool,
) -> tuple[Row, str, Status]:
    if isinstance(brought, RewindError):
        raise brought
    report, made = brought
    if made and (missed := replicas.missed_encryption):
        face.screen.remark(missed)
    filled = 0 if lazy else _fill(face, replicas, url)
    # Not of this pull alone: what an earlier one left there is not here either.
    absent = replicas.count_absent() if lazy else 0
    row: Row = {
        "bytes": report.bytes,
        "segments": report.segments,
        "entries": report.entries,
        "absent_bytes": absent,
        "filled_bytes": filled,
        "made_store": made,
    }
    if not (report.segments or filled):
        nothing = "holds nothing that is not here."
        told = f"holds no other histories. {wording.absent(absent)}" if absent else nothing
        return row, told, Status.DONE
    entries = wording.count(report.entries, "new record")
    size = report.bytes - report.absent_bytes + filled
    text = f"brought {entries}, {wording.size(size)}."
    return row, f"{text} {wording.absent(absent)}" if absent else text, Status.DONE


def _fill(face: Face, replicas: Replication, url: str) -> int:
    """How many bytes of contents came. Who stops it hears that the histories are here."""
    try:
        with face.screen.progress("Pulling contents") as progress:
            return replicas.fill(url, progress)
    except (RewindError, KeyboardInterrupt):
        with suppress(RewindError):
            absent = replicas.count_absent()
            told = f" {wording.absent(absent)} {wording.BRING}" if absent else ""
            face.screen.remark(f"All histories are here.{told}")
        raise


def _standing(found: Standing) -> tuple[Row, str, Status]:
    row: Row = {
        "exists": found.exists,
        "behind_bytes": found.behind_bytes,
        "behind_entries": found.behind_entries,
        "oldest": wording.utc_time(found.oldest_ns) if found.oldest_ns is not None else None,
        "pushed": wording.utc_time(found.pushed_ns) if found.pushed_ns is not None else None,
        "absent_bytes": found.absent_bytes,
        "ahead_bytes": found.ahead_bytes,
    }
    absent = f" {wording.absent(found.absent_bytes)}" if found.absent_bytes else ""
    absent += f" {wording.ahead(found.ahead_bytes)}" if found.ahead_bytes else ""
    if not found.behind_bytes:
        return row, f"has everything.{absent}", Status.DONE
    size = wording.size(found.behind_bytes)
    text = f"lacks {wording.count(found.behind_entries, 'record')}, {size}"
    if found.oldest_ns is not None:
        text += f", the oldest of {wording.local_time(found.oldest_ns)}"
    return row, f"{text}.{absent}", Status.DONE


def _verify(face: Face, replicas: Replication, url: str, share: float) -> tuple[Row, str, Status]:
    with face.screen.progress("Verifying") as progress:
        report = replicas.check(url, read_share=share, progress=progress)
    row: Row = {
        "ok": report.ok,
        "read_data": report.read_share >= 1,
        "read_share": report.read_share,
        "refs": report.refs,
        "packs": report.packs,
        "segments": report.segments,
        "bytes": report.bytes,
        "unused_bytes": report.unused_bytes,
        "faults": [{"key": each.key, "what": each.what} for each in report.faults],
    }
    return row, _tell(report), Status.DONE if report.ok else Status.DAMAGE


def _salvage_all(face: Face, replicas: Replication, url: str | None) -> Answer:
    from jupyter_rewind.remains import take_remains

    with face.screen.progress("Bringing what reads") as progress:
        taken = take_remains(replicas, replicas.choose(url), progress)
    came = [one.report for one in taken.values() if not isinstance(one, RewindError)]
    if came and not (len(came) == len(taken) and all(report.ok for report in came)):
        missing = wording.size(sum(report.missing_bytes for report in came))
        face.screen.remark(f"Of what came, {missing} are missing. {wording.AFTER_REMAINS}")
    return _each(Action.SALVAGE, replicas, url, lambda one: _salvage(taken[one]))


def _salvage(taken: Remains | RewindError) -> tuple[Row, str, Status]:
    if isinstance(taken, RewindError):
        raise taken
    report = taken.report
    row: Row = {
        "bytes": report.bytes,
        "segments": report.segments,
        "missing_bytes": report.missing_bytes,
        "made_store": taken.made_store,
        "faults": [{"key": each.key, "what": each.what} for each in report.faults],
    }
    text = f"brought {wording.count(report.segments, 'segment')}, {wording.size(report.bytes)}"
    if report.ok:
        return row, f"{text}; nothing was missed.", Status.DONE
    return row, f"{text}; damaged: {wording.faults(report.faults)}.", Status.DAMAGE


def _collect(face: Face, replicas: Replication, url: str, yes: bool) -> tuple[Row, str, Status]:
    with face.screen.progress("Collecting") as progress:
        report = replicas.collect(url, dry_run=not yes, progress=progress)
    row: Row = {
        "freed_bytes": report.freed_bytes,
        "kept_bytes": report.kept_bytes,
        "copied_bytes": report.copied_bytes,
        "segments": report.segments,
        "objects": report.objects,
        "dry_run": report.dry_run,
    }
    size, kept = wording.size(report.freed_bytes), wording.size(report.kept_bytes)
    if report.dry_run:
        text = f"would free {size} and keep {kept}. Nothing was changed; --yes does it."
    else:
        text = f"freed {size} and keeps {kept}."
    return row, text, Status.DONE


def _tell(report: CheckReport) -> str:
    looked = f"{wording.count(report.segments, 'segment')}, {wording.size(report.bytes)}"
    if not report.ok:
        return f"damaged: {wording.faults(report.faults)}. Of {looked}."
    text = f"is whole: {looked}."
    if report.read_share >= 1:
        return text
    if report.read_share:
        return f"{text} Of the contents {report.read_share:.3%} were read, drawn by chance."
    return f"{text} The contents were not read: --read-data does."


def _share(text: str) -> float:
    """What part of 1 a share such as 5% is. Raises InvalidInput."""
    try:
        share = float(text.removesuffix("%")) / 100
    except ValueError:
        share = 0.0
    if not (text.endswith("%") and 0 < share <= 1):
        raise InvalidInput(
            f"--read-data cannot read {text!r}.", hint="Give a share such as --read-data=5%."
        )
    return share
