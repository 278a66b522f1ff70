"""Commands about the store itself: verify, salvage, expire, collect, stats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from jupyter_rewind.faces.cli import wording
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
    from jupyter_rewind.model.entry import Json
    from jupyter_rewind.workspace import Damage

commands = Commands("Look after the store")

DAMAGE_COLUMNS = (
    Column("segment", "yellow"),
    Column("offset", right=True),
    Column("length", right=True),
    Column("what", fold=True),
    Column("affects", fold=True),
)


def _damage_rows(damages: tuple[Damage, ...]) -> list[tuple[str, ...]]:
    return [
        (each.segment, str(each.offset), str(each.length), each.what, ", ".join(each.affected))
        for each in damages
    ]


def _damage_json(damages: tuple[Damage, ...]) -> list[Json]:
    return [
        {
            "segment": each.segment,
            "offset": each.offset,
            "length": each.length,
            "what": each.what,
            "affected": list(each.affected),
        }
        for each in damages
    ]


@commands.add("verify")
def verify(
    face: Face,
    read_data: Annotated[
        bool, typer.Option("--read-data", help="Read and compare everything, not the structure.")
    ] = False,
) -> Answer:
    """Check the store. Ends with status 5 where damage is found."""
    with face.workspace() as workspace, face.screen.progress("Verifying") as progress:
        report = workspace.verify(read_data=read_data, progress=progress)
    data: Document = {
        "ok": report.ok,
        "read_data": read_data,
        "segments": report.segments,
        "commits": report.commits,
        "entries": report.entries,
        "chunks": report.chunks,
        "bytes": report.bytes,
        "damages": _damage_json(report.damages),
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
        return Answer(data, [Words(f"The store is whole: {looked}.", "green")])
    parts: list[Part] = [
        Table(DAMAGE_COLUMNS, _damage_rows(report.damages)),
        Remark(f"Damage in {wording.count(len(report.damages), 'place')} of {looked}."),
        Remark("All else is whole. `jupyter rewind salvage` keeps it in a healthy store."),
    ]
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

    Checkpoints with a label or a pin stay, and so does the newest of each notebook.
    `jupyter rewind config` shows the settings, --set changes one for this command alone. The disk
    gets its room back at the next `collect`.
    """
    doing = yes and not dry_run
    with face.workspace(create=doing) as workspace:
        plan = workspace.plan_expiry()
        if doing:
            workspace.expire(plan)
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
    data: Document = {
        "dry_run": not doing,
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
    data = {"dry_run": dry_run, "freed_bytes": report.freed_bytes, "kept_bytes": report.kept_bytes}
    return Answer(data, [Words(text)])
