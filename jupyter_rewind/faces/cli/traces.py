"""Traces in the two forms of an answer: JSON for programs, rows and sentences for people."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from jupyter_rewind.errors import NotFound
from jupyter_rewind.faces.cli import wording
from jupyter_rewind.faces.cli.answers import Column, Remark, Table

if TYPE_CHECKING:
    from jupyter_rewind.model.entry import Json
    from jupyter_rewind.rescue import Found, Nothing, Place, Problem, Scope, Trace

MOST_ALIKE = 3
COLUMNS = (
    Column("kind", "yellow"),
    Column("last changed", "cyan"),
    Column("size", right=True, gives_way=2),
    Column("holds", gives_way=1),
    Column("what", fold=True),
    Column("where", fold=True),
)


def trace_json(trace: Trace) -> dict[str, Json]:
    """All that is known about a trace without reading it."""
    holds: list[Json] = [str(each) for each in sorted(trace.holds)]
    return {
        "kind": trace.kind,
        "place": trace.place,
        "notebook": trace.notebook,
        "holds": holds,
        "time": _time(trace.time_ns),
        "size_bytes": trace.size_bytes,
        "words": trace.words,
        "problem": trace.problem,
    }


def problem_json(problem: Problem) -> dict[str, Json]:
    """What could not be looked at, and why."""
    return {"place": problem.place, "words": problem.words}


def place_json(place: Place) -> dict[str, Json]:
    """A kind of trace and where it was looked for."""
    return {"kind": place.kind, "title": place.title, "where": place.where}


def table(traces: Sequence[Trace], *, terminal: bool) -> Table:
    """One row a trace, the newest last: the one that counts is what a person reads first."""
    ordered = sorted(traces, key=lambda each: each.time_ns or 0)
    size = wording.size if terminal else str
    rows = [
        (
            each.kind,
            wording.local_time(each.time_ns) if each.time_ns is not None else "",
            size(each.size_bytes),
            ", ".join(sorted(each.holds)),
            each.words + (f" ({each.problem})" if each.problem else ""),
            each.place,
        )
        for each in ordered
    ]
    return Table(COLUMNS, rows)


def problem_remarks(problems: Iterable[Problem]) -> list[Remark]:
    """One sentence for each thing that could not be seen; of many alike the first few."""
    alike: dict[str, list[Problem]] = {}
    for each in problems:
        alike.setdefault(each.words, []).append(each)
    remarks = []
    for words, same in alike.items():
        remarks += [Remark(f"{each.place}: {words}") for each in same[:MOST_ALIKE]]
        if len(same) > MOST_ALIKE:
            more = len(same) - MOST_ALIKE
            remarks.append(Remark(f"So it is with {more} more: --json names all."))
    return remarks


def nothing_found(
    scope: Scope, found: Found, nothing: Nothing | None = None, hurt: Sequence[str] = ()
) -> NotFound:
    """The failure that lists every place that was looked at, and what could not be seen or read.

    The scope must still be open. `nothing` is what came of the traces, where they were read, and
    `hurt` says how notebooks of a folder stand that gave nothing.
    """
    what = str(scope.notebook) if scope.notebook else f"any notebook in {scope.folder}"
    from jupyter_rewind import rescue

    lines = [f"No trace of {what} was found. These places were looked at:"]
    if scope.notebook is not None and not os.path.isdir(scope.folder):
        lines = [f"There is no folder {scope.folder}. {lines[0]}"]
    left_out = "" if hurt else rescue.outside(scope)
    if left_out:
        lines = [left_out, *(each.replace("was found", "of that time was found") for each in lines)]
    words = [each for each in (rescue.file_words(scope), *hurt) if each]
    if words:
        lines = [*words, *(each.replace("No trace", "No other trace") for each in lines)]
    lines += [f"  - {place.title}: {_plain(place.where)}" for place in found.places]
    problems = found.problems if nothing is None else nothing.problems
    if problems:
        lines.append("These could not be read:")
        lines += [f"  - {each.place}: {each.words}" for each in problems]
    lines.append("Nothing was changed.")
    steps = list(nothing.next_steps) if nothing else []
    told = " ".join(steps)
    steps += [each for each in _next(scope) if not ("--scan" in each and "--scan" in told)]
    hint = "Try next:\n" + "\n".join(f"  - {each}" for each in steps)
    return NotFound("\n".join(lines), hint=hint)


def _next(scope: Scope) -> list[str]:
    """What a person whose notebook left no trace under its name can still do."""
    steps = [
        "Is the name right? `jupyter rewind recover` without one lists the notebooks here of which"
        " there are traces.",
        "`jupyter rewind sessions` lists what was run in IPython, for notebooks of other names too;"
        " `jupyter rewind recover NOTEBOOK --session N` makes a notebook of it.",
        "`jupyter rewind recover NOTEBOOK --scan DIR` looks into every file of a folder.",
    ]
    if not scope.memory and scope.platform == "linux":
        steps.append(
            "Leave Jupyter and the browser as they are: `jupyter rewind recover NOTEBOOK --memory`"
            " looks into their memory, where a notebook stays for a while after it was deleted."
        )
    return steps if scope.notebook is not None else steps[1:]


def _plain(markdown: str) -> str:
    return markdown.replace("`", "")


def _time(time_ns: int | None) -> str | None:
    return None if time_ns is None else wording.utc_time(time_ns)
