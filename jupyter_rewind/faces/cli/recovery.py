"""Commands for the day something was lost: recover, traces, sessions, grep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from jupyter_rewind.faces.cli import traces as views
from jupyter_rewind.faces.cli.answers import Answer
from jupyter_rewind.faces.cli.command import Commands, Face

if TYPE_CHECKING:
    from jupyter_rewind.rescue import Request

commands = Commands("After a disaster")

Target = Annotated[
    str | None,
    typer.Argument(metavar="[NOTEBOOK]", help="The notebook that was lost, or a folder."),
]
Histories = Annotated[
    list[str] | None,
    typer.Option("--history", metavar="FILE", help="An IPython history.sqlite to read as well."),
]
Scan = Annotated[
    list[str] | None,
    typer.Option("--scan", metavar="DIR", help="Look into every file of this folder (or file)."),
]
Since = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help="Only what happened from then on.")
]
Until = Annotated[
    str | None, typer.Option("--until", metavar="TIME", help="Only what happened until then.")
]
Memory = Annotated[
    bool,
    typer.Option(
        "--memory", help="Also look into the memory of your Jupyter servers and browsers (Linux)."
    ),
]


@commands.add("traces")
def traces(
    face: Face,
    notebook: Target = None,
    history: Histories = None,
    scan: Scan = None,
    since: Since = None,
    until: Until = None,
    memory: Memory = False,
) -> Answer:
    """List what a lost notebook left behind, and where. Changes nothing."""
    from jupyter_rewind import rescue

    with face.screen.steps() as step:
        request = _request(
            notebook, step, history=history, scan=scan, since=since, until=until, memory=memory
        )
        with rescue.open_scope(face.lenient_settings, request) as scope:
            found = rescue.find_traces(scope)
    if not found.traces:
        raise views.nothing_found(scope, found)
    data: dict[str, Any] = {
        "notebook": str(scope.notebook) if scope.notebook else None,
        "folder": str(scope.folder),
        "traces": [views.trace_json(each) for each in found.traces],
        "problems": [views.problem_json(each) for each in found.problems],
        "places": [views.place_json(each) for each in found.places],
    }
    shown = views.table(found.traces, terminal=face.screen.terminal)
    return Answer(data, [shown, *views.problem_remarks(found.problems)])


def _request(target: str | None, step: Any, **words: Any) -> Request:
    """What the command's line asks for."""
    from jupyter_rewind.rescue import Request

    return Request(
        target=target,
        histories=words.get("history") or (),
        scan=words.get("scan") or (),
        sessions=words.get("sessions") or (),
        since=words.get("since"),
        until=words.get("until"),
        memory=words.get("memory", False),
        progress=step,
    )
