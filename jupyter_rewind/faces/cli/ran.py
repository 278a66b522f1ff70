"""Commands over all code that was ever run in IPython: sessions and grep. They change nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jupyter_rewind.errors import InvalidInput, NotFound
from jupyter_rewind.faces.cli import traces as views
from jupyter_rewind.faces.cli import wording
from jupyter_rewind.faces.cli.answers import Answer, Column, Part, Remark, Source, Table, Words
from jupyter_rewind.faces.cli.command import Commands, Face
from jupyter_rewind.faces.cli.recovery import AskKernels, Histories, Since, Until, ask

if TYPE_CHECKING:
    from jupyter_rewind.rescue import Hit, Problem, Scope, SessionInfo

commands = Commands("After a disaster")

SESSIONS = (
    Column("session", "yellow", right=True),
    Column("started", "cyan"),
    Column("ended", "cyan", gives_way=2),
    Column("cells", right=True),
    Column("likely", right=True, gives_way=1),
    Column("notebook", fold=True),
    Column("first line", "dim", fold=True),
    Column("history", "dim", fold=True, gives_way=3),
)
HITS = (
    Column("session", "yellow", right=True),
    Column("line", right=True),
    Column("time", "cyan"),
    Column("text", fold=True),
)
MOST_WORDS = 10


@commands.add("sessions")
def sessions(
    face: Face,
    folder: Annotated[
        str | None,
        typer.Argument(metavar="[DIR]", help="Where notebooks to compare with lie; here if none."),
    ] = None,
    history: Histories = None,
    since: Since = None,
    until: Until = None,
) -> Answer:
    """List what was run in IPython, session by session, each with its most likely notebook."""
    from jupyter_rewind import rescue

    with face.screen.steps() as step:
        request = ask(folder, step, history=history, since=since, until=until)
        with rescue.open_scope(face.lenient_settings, request) as scope:
            if scope.notebook is not None:
                raise InvalidInput(f"{folder} is no folder.", hint="Name the folder it lies in.")
            found = rescue.sessions(scope)
            if not found.sessions:
                raise _no_history(scope, "No session of IPython was found.", found.problems)
    rows = [_session_row(each) for each in found.sessions]
    data: dict[str, Any] = {
        "sessions": [_session_json(each) for each in found.sessions],
        "problems": [views.problem_json(each) for each in found.problems],
    }
    return Answer(data, [Table(SESSIONS, rows), *views.problem_remarks(found.problems)])


def _session_row(info: SessionInfo) -> tuple[str, ...]:
    return (
        str(info.number),
        _local(info.started_ns),
        _local(info.ended_ns),
        str(info.executions),
        f"{info.likelihood:.0%}" if info.notebook else "",
        info.notebook or "",
        info.first,
        info.trace.place,
    )


def _session_json(info: SessionInfo) -> dict[str, Any]:
    return {
        "session": info.number,
        "history": info.trace.place,
        "started": None if info.started_ns is None else wording.utc_time(info.started_ns),
        "ended": None if info.ended_ns is None else wording.utc_time(info.ended_ns),
        "executions": info.executions,
        "first": info.first,
        "notebook": info.notebook,
        "likelihood": info.likelihood,
        "why": info.why,
    }


@commands.add("grep")
def grep(
    face: Face,
    pattern: Annotated[
        str,
        typer.Argument(metavar="PATTERN", help="A regular expression; with --python a definition."),
    ],
    python: Annotated[
        bool,
        typer.Option("--python", help='PATTERN names what is defined: "def f", "class A", "x".'),
    ] = False,
    fixed: Annotated[
        bool, typer.Option("--fixed", "-F", help="PATTERN is plain text, not an expression.")
    ] = False,
    ignore_case: Annotated[
        bool, typer.Option("--ignore-case", "-i", help="Capital and small letters are the same.")
    ] = False,
    whole: Annotated[bool, typer.Option("--whole", help="Show whole cells, not lines.")] = False,
    history: Histories = None,
    since: Since = None,
    until: Until = None,
    ask_kernels: AskKernels = False,
) -> Answer:
    """Search all code that was ever run in IPython, in any notebook."""
    from jupyter_rewind import rescue

    with face.screen.steps() as step:
        request = ask(
            None, step, history=history, since=since, until=until, ask_kernels=ask_kernels
        )
        with rescue.open_scope(face.lenient_settings, request) as scope:
            found = rescue.grep(
                scope, pattern, python=python, regex=not fixed, ignore_case=ignore_case
            )
            hits, problems = _sorted(found)
            if not hits:
                raise _no_history(scope, f"No code that was run holds {pattern!r}.", problems)
    data: dict[str, Any] = {
        "hits": [_hit_json(each) for each in hits],
        "problems": [views.problem_json(each) for each in problems],
    }
    shown = _cells(hits, lines_only=not whole) if python or whole else [_hit_table(hits)]
    return Answer(data, [*shown, *_words(hits), *views.problem_remarks(problems)])


def _words(hits: list[Hit]) -> list[Part]:
    """Which of the hits may not be what was run, the first of them each by itself."""
    told = list(dict.fromkeys(f"{_place(each)}: {each.words}." for each in hits if each.words))
    more = len(told) - MOST_WORDS
    lines = [*told[:MOST_WORDS], *([f"{more} more: --json says it of each."] if more > 0 else [])]
    return [Remark(each) for each in lines]


def _place(hit: Hit) -> str:
    which = f"session {hit.session}" if hit.session else "a run"
    return f"{which}, line {hit.line}" if hit.line else which


def _sorted(found: Iterator[Hit | Problem]) -> tuple[list[Hit], list[Problem]]:
    """Hits, the newest last, and what could not be searched."""
    from jupyter_rewind import rescue

    hits: list[Hit] = []
    problems: list[Problem] = []
    for each in found:
        if isinstance(each, rescue.Problem):
            problems.append(each)
        else:
            hits.append(each)
    hits.sort(key=lambda each: (each.started_ns or 0, each.session, each.line))
    return hits, problems


def _hit_table(hits: list[Hit]) -> Table:
    rows = []
    for hit in hits:
        lines = hit.source.splitlines()
        for number in hit.lines:
            text = lines[number - 1] if number <= len(lines) else ""
            which = str(hit.session or "")
            rows.append((which, str(hit.line or ""), _local(hit.started_ns), text))
    return Table(HITS, rows)


def _cells(hits: list[Hit], *, lines_only: bool) -> list[Part]:
    """Each hit as code under a line that says when it was run."""
    parts: list[Part] = []
    for hit in hits:
        when = f", {_local(hit.started_ns)}" if hit.started_ns is not None else ""
        of = f", {hit.notebook}" if hit.notebook else ""
        parts.append(Words(f"# {_place(hit)}{when}{of}", style="cyan"))
        lines = hit.source.splitlines(keepends=True)
        kept = [lines[each - 1] for each in hit.lines if each <= len(lines)]
        parts.append(Source("".join(kept) if lines_only else hit.source, "cell.py"))
    return parts


def _hit_json(hit: Hit) -> dict[str, Any]:
    return {
        "session": hit.session,
        "line": hit.line,
        "history": hit.trace.place,
        "time": None if hit.started_ns is None else wording.utc_time(hit.started_ns),
        "notebook": hit.notebook,
        "source": hit.source,
        "lines": list(hit.lines),
        "words": hit.words,
    }


def _no_history(scope: Scope, words: str, problems: Sequence[Problem] = ()) -> NotFound:
    """The failure that lists every place that was looked at, and what is there."""
    from jupyter_rewind import rescue

    if scope.since_ns is not None or scope.until_ns is not None:
        words = f"{words.removesuffix('.')} in the time that --since and --until leave."
    lines = [f"{words} These places were looked at:"]
    for place, found in rescue.searched_for_code(scope):
        lines.append(f"  - {place.title}: {place.where.replace('`', '')}")
        lines += [f"      searched: {each}" for each in found] or ["      there is none"]
    if problems:
        lines.append("Not all of it could be read:")
        lines += [f"  - {each.place}: {each.words}" for each in problems]
    lines.append("Nothing was changed.")
    return NotFound("\n".join(lines), hint="Name another history with --history FILE.")


def _local(time_ns: int | None) -> str:
    return "" if time_ns is None else wording.local_time(time_ns)
