"""Commands that add to a history or go back in it: checkpoint, restore, undelete, label, pin…"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from jupyter_rewind.errors import InvalidInput
from jupyter_rewind.faces.cli import kernels, views, wording
from jupyter_rewind.faces.cli.answers import Answer, Document, Remark, Words
from jupyter_rewind.faces.cli.command import (
    Commands,
    Face,
    NotebookOrHistory,
    NotebookPath,
    OptionalRef,
    RequiredRef,
)
from jupyter_rewind.faces.cli.restored import (
    condition_json,
    restored_json,
    tell_condition,
    tell_damaged,
    tell_restored,
)

if TYPE_CHECKING:
    from jupyter_rewind.model.checkpoint import Checkpoint
    from jupyter_rewind.workspace import Workspace

commands = Commands("Keep and bring back")

LabelText = Annotated[str, typer.Argument(metavar="LABEL", help="The name.")]


@commands.add("checkpoint")
def checkpoint(
    face: Face,
    notebook: NotebookPath,
    label: Annotated[
        str | None, typer.Option("--label", "-l", metavar="TEXT", help="A name for it.")
    ] = None,
) -> Answer:
    """Store the present state of a notebook as a checkpoint.

    Content equal to the newest checkpoint makes no second one.
    """
    with face.workspace(create=True) as workspace:
        made = workspace.checkpoint(notebook, label=label)
        damage = _tell_damage(workspace, notebook, made.checkpoint)
    kept = made.checkpoint
    named = f" as “{label}”" if label else ""
    if made.created:
        text = f"Stored {wording.one_line(notebook)}{named}: checkpoint {views.when(kept)}."
    else:
        text = f"Nothing changed since checkpoint {views.when(kept)}; it stands for this state"
        text += f"{named}."
    data: Document = {
        "checkpoint": views.checkpoint_json(kept),
        "created": made.created,
        "moved_from": _id(made.moved_from),
    }
    return Answer(data, [Words(text), *_tell_moved(made.moved_from, label or ""), *damage])


def _tell_damage(workspace: Workspace, notebook: str, kept: Checkpoint) -> list[Remark]:
    """What was stored is no notebook, though its name says so."""
    if kept.kind == "notebook" or not kept.path.endswith(".ipynb"):
        return []
    condition = workspace.condition(workspace.read(kept), kept.path)
    good = workspace.last_good(kept.path)
    return tell_condition(condition, "It is kept as a file.", good, notebook)


@commands.add("restore")
def restore(
    face: Face,
    notebook: NotebookOrHistory,
    ref: RequiredRef,
    cell: Annotated[
        list[str] | None,
        typer.Option("--cell", metavar="ID", help="Only this cell; may be given again."),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="PATH", help="Write there; leave NOTEBOOK alone."),
    ] = None,
    state: Annotated[
        bool,
        typer.Option("--state", help="Bring the variables of its running kernel back as well."),
    ] = False,
) -> Answer:
    """Bring a notebook back to a checkpoint. What is there now is kept first."""
    if state:
        if cell or output:
            raise InvalidInput("--state goes with the whole notebook: no --cell and no --output.")
        return kernels.restore_both(face, notebook, ref)
    with face.notebook(notebook) as workspace:
        done = workspace.restore(notebook, ref, cells=cell or (), output=output)
    what = f"{wording.count(len(cell), 'cell')} of {notebook}" if cell else notebook
    where = f" into {done.path}" if output else ""
    words = Words(f"Restored {what}{where} from {views.when(done.source)}.")
    return Answer(restored_json(done, cell or ()), [words, *tell_restored(done, notebook)])


@commands.add("undelete")
def undelete(
    face: Face,
    notebook: NotebookOrHistory,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="PATH", help="Bring it back under this name."),
    ] = None,
) -> Answer:
    """Bring a deleted notebook back, with its history."""
    with face.notebook(notebook) as workspace:
        done = workspace.undelete(notebook, output=output)
    data: Document = {
        "path": str(done.path),
        "from": views.checkpoint_json(done.source),
        "checkpoint": views.checkpoint_json(done.checkpoint) if done.checkpoint else None,
        "lost": [str(each.id) for each in done.lost],
        "condition": condition_json(done),
    }
    parts: list[Words | Remark] = [
        Words(f"{done.path} is back, as it was at {views.when(done.source)}.")
    ]
    if done.lost:
        newer = wording.count(len(done.lost), "newer checkpoint")
        parts.append(Remark(f"{newer} cannot be read; this is the newest that can."))
    return Answer(data, [*parts, *tell_damaged(done, str(done.path))])


def _marked(checkpoint: Checkpoint, text: str) -> Answer:
    return Answer({"checkpoint": views.checkpoint_json(checkpoint)}, [Words(text)])


@commands.add("label")
def label(face: Face, notebook: NotebookPath, ref: RequiredRef, text: LabelText) -> Answer:
    """Give a checkpoint a name; a named checkpoint never expires."""
    with face.notebook(notebook) as workspace:
        named = workspace.label(notebook, ref, text)
    done, moved = named.checkpoint, named.moved_from
    data: Document = {"checkpoint": views.checkpoint_json(done), "moved_from": _id(moved)}
    words = Words(f"Checkpoint {views.when(done)} is now called “{text}”.")
    return Answer(data, [words, *_tell_moved(moved, text)])


def _id(checkpoint: Checkpoint | None) -> str | None:
    return None if checkpoint is None else str(checkpoint.id)


def _tell_moved(before: Checkpoint | None, label: str) -> list[Remark]:
    """That a label was taken from another checkpoint, and what it is worth without."""
    if before is None:
        return []
    text = f"Checkpoint {views.when(before)} is not called “{label}” any more"
    safe = (
        ", but still never expires." if before.is_kept_by_hand else " and may expire as others do."
    )
    return [Remark(text + safe)]


@commands.add("unlabel")
def unlabel(face: Face, notebook: NotebookPath, ref: RequiredRef, text: LabelText) -> Answer:
    """Take a name from a checkpoint."""
    with face.notebook(notebook) as workspace:
        done = workspace.unlabel(notebook, ref, text)
    return _marked(done, f"Checkpoint {views.when(done)} is no longer called “{text}”.")


@commands.add("pin")
def pin(face: Face, notebook: NotebookPath, ref: OptionalRef = None) -> Answer:
    """Keep a checkpoint for ever (the newest, without REF)."""
    with face.notebook(notebook) as workspace:
        done = workspace.pin(notebook, ref or "head")
    return _marked(done, f"Checkpoint {views.when(done)} is pinned: it never expires.")


@commands.add("unpin")
def unpin(face: Face, notebook: NotebookPath, ref: OptionalRef = None) -> Answer:
    """Let a pinned checkpoint expire again (the newest, without REF)."""
    with face.notebook(notebook) as workspace:
        done = workspace.unpin(notebook, ref or "head")
    return _marked(done, f"Checkpoint {views.when(done)} is not pinned any more.")
