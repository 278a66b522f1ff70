"""The command about process images: made, listed, brought back, named, deleted."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jupyter_rewind.errors import InvalidInput
from jupyter_rewind.faces.cli import wording
from jupyter_rewind.faces.cli.answers import Answer, Column, Remark, Table, Words
from jupyter_rewind.faces.cli.command import Commands, Face

if TYPE_CHECKING:
    from jupyter_rewind.kernels.images.imaging import ProcessImages
    from jupyter_rewind.model.entry import Json
    from jupyter_rewind.model.image import ProcessImage
    from jupyter_rewind.workspace import Workspace

commands = Commands("Kernels")

_COLUMNS = (
    Column("id", "yellow"),
    Column("time", "cyan"),
    Column("size", right=True),
    Column("new", right=True),
    Column("made", "dim"),
    Column("kernel", "dim"),
    Column("labels", "bold green"),
    Column("notebook", fold=True),
)


class Action(StrEnum):
    """What can be done with process images."""

    CREATE = "create"
    LIST = "list"
    RESTORE = "restore"
    LABEL = "label"
    DELETE = "delete"


@commands.add("image")
def image(
    face: Face,
    action: Annotated[Action, typer.Argument(metavar="ACTION", help="What to do; see below.")],
    what: Annotated[
        str | None,
        typer.Argument(metavar="NOTEBOOK|KERNEL", help="A notebook's path, or a kernel's id."),
    ] = None,
    ref: Annotated[
        str | None, typer.Argument(metavar="REF", help="An image: id, label, head~2, or a time.")
    ] = None,
    label: Annotated[
        str | None, typer.Option("--label", metavar="NAME", help="A name, which never expires.")
    ] = None,
    stop: Annotated[
        bool,
        typer.Option("--stop", help="With create: the kernel sleeps and gives its memory back."),
    ] = False,
) -> Answer:
    """Images of whole kernel processes: create, list, restore, label or delete.

    create NOTEBOOK [--label NAME] [--stop]; restore NOTEBOOK [REF], the newest without REF, into
    the same kernel, or anew where that has ended; list [NOTEBOOK]; label NOTEBOOK REF --label NAME;
    delete NOTEBOOK REF. Needs Linux, root, CRIU 4.2 or later, and kernels started with the settings
    kernels.host and kernels.images on.
    """
    _check(action, what, ref, label, stop)
    with face.workspace(create=action is Action.CREATE) as workspace:
        images = open_images(face, workspace)
        match action:
            case Action.LIST:
                return _list(face, images, what)
            case Action.CREATE:
                made = images.create(images.find_kernel(what or ""), label=label, stop=stop)
                state = "sleeps; `jupyter rewind image restore` wakes it" if stop else "goes on"
                text = f"Made the process image {made.id} of kernel {made.kernel}, which {state}."
                size = f"{wording.size(made.size_bytes)}, {wording.size(made.new_bytes)} of it new."
                return Answer({"image": image_json(made)}, [Words(text), Remark(size)])
            case Action.RESTORE:
                return _restore(images, what or "", ref)
        found = images.resolve(ref or "", images.of(what or ""))
        if action is Action.LABEL:
            images.label(found, label or "")
            return Answer(
                {"image": found.id, "label": label}, [Words(f"{found.id} is named {label}.")]
            )
        images.delete(found)
        return Answer({"deleted": found.id}, [Words(f"The process image {found.id} is deleted.")])


def open_images(face: Face, workspace: Workspace) -> ProcessImages:
    """The process images of the open store, as others have written them up to now."""
    from jupyter_core.paths import jupyter_runtime_dir

    from jupyter_rewind.kernels.images.imaging import ProcessImages

    workspace.repository.refresh()
    return ProcessImages(workspace.repository, face.settings, Path(jupyter_runtime_dir()))


def image_json(image: ProcessImage) -> dict[str, Json]:
    """What programs are told of an image."""
    return {
        "id": image.id, "kernel": image.kernel, "kernel_name": image.name, "path": image.path,
        "time_ns": image.time_ns, "reason": image.reason, "criu": image.criu,
        "size_bytes": image.size_bytes, "new_bytes": image.new_bytes,
        "labels": [*image.labels],
    }  # fmt: skip


def _check(
    action: Action, what: str | None, ref: str | None, label: str | None, stop: bool
) -> None:
    if what is None and action is not Action.LIST:
        raise InvalidInput(f"`image {action}` takes a notebook or a kernel.")
    if ref is None and action in {Action.LABEL, Action.DELETE}:
        raise InvalidInput(f"`image {action}` takes a notebook or a kernel, and an image of it.")
    if ref is not None and action in {Action.LIST, Action.CREATE}:
        raise InvalidInput(f"`image {action}` takes no image.")
    if (label is None) != (action is not Action.LABEL) and action is not Action.CREATE:
        raise InvalidInput("--label NAME goes with create, and label needs it.")
    if stop and action is not Action.CREATE:
        raise InvalidInput(f"--stop goes with create, not with {action}.")


def _list(face: Face, images: ProcessImages, what: str | None) -> Answer:
    found = (images.all() if what is None else images.of(what))[::-1]
    length = wording.SHORT_ID if face.screen.terminal else None
    size = wording.size if face.screen.terminal else str
    rows = [
        (
            each.id[:length], wording.local_time(each.time_ns), size(each.size_bytes),
            size(each.new_bytes), each.reason, each.kernel[:length], ", ".join(each.labels),
            each.path,
        )
        for each in found
    ]  # fmt: skip
    data: list[Json] = [image_json(each) for each in found]
    table = Table(_COLUMNS, rows, empty="No process image has been made yet.")
    return Answer({"images": data}, [table])


def _restore(images: ProcessImages, what: str, ref: str | None) -> Answer:
    target, done = images.restore_into(what, ref or "head")
    when = wording.local_time(target.time_ns)
    parts = [Words(f"Kernel {target.kernel} is as it was at {when}.")]
    data: dict[str, Json] = {"image": image_json(done.image), "kept": None}
    if done.kept is not None:
        data["kept"] = image_json(done.kept)
        back = f"What it was before is kept: jupyter rewind image restore {what} {done.kept.id}"
        return Answer(data, [*parts, Remark(back)])
    return Answer(data, parts)
