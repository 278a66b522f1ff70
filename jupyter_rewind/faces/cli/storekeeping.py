"""Commands about the store itself: verify, salvage, expire, collect, stats."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jupyter_rewind.faces.cli import quotas, wording
from jupyter_rewind.faces.cli.answers import (
    Answer,
    Column,
    Document,
    Part,
    Remark,
    Table,
    Words,
)
from jupyter_rewind.faces.cli.command import Commands, Face
from jupyter_rewind.faces.cli.statuses import Status

if TYPE_CHECKING:
    from jupyter_rewind.workspace import SalvageReport

commands = Commands("Look after the store")

DAMAGE_COLUMNS = (
    Column("segment", "yellow"),
    Column("offset", right=True),
    Column("length", right=True),
    Column("what", fold=True),
    Column("affects", fold=True),
)


@commands.add("verify")
def verify(
    face: Face,
    read_data: Annotated[
        bool, typer.Option("--read-data", help="Read and compare everything, not the structure.")
    ] = False,
) -> Answer:
    """Check the store. Ends with status 5 where damage is found."""
    with face.workspace() as workspace:
        with face.screen.progress("Verifying") as progress:
            report = workspace.verify(read_data=read_data, progress=progress)
        names = workspace.name_entries({name for each in report.damages for name in each.affected})
    data: Document = {
        "ok": report.ok,
        "read_data": read_data,
        "segments": report.segments,
        "commits": report.commits,
        "entries": report.entries,
        "chunks": report.chunks,
        "bytes": report.bytes,
        "damages": [
            {
                "segment": each.segment,
                "offset": each.offset,
                "length": each.length,
                "what": each.what,
                "affected": [names[name] for name in each.affected],
            }
            for each in report.damages
        ],
        "unfinished": len(report.unfinished),
        "known_losses": [str(name) for name in report.known_losses],
        "absent_bytes": report.absent_bytes,
    }
    looked = ", ".join(
        (
            wording.count(report.segments, "segment"),
            wording.count(report.commits, "commit"),
            wording.count(report.entries, "entry", "entries"),
            wording.count(report.chunks, "chunk"),
            wording.size(report.bytes),
        )
    )
    if report.ok:
        text = f"The store is whole: {looked}."
        if not read_data:
            text += " The contents were not read: --read-data does."
        if report.absent_bytes:
            text += f" {wording.size(report.absent_bytes)} of them are in a replica alone."
        return Answer(data, [Words(text, "green")])
    rows = [
        (
            each.segment or "?",
            str(each.offset),
            str(each.length),
            each.what,
            ", ".join(names[name] for name in each.affected),
        )
        for each in report.damages
    ]
    parts: list[Part] = [
        Table(DAMAGE_COLUMNS, rows),
        Remark(f"Damage in {wording.count(len(report.damages), 'place')} of {looked}."),
    ]
    rest = "All else is whole." if report.entries else "Nothing else is left in the store."
    if all(each.salvaged for each in report.damages):
        parts.append(Remark(f"A salvage has seen to all of it already. {rest}"))
    elif report.entries:
        parts.append(Remark(f"{rest} `jupyter rewind salvage` keeps it in a healthy store."))
    else:
        parts.append(
            Remark(
                f"{rest} Put its files back from a copy if you have one; `jupyter rewind salvage`"
                " makes it usable again without them."
            )
        )
    return Answer(data, parts, Status.DAMAGE)


@commands.add("expire")
def expire(
    face: Face,
    yes: Annotated[
        bool, typer.Option("--yes", "--no-dry-run", help="Do it. Without, only tell.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell, which is what happens anyway.")
    ] = False,
) -> Answer:
    """Drop old checkpoints by the retention settings; a dry run without --yes.

    Checkpoints with a label or a pin stay, and so does the newest of each notebook, unless that was
    deleted longer ago than retention.deleted_days.
    `jupyter rewind config` shows the settings, --set changes one for this command alone. The disk
    gets its room back at the next `collect`.
    """
    doing = yes and not dry_run
    with face.workspace() as workspace:
        plan = workspace.plan_expiry()
        if doing:
            workspace.expire(plan)
        quota, told = quotas.expire_for_quota(workspace, plan, doing=doing)
    rows = [
        (
            each.path,
            str(len(each.expire)),
            str(len(each.keep)),
        )
        for each in plan.histories
        if each.expire
    ]
    expired = sum(len(each.expire) for each in plan.histories)
    kept = sum(len(each.keep) for each in plan.histories)
    columns = (
        Column("notebook", fold=True),
        Column("expire", "red", right=True),
        Column("keep", "green", right=True),
    )
    said = wording.count(expired, "checkpoint")
    frees = f"about {wording.size(plan.freed_bytes)}"
    if not expired:
        remarks = [Remark(f"Nothing to expire; {wording.count(kept, 'checkpoint')} stay.")]
    elif doing:
        remarks = [Remark(f"Expired {said}. `jupyter rewind collect` frees {frees}.")]
    else:
        text = f"Would expire {said} and free {frees}. Nothing was changed; --yes does it."
        remarks = [Remark(text)]
    remarks += [Remark(told)] if told else []
    data: Document = {
        "dry_run": not doing,
        "quota": quota,
        "expired": expired,
        "kept": kept,
        "freed_bytes": plan.freed_bytes,
        "histories": [
            {
                "history": each.history,
                "path": each.path,
                "expire": list(each.expire),
                "keep": {str(name): why for name, why in each.keep.items()},
            }
            for each in plan.histories
        ],
    }
    return Answer(data, [Table(columns, rows), *remarks])


@commands.add("collect")
def collect(
    face: Face,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell how much would be freed.")
    ] = False,
) -> Answer:
    """Give back the room of whatever no checkpoint needs any more."""
    with face.workspace() as workspace, face.screen.progress("Collecting") as progress:
        report = workspace.collect(dry_run=dry_run, progress=progress)
    would = "Would free" if dry_run else "Freed"
    text = f"{would} {wording.size(report.freed_bytes)}; {wording.size(report.kept_bytes)} stay."
    remarks = [Remark(f"Segment {name} was left alone: {why}.") for name, why in report.skipped]
    if report.waiting_bytes:
        size = wording.size(report.waiting_bytes)
        remarks.append(Remark(f"{size} wait for a program that is still writing there to end."))
    data: Document = {
        "dry_run": dry_run,
        "freed_bytes": report.freed_bytes,
        "kept_bytes": report.kept_bytes,
        "waiting_bytes": report.waiting_bytes,
        "segments_removed": report.segments_removed,
        "skipped": [{"segment": name, "why": why} for name, why in report.skipped],
    }
    return Answer(data, [Words(text), *remarks])


@commands.add("salvage")
def salvage(
    face: Face,
    into: Annotated[
        str | None,
        typer.Option("--into", metavar="PATH", help="Leave this store alone; fill another one."),
    ] = None,
    trust_foreign: Annotated[
        bool, typer.Option("--trust-foreign", help="Take a store whose key is gone; needs --into.")
    ] = False,
    without_replicas: Annotated[
        bool,
        typer.Option(
            "--without-replicas",
            help="Give up contents that were left in a replica, and are not there any more.",
        ),
    ] = False,
) -> Answer:
    """Make a damaged store whole again with all that still reads.

    Nothing is deleted: damaged segments are set aside in the store's folder. Ends with status 5
    where something was lost, and names it, or the segment if nothing tells any more what it held.
    """
    from jupyter_rewind.workspace import salvage as run

    target = Path(os.path.abspath(os.path.expanduser(into))) if into is not None else None
    with face.screen.progress("Salvaging") as progress:
        report = run(
            face.settings, trust_foreign=trust_foreign, into=target,
            without_replicas=without_replicas, encrypt=face.settings.store_encrypt,
            progress=progress,
        )  # fmt: skip
    with face.workspace_at(target) as workspace:
        homeless = workspace.histories.shelter_homeless()
        names = workspace.name_entries(report.affected) if report.affected else {}
    answer = _salvaged(report, names, is_other=target is not None)
    if report.lost and target is None and face.settings.replica_url.strip():
        text = "What a replica has of it comes back: `jupyter rewind replica pull`."
        answer = Answer(answer.data, [*answer.parts, Remark(text)], answer.status)
    data: Document = {**answer.data, "homeless": list(homeless)}
    if not homeless:
        return Answer(data, answer.parts, answer.status)
    text = (
        f"Of {wording.count(len(homeless), 'history', 'histories')} nothing tells the place any"
        " more: `jupyter rewind deleted` lists them, and `undelete` brings one back by its id."
    )
    return Answer(data, [*answer.parts, Remark(text)], Status.DAMAGE)


def _salvaged(report: SalvageReport, names: dict[str, str], *, is_other: bool) -> Answer:
    rows = [(names.get(name, f"record {name}"),) for name in report.affected]
    text = _tell_salvage(report, len(rows), is_other=is_other)
    remarks = [Remark(f"Segment {name} was left alone: {why}.") for name, why in report.skipped]
    remarks += [
        Remark(
            f"Of segment {each.segment}, {wording.size(each.size_bytes)} do not read, and nothing"
            " tells what they held: checkpoints may be missing without a name. Put the segment back"
            " from a copy of the store if you have one."
        )
        for each in report.untold
    ]
    if report.set_aside:
        remarks.append(Remark(f"Set aside, not deleted: {', '.join(report.set_aside)}."))
    data: Document = {
        "folder": str(report.folder),
        "store": report.store_id,
        "changed": report.changed,
        "kept_records": report.kept_records,
        "kept_entries": report.kept_entries,
        "kept_bytes": report.kept_bytes,
        "lost_chunks": len(report.lost),
        "affected": [{"id": name, "name": names.get(name, "")} for name in report.affected],
        "set_aside": list(report.set_aside),
        "skipped": [{"segment": name, "why": why} for name, why in report.skipped],
        "untold": [{"segment": each.segment, "bytes": each.size_bytes} for each in report.untold],
    }
    lost = Table((Column("lost content", fold=True),), rows)
    parts: list[Part] = [Words(text), *([lost] if rows else []), *remarks]
    is_less = bool(rows or report.skipped or report.untold)
    return Answer(data, parts, Status.DAMAGE if is_less else Status.DONE)


def _tell_salvage(report: SalvageReport, lost: int, *, is_other: bool) -> str:
    """What became of the store, in one or two sentences."""
    store = f"The store at {report.folder}"
    if not (lost or report.changed or report.kept_records or report.skipped or report.untold):
        return f"{store} had no damage to mend."
    if report.skipped:
        one = len(report.skipped) == 1
        stayed = "stayed as it is" if one else "stayed as they are"
        if is_other:
            count = wording.count(len(report.skipped), "segment")
            text = f"{store} is in order, and lacks what {count} of the other store may hold."
        elif all("being written" in why for _, why in report.skipped):
            count = wording.count(len(report.skipped), "damaged segment")
            text = (
                f"{store} is still damaged: {count} {stayed}, for {'it is' if one else 'they are'}"
                " being written. Salvage it again when the server, the kernels and the commands"
                " that write it have ended."
            )
        else:
            count = wording.count(len(report.skipped), "segment")
            text = f"Not all of the store at {report.folder} is in order: {count} {stayed}."
        if lost:
            text += f" Of the rest, {wording.count(lost, 'record')} lost content."
    elif lost:
        text = f"{store} is in order again, but {wording.count(lost, 'record')} lost content."
    elif report.untold:
        text = f"{store} is in order again, but not all that it held reads."
    else:
        text = f"{store} is whole."
    if report.kept_records:
        kept = f"{wording.count(report.kept_records, 'record')}, {wording.size(report.kept_bytes)}"
        of = "the other store" if is_other else "the damaged part"
        text += f" What still reads of {of}, {kept}, was stored anew."
    if report.config_mended:
        text += " Its config was made again from the key; the checkpoints were not touched."
    if report.witness_mended:
        text += " Its list of segments was made again; the checkpoints were not touched."
    return text


@commands.add("stats")
def stats(face: Face) -> Answer:
    """Show how much the store holds, for which notebooks, and how much of it is shared."""
    from jupyter_rewind.quota import read_allowance

    with face.workspace() as workspace:
        total = workspace.stats()
        allowance = read_allowance(workspace)
        sizes = workspace.sizes()
        folder = str(workspace.repository.folder)
    saved = sum(each.saved_bytes for each in sizes)
    ratio = saved / total.bytes if total.bytes else 1.0
    show = wording.size if face.screen.terminal else str
    columns = (
        Column("notebook", fold=True),
        Column("checkpoints", right=True),
        Column("saved", right=True),
        Column("own", "cyan", right=True),
        Column("shared", right=True),
    )
    rows = [
        (
            each.path + (" (deleted)" if each.deleted else ""),
            str(each.checkpoints),
            show(each.saved_bytes),
            show(each.own_bytes),
            show(each.shared_bytes),
        )
        for each in sizes
    ]
    checkpoints = sum(each.checkpoints for each in sizes)
    text = (
        f"{wording.count(checkpoints, 'checkpoint')} of {wording.count(len(sizes), 'notebook')}, "
        f"{wording.size(saved)} as separate files, take {wording.size(total.bytes)} in {folder}"
    )
    text += f": {ratio:.1f} times less." if ratio > 1.05 else "."
    remarks = [Remark(text)]
    if allowance is not None:
        remarks.append(Remark(quotas.quota_words(allowance)))
    if total.absent_bytes:
        remarks.append(Remark(wording.absent(total.absent_bytes)))
    data: Document = {
        "folder": folder,
        "quota": quotas.quota_data(allowance),
        "bytes": total.bytes,
        "absent_bytes": total.absent_bytes,
        "saved_bytes": saved,
        "ratio": round(ratio, 4),
        "sharing_ratio": round(total.sharing_ratio, 4),
        "packing_ratio": round(total.packing_ratio, 4),
        "segments": len(total.segments),
        "entries": total.entries,
        "notebooks": [
            {
                "history": each.history,
                "path": each.path,
                "deleted": each.deleted,
                "checkpoints": each.checkpoints,
                "saved_bytes": each.saved_bytes,
                "own_bytes": each.own_bytes,
                "shared_bytes": each.shared_bytes,
            }
            for each in sizes
        ],
    }
    return Answer(data, [Table(columns, rows), *remarks])
