"""Commands that look: history, show, diff, search, deleted. None of them changes a notebook."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from jupyter_rewind.errors import InvalidInput
from jupyter_rewind.faces.cli import views, wording
from jupyter_rewind.faces.cli.answers import (
    Answer,
    Column,
    Document,
    Notebook,
    Part,
    Patch,
    Remark,
    Source,
    Table,
    Words,
)
from jupyter_rewind.faces.cli.command import (
    Commands,
    Face,
    NotebookOrHistory,
    NotebookPath,
    OptionalRef,
)
from jupyter_rewind.faces.cli.kernels import open_revival
from jupyter_rewind.faces.cli.statuses import Status
from jupyter_rewind.kernels.images.telling import image_json

if TYPE_CHECKING:
    from jupyter_rewind.model.checkpoint import Checkpoint
    from jupyter_rewind.model.entry import Json
    from jupyter_rewind.workspace import HistoryInfo

commands = Commands("Look")


@commands.add("history")
def history(
    face: Face,
    notebook: NotebookOrHistory,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=1, help="Show only so many.")
    ] = None,
    oldest: Annotated[
        bool, typer.Option("--oldest-first", help="Begin with the oldest, not with the newest.")
    ] = False,
) -> Answer:
    """List a notebook's checkpoints, the newest first, with process images between them."""
    from jupyter_rewind.lineage import images_of_notebook

    with face.notebook(notebook) as workspace:
        info = workspace.overview(notebook)
        listing = workspace.listing(notebook, newest_first=not oldest)
        found, missing = listing.checkpoints, listing.missing
        shown = found[:limit]
        states = open_revival(workspace).pair(info.path, shown)
        images = [
            each
            for each in images_of_notebook(workspace.repository, info.path)
            if len(shown) == len(found) or (each.time_ns > shown[-1].time_ns) != oldest
        ]
    table = views.checkpoint_table(
        shown, terminal=face.screen.terminal, empty=f"{notebook} has no checkpoints.",
        states=states, images=images, newest_first=not oldest,
    )  # fmt: skip
    remarks = [Remark(text) for text in _about(info, len(shown), len(found))]
    if images:
        way = f"`jupyter rewind image restore {wording.argument(info.path)} ID`"
        remarks.append(Remark(f"{way} brings the kernel of a process image back."))
    if missing:
        gone = f"{wording.count(len(missing), 'checkpoint')} cannot be read"
        remarks.append(
            Remark(
                f"{gone}: files of the store are gone or cut short, or may not be read; `jupyter"
                " rewind verify` names them. Put what is gone back from a copy of the store if you"
                " have one."
            )
        )
    remarks += map(Remark, listing.incomplete)
    data: Document = {
        "history": views.history_json(info),
        "checkpoints": [
            views.checkpoint_json(each) | views.state_json(states.get(each.id)) for each in shown
        ],
        "images": [image_json(each) for each in (images if oldest else images[::-1])],
        "lost": list(listing.lost),
        "incomplete": list(listing.incomplete),
    }
    is_damaged = bool(missing or listing.incomplete)
    return Answer(data, [table, *remarks], Status.DAMAGE if is_damaged else Status.DONE)


def _about(info: HistoryInfo, shown: int, found: int) -> Iterator[str]:
    if info.deleted:
        way = f"`jupyter rewind undelete {wording.argument(info.path)}`"
        yield f"{info.path} was deleted; {way} brings it back."
    if info.came_from == info.path:
        yield "It began as a copy of another notebook, which had this name then."
    elif info.came_from:
        yield f"It began as a copy of {info.came_from}."
    if shown < found:
        yield wording.hidden(found - shown)


@commands.add("show")
def show(
    face: Face,
    notebook: NotebookOrHistory,
    ref: OptionalRef = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="The very bytes that were saved, and nothing else.")
    ] = False,
) -> Answer | None:
    """Show a notebook as it was at a checkpoint (the newest, without REF)."""
    if raw and face.screen.as_json:
        raise InvalidInput("--raw and --json cannot go together.", hint="Leave one of them out.")
    with face.notebook(notebook) as workspace:
        checkpoint = workspace.resolve(notebook, ref or "head")
        if raw or checkpoint.kind != "notebook":
            content = workspace.read(checkpoint)
            if raw:
                face.screen.raw(content)
                return None
            return _file_answer(checkpoint, content)
        book = workspace.notebook(checkpoint)
    data: Document = {
        "checkpoint": views.checkpoint_json(checkpoint),
        "notebook": book,
        "text": None,
    }
    return Answer(data, [Notebook(book)])


def _file_answer(checkpoint: Checkpoint, content: bytes) -> Answer:
    """What is no notebook: as text where it is text, else in one sentence."""
    about = views.checkpoint_json(checkpoint)
    part: Part
    try:
        # Windows writes UTF-16, with a mark or without.
        text = content.decode(json.detect_encoding(content) if b"\0" in content else "utf-8")
        if "\0" in text:
            raise ValueError
        part = Source(text, checkpoint.path)
    except ValueError:
        text = None
        size = wording.size(len(content))
        part = Words(f"{size} that are neither a notebook nor text; --raw gives them as they are.")
    return Answer({"checkpoint": about, "notebook": None, "text": text}, [part])


@commands.add("diff")
def diff(
    face: Face,
    notebook: NotebookPath,
    ref: OptionalRef = None,
    other: OptionalRef = None,
) -> Answer:
    """Show what changed: from REF to the present file, or from one REF to another.

    Without REF: from the newest checkpoint to the present file.
    """
    with face.notebook(notebook) as workspace:
        result = workspace.diff(notebook, ref or "head", other)
        patch = result.as_text(color=face.screen.colors_diffs, width=face.screen.width)
    same = [] if result.differs else [Remark("No difference.")]
    data: Document = {
        "from": result.names[0],
        "to": result.names[1],
        "differs": result.differs,
        "diff": result.operations,
        "text": result.text,
    }
    return Answer(data, [Patch(patch), *same])


@commands.add("search")
def search(
    face: Face,
    notebook: NotebookPath,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to look for.")],
    regex: Annotated[
        bool, typer.Option("--regex", help="TEXT is a regular expression of Python's.")
    ] = False,
) -> Answer:
    """Find which checkpoints of a notebook held a text, in its cells and outputs."""
    with face.notebook(notebook) as workspace:
        found = workspace.search(notebook, text, regex=regex)
    hits = found.hits
    columns = (
        Column("first", "yellow"),
        Column("first time", "cyan"),
        Column("last", "yellow"),
        Column("last time", "cyan", gives_way=3),
        Column("cell", gives_way=1),
        Column("line", right=True, gives_way=2),
        Column("text", fold=True),
    )
    length = wording.SHORT_ID if face.screen.terminal else None
    rows = [
        (
            hit.first.id[:length],
            wording.local_time(hit.first.time_ns),
            hit.last.id[:length],
            wording.local_time(hit.last.time_ns),
            hit.cell_id or "",
            str(hit.line),
            hit.text,
        )
        for hit in hits
    ]
    data: list[Json] = [
        {
            "first": views.checkpoint_json(hit.first),
            "last": views.checkpoint_json(hit.last),
            "cell_id": hit.cell_id,
            "line": hit.line,
            "text": hit.text,
        }
        for hit in hits
    ]
    where = "What can be read of the checkpoints" if found.problems else "No checkpoint"
    does = "does not hold" if found.problems else "holds"
    empty = f"{where} of {notebook} {does} that text."
    remarks = [Remark(f"Not searched: {problem}") for problem in found.problems]
    answer: Document = {"hits": data, "problems": list(found.problems)}
    status = Status.DAMAGE if found.problems else Status.DONE
    return Answer(answer, [Table(columns, rows, empty=empty), *remarks], status)


@commands.add("deleted")
def deleted(face: Face) -> Answer:
    """List the notebooks that were deleted and can be brought back."""
    with face.workspace() as workspace:
        found, incomplete = workspace.deleted(), workspace.histories.incomplete()
    table = views.history_table(found, empty="No deleted notebook is in the store.")
    remarks = [
        Remark(f"The disk of {each.path} is not there: it may be whole on it.")
        for each in found
        if each.disk_is_away
    ]
    remarks += map(Remark, incomplete)
    data: Document = {
        "deleted": [views.history_json(each) for each in found],
        "incomplete": list(incomplete),
    }
    return Answer(data, [table, *remarks], Status.DAMAGE if incomplete else Status.DONE)
