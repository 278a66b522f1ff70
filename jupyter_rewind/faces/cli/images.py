"""The command about process images: made, listed, brought back, named, deleted."""

from __future__ import annotations

import functools
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jupyter_rewind.errors import InvalidInput
from jupyter_rewind.faces.cli import wording
from jupyter_rewind.faces.cli.answers import Answer, Column, Part, Remark, Table, Words
from jupyter_rewind.faces.cli.command import Commands, Face
from jupyter_rewind.kernels.images.telling import image_json
from jupyter_rewind.model.shell import quoted

if TYPE_CHECKING:
    from jupyter_rewind.kernels.images.imaging import ProcessImages
    from jupyter_rewind.model.entry import Json
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
    EXPORT = "export"
    IMPORT = "import"


@commands.add("image")
def image(
    face: Face,
    action: Annotated[Action, typer.Argument(metavar="ACTION", help="What to do; see below.")],
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="NOTEBOOK|KERNEL",
            help="A notebook's path, or a kernel's id; for import, the file.",
        ),
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
    beside: Annotated[
        bool,
        typer.Option("--beside", help="With restore: as a second kernel beside the one that runs."),
    ] = False,
    to: Annotated[
        str | None, typer.Option("--to", metavar="FILE", help="With export: the new file.")
    ] = None,
) -> Answer:
    """Images of whole kernel processes: create, list, restore, label, delete, export, import.

    create NOTEBOOK [--label NAME] [--stop]; restore NOTEBOOK [REF], the newest without REF, into
    the same kernel, or anew where that has ended, or with --beside as a second kernel; list
    [NOTEBOOK]; label NOTEBOOK REF --label NAME; delete NOTEBOOK REF; export NOTEBOOK [REF] --to
    FILE, and import FILE on another machine with the same environment. Needs Linux, CRIU 4.2 or
    later, root or namespaces of users, and kernels of a server that was started with the settings
    kernels.host and kernels.images on.
    """
    _check(action, what, ref, label, stop, beside)
    if (to is None) != (action is not Action.EXPORT):
        raise InvalidInput("--to FILE goes with export, and export needs it.")
    with face.workspace(create=action in {Action.CREATE, Action.IMPORT}) as workspace:
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
                restore = _restore_beside if beside else _restore
                return restore(images, what or "", ref or "head")
            case Action.EXPORT:
                return _export(workspace, images, what or "", ref or "head", to or "")
            case Action.IMPORT:
                return _import(workspace, what or "")
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
    from jupyter_rewind.lineage import images_of_notebook, place_of_notebook

    repository = workspace.repository
    repository.refresh()
    of_notebook = functools.partial(images_of_notebook, repository)
    place_now = functools.partial(place_of_notebook, repository)
    runtime = Path(jupyter_runtime_dir())
    return ProcessImages(repository, face.settings, runtime, of_notebook, place_now)


def _check(
    action: Action, what: str | None, ref: str | None, label: str | None, stop: bool, beside: bool
) -> None:
    if what is None and action is not Action.LIST:
        thing = "a file" if action is Action.IMPORT else "a notebook or a kernel"
        raise InvalidInput(f"`image {action}` takes {thing}.")
    if ref is None and action in {Action.LABEL, Action.DELETE}:
        raise InvalidInput(f"`image {action}` takes a notebook or a kernel, and an image of it.")
    if ref is not None and action in {Action.LIST, Action.CREATE, Action.IMPORT}:
        raise InvalidInput(f"`image {action}` takes no image.")
    if (label is None) != (action is not Action.LABEL) and action is not Action.CREATE:
        raise InvalidInput("--label NAME goes with create, and label needs it.")
    if stop and action is not Action.CREATE:
        raise InvalidInput(f"--stop goes with create, not with {action}.")
    if beside and action is not Action.RESTORE:
        raise InvalidInput(f"--beside goes with restore, not with {action}.")


def _export(workspace: Workspace, images: ProcessImages, what: str, ref: str, to: str) -> Answer:
    from jupyter_rewind.kernels.images.parcels import export_image

    found = images.resolve(ref, images.of(what))
    target = Path(to).expanduser().absolute()
    size = export_image(workspace.repository, found, target)
    words: list[Part] = [
        Words(f"The process image {found.id} is in {target} ({wording.size(size)})."),
        Remark("It holds all memory of the kernel, passwords too: only you can read it."),
    ]
    return Answer({"exported": found.id, "file": str(target), "size_bytes": size}, words)


def _import(workspace: Workspace, source: str) -> Answer:
    from jupyter_rewind.kernels.images.parcels import import_image

    done = import_image(workspace.repository, Path(source).expanduser().absolute())
    image = done.image
    text = f"The process image {image.id} of kernel {image.kernel} is in the store."
    then: Part = Remark(f"jupyter rewind image restore {image.kernel} {image.id}")
    if done.differences:
        then = Words(f"It does not come back here: {'; '.join(done.differences)}.")
    data: dict[str, Json] = {"image": image_json(image), "differences": [*done.differences]}
    parts: list[Part] = [Words(text), then]
    return Answer(data, parts)


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


def _restore_beside(images: ProcessImages, what: str, ref: str) -> Answer:
    target = images.resolve(ref, images.of(what))
    second = images.restore_beside(target)
    when = wording.local_time(target.time_ns)
    text = f"A second kernel, {second.kernel}, is what {target.kernel} was at {when}."
    data: dict[str, Json] = {
        "image": image_json(target), "kept": None, "second": second.kernel,
        "connection": second.connection,
    }  # fmt: skip
    more = Remark(
        "A server that runs has it in moments, among its kernels;"
        f" or now: jupyter console --existing {second.connection}"
    )
    return Answer(data, [Words(text), more])


def _restore(images: ProcessImages, what: str, ref: str) -> Answer:
    done = images.restore_into(what, ref)
    target = done.image
    when = wording.local_time(target.time_ns)
    parts: list[Part] = [Words(f"Kernel {target.kernel} is as it was at {when}.")]
    if done.other:
        words = f"{what} has another kernel by now, {done.other}, which was not touched."
        choose = f"Kernel › Change Kernel… › {target.name} ({target.kernel[:8]}) in the notebook"
        parts += [Words(words), Remark(f"{choose} connects it to the one that came back.")]
    data: dict[str, Json] = {"image": image_json(done.image), "kept": None}
    if done.kept is not None:
        data["kept"] = image_json(done.kept)
        command = f"jupyter rewind image restore {quoted(what)} {done.kept.id}"
        back = f"What it was before is kept: {command}"
        return Answer(data, [*parts, Remark(back)])
    return Answer(data, parts)
