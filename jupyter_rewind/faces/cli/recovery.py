"""Commands for the day something was lost: recover and traces."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jupyter_rewind.errors import InvalidInput, RewindError
from jupyter_rewind.faces.cli import recovered, wording
from jupyter_rewind.faces.cli import traces as views
from jupyter_rewind.faces.cli.answers import Answer
from jupyter_rewind.faces.cli.command import Commands, Face

if TYPE_CHECKING:
    from jupyter_rewind.rescue import Request, Scope, Standing, Trace

commands = Commands("After a disaster")
MOST_NAMED = 10
_PAGES = (".html", ".htm")

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
    str | None,
    typer.Option("--since", metavar="TIME", help="Leave out sessions that ended before."),
]
Until = Annotated[
    str | None,
    typer.Option(
        "--until",
        metavar="TIME",
        help="Leave out what was saved or begun after.",
    ),
]
Memory = Annotated[
    bool,
    typer.Option(
        "--memory", help="Also look into the memory of your Jupyter servers and browsers (Linux)."
    ),
]
MemorySeconds = Annotated[
    int,
    typer.Option(
        "--memory-seconds",
        metavar="N",
        min=1,
        help="How long --memory may take: 60 seconds, if not named.",
    ),
]
AskKernels = Annotated[
    bool,
    typer.Option(
        "--ask-kernels",
        help="Also ask idle kernels for pictures, tables and functions: your post_execute"
        " callbacks run once more.",
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
        request = ask(
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


@commands.add("recover")
def recover(
    face: Face,
    notebook: Target = None,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="PATH", help="Write there; it must not exist."),
    ] = None,
    to: Annotated[
        str, typer.Option("--to", metavar="FORM", help="ipynb, py (percent format) or md.")
    ] = "ipynb",
    page: Annotated[
        str | None,
        typer.Option("--report", metavar="PATH", help="Write the page of the report there."),
    ] = None,
    history: Histories = None,
    scan: Scan = None,
    session: Annotated[
        list[str] | None,
        typer.Option(
            "--session",
            metavar="N",
            help="A session of IPython's that belongs to it; `PROFILE:N` where two profiles have"
            " that number.",
        ),
    ] = None,
    version: Annotated[
        str,
        typer.Option("--from", metavar="TRACE", help="Build on this version, not on the newest."),
    ] = "",
    since: Since = None,
    until: Until = None,
    memory: Memory = False,
    memory_seconds: MemorySeconds = 60,
    ask_kernels: AskKernels = False,
    all_: Annotated[
        bool, typer.Option("--all", help="Bring back every notebook of the folder in need.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> Answer:
    """Bring back a notebook from every trace that it left.

    Works without a store, also for what was lost before Rewind was installed. Writes
    NAME.recovered.ipynb and a page that tells where each cell came from, never over a file that
    exists. Without NOTEBOOK, or with a folder: list what can be brought back there.
    """
    from jupyter_rewind import rescue

    single = notebook is not None and rescue.target_of(notebook)[0] is not None
    _check_ending(to, output)
    _check_names(output, page)
    is_of_one = bool(output or page or version or session)
    _check(to, single=single, is_of_one=is_of_one, everything=all_)
    with face.screen.steps() as step:
        request = ask(
            notebook, step, history=history, scan=scan, sessions=session, since=since,
            until=until, memory=memory, memory_seconds=memory_seconds, ask_kernels=ask_kernels,
        )  # fmt: skip
        with rescue.open_scope(face.lenient_settings, request) as scope:
            if single:
                return _bring_back(face, scope, output, page, to, version)
            found = rescue.find_traces(scope)
            if not found.traces:
                raise views.nothing_found(scope, found)
            surveyed = rescue.survey(scope, found)
            if recovered.is_nothing(found, surveyed):
                nothing = rescue.Nothing(found.problems + surveyed.problems, ())
                raise views.nothing_found(scope, found, nothing, recovered.hurt(surveyed))
    if not all_:
        return recovered.overview(scope, found, surveyed)
    loose = recovered.of_no_name(found)
    return _bring_all_back(face, request, surveyed.standings, loose, to, yes=yes)


def _check(form: str, *, single: bool, is_of_one: bool, everything: bool) -> None:
    """Raises InvalidInput where the words of the command contradict one another."""
    from jupyter_rewind import rescue

    if form not in rescue.FORMS:
        raise InvalidInput(f"--to takes {', '.join(rescue.FORMS)}, not {form!r}.")
    if is_of_one and not single:
        raise InvalidInput("--output, --report, --from and --session need a NOTEBOOK.")
    if single and everything:
        raise InvalidInput("--all takes a folder, not a notebook.")


def _check_ending(form: str, output: str | None) -> None:
    """Raises InvalidInput where the name says another form than is written."""
    from jupyter_rewind import rescue

    ending = output.rpartition(".")[2].lower() if output and "." in output else ""
    if ending in rescue.FORMS and ending != form and form in rescue.FORMS:
        raise InvalidInput(
            f"--output {output} ends in .{ending}, but --to {form} is written.",
            hint=f"Nothing was changed. Write --to {ending}, or name a file that ends in .{form}.",
        )


def _check_names(output: str | None, page: str | None) -> None:
    """Raises InvalidInput where a name is none of a file of what would be written."""
    if output == "-":
        raise InvalidInput(
            "--output - names no file: a notebook is written to a file, and not to the terminal.",
            hint="Nothing was changed. Name a new file: --output NAME.ipynb",
        )
    for option, name in (("--output", output), ("--report", page)):
        if name is not None and name.endswith(("/", os.sep)):
            raise InvalidInput(
                f"{option} {name} is a folder.",
                hint=f"Nothing was changed. Name a file in it: {option} {name}NAME",
            )
    if output is not None and output != page and output.lower().endswith(_PAGES):
        raise InvalidInput(
            f"--output {output} is the name of a web page, and a notebook is written.",
            hint="Nothing was changed. --report names the page.",
        )
    if page is not None and not page.lower().endswith(_PAGES):
        raise InvalidInput(
            f"--report {page}: what is written is a web page.",
            hint="Nothing was changed. Name a file that ends in .html.",
        )


def _bring_back(
    face: Face, scope: Scope, output: str | None, page: str | None, form: str, version: str
) -> Answer:
    """The answer once the notebook is written, or stands whole where it was."""
    from jupyter_rewind import rescue

    found = rescue.find_traces(scope)
    recovery = rescue.recover(scope, found, version)
    if isinstance(recovery, rescue.Nothing):
        raise views.nothing_found(scope, found, recovery)
    told = rescue.report(recovery)
    if told.adds_nothing and output is None and form == "ipynb":
        shown = rescue.write_page(recovery, page) if page is not None else None
        return recovered.answer(recovery, told, None, shown)
    written = rescue.write(recovery, output=output, report_path=page, form=form)
    return recovered.answer(recovery, told, written)


def _bring_all_back(
    face: Face,
    request: Request,
    standings: Sequence[Standing],
    loose: Sequence[Trace],
    form: str,
    *,
    yes: bool,
) -> Answer:
    """The answer once every notebook in need is written; what fails costs itself alone."""
    from dataclasses import replace

    from jupyter_rewind import rescue

    wanted = [each for each in standings if each.can_gain]
    if face.screen.terminal and not yes and wanted:
        _ask_first(face, wanted)
    done: list[recovered.Outcome] = []
    with face.screen.steps() as step:
        for each in wanted:
            own = replace(request, target=str(each.notebook), progress=step)
            with rescue.open_scope(face.lenient_settings, own) as scope:
                done.append(_outcome(scope, each, form))
    return recovered.outcomes(done, standings, loose)


def _ask_first(face: Face, wanted: Sequence[Standing]) -> None:
    """Raises Abort where the person who sees which notebooks it would be says no."""
    for each in wanted[:MOST_NAMED]:
        face.screen.remark(f"{each.notebook} ({each.state})")
    if len(wanted) > MOST_NAMED:
        face.screen.remark(f"and {len(wanted) - MOST_NAMED} more")
    if not typer.confirm(f"Bring back {wording.count(len(wanted), 'notebook')}?"):
        face.screen.remark("Nothing was written.")
        raise typer.Abort


def _outcome(scope: Scope, standing: Standing, form: str) -> recovered.Outcome:
    from jupyter_rewind import rescue

    try:
        recovery = rescue.recover(scope)
        if isinstance(recovery, rescue.Nothing):
            why = " ".join(each.words for each in recovery.problems[:1])
            words = f"Its traces gave not one cell. {why}".strip()
            return recovered.Outcome(standing, None, None, words)
        told = rescue.report(recovery)
        if told.adds_nothing:
            return recovered.Outcome(standing, told, None, "")
        return recovered.Outcome(standing, told, rescue.write(recovery, form=form), "")
    except RewindError as error:
        return recovered.Outcome(standing, None, None, str(error))


def ask(target: str | None, step: Any, **words: Any) -> Request:
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
        memory_seconds=words.get("memory_seconds", 60),
        ask_kernels=words.get("ask_kernels", False),
        progress=step,
    )
