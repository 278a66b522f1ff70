"""Commands that carry histories out and in: export, import."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jupyter_rewind.errors import InvalidInput
from jupyter_rewind.faces.cli import wording
from jupyter_rewind.faces.cli.answers import Answer, Document, Part, Remark, Words
from jupyter_rewind.faces.cli.command import Commands, Face, NotebookPath
from jupyter_rewind.faces.cli.statuses import Status

if TYPE_CHECKING:
    from jupyter_rewind.faces.cli.render import Progress
    from jupyter_rewind.workspace import Imported, Workspace

commands = Commands("Carry out and in")

GitOption = Annotated[
    str | None, typer.Option("--git", metavar="REPO", help="A git repository, instead of files.")
]


@commands.add("export")
def export(
    face: Face,
    notebook: NotebookPath,
    folder: Annotated[
        str | None, typer.Argument(metavar="DIR", help="A new folder, for one file a checkpoint.")
    ] = None,
    git: GitOption = None,
) -> Answer:
    """Write all checkpoints of a notebook as files, or as git commits with their times.

    With --git they become the commits of a branch `rewind/NOTEBOOK` of their own.
    """
    if (folder is None) == (git is None):
        raise InvalidInput(
            "Say where to: either DIR or --git REPO.",
            hint="Like this: jupyter rewind export analysis.ipynb all-states",
        )
    place = os.path.abspath(os.path.expanduser(str(folder if git is None else git)))
    with face.workspace() as workspace, face.screen.progress("Exporting") as progress:
        done = workspace.export(notebook, place, git=git is not None, progress=progress)
    data: Document = {
        "place": str(done.place),
        "git": git is not None,
        "branch": done.branch or None,
        "count": done.count,
        "problems": list(done.problems),
    }
    where = f"the branch {done.branch} of {done.place}" if done.branch else str(done.place)
    name = wording.one_line(notebook)
    text = f"Wrote {wording.count(done.count, 'checkpoint')} of {name} to {where}."
    return _answer(data, text, done.problems)


@commands.add("import")
def import_(
    face: Face,
    notebook: Annotated[
        str, typer.Argument(metavar="NOTEBOOK", help="The notebook whose history takes them in.")
    ],
    sources: Annotated[
        list[str] | None,
        typer.Argument(metavar="SOURCE", help="An exported folder, or files, in any order."),
    ] = None,
    git: GitOption = None,
) -> Answer:
    """Take earlier states of a notebook into its history, with their times.

    From a folder that `export` wrote; from copies (analysis-old.ipynb, backups), ordered by their
    times; or, with --git, from the commits of a file: SOURCE in REPO, or NOTEBOOK's own place
    there. Nothing of the sources is changed.
    """
    given = sources or []
    with face.workspace(create=True) as workspace, face.screen.progress("Importing") as progress:
        done = _take(workspace, notebook, given, git, progress)
    data: Document = {
        "path": done.path,
        "count": done.count,
        "created": done.created,
        "problems": list(done.problems),
        "notes": list(done.notes),
    }
    took, new = wording.count(done.count, "state"), wording.count(done.created, "new checkpoint")
    text = f"Took {took} into the history of {wording.one_line(notebook)}: {new}."
    answer = _answer(data, text, done.problems, done.notes)
    if not os.path.lexists(done.path):
        named = wording.argument(notebook)
        text = (
            f"There is no file yet: `jupyter rewind restore {named} head` writes the newest state,"
            f" `jupyter rewind history {named}` lists all."
        )
        return Answer(answer.data, [*answer.parts, Remark(text)], answer.status)
    return answer


def _take(
    workspace: Workspace, notebook: str, given: list[str], git: str | None, progress: Progress
) -> Imported:
    if git is not None:
        if len(given) > 1:
            raise InvalidInput("--git takes one file's commits at a time.")
        file = given[0] if given else _inside(notebook, git)
        return workspace.import_git(git, file, notebook, progress)
    if not given:
        raise InvalidInput(
            "Say where from: an exported folder, files, or --git REPO.",
            hint="Like this: jupyter rewind import analysis.ipynb all-states",
        )
    return workspace.import_states([Path(each).expanduser() for each in given], notebook, progress)


def _inside(notebook: str, repository: str) -> str:
    """The notebook's path within the repository; its bare name where it lies elsewhere."""
    path, root = Path(os.path.realpath(notebook)), Path(os.path.realpath(repository))
    return str(path.relative_to(root)) if path.is_relative_to(root) else path.name


def _answer(
    data: Document, text: str, problems: tuple[str, ...], notes: tuple[str, ...] = ()
) -> Answer:
    """The answer, with status 5 where something could not be carried along."""
    parts: list[Part] = [Words(text), *map(Remark, (*problems, *notes))]
    return Answer(data, parts, Status.DAMAGE if problems else Status.DONE)
