"""What was brought back, in the two forms of an answer. The reader has just lost work."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_rewind.faces.cli import traces as views
from jupyter_rewind.faces.cli import wording
from jupyter_rewind.faces.cli.answers import Answer, Column, Part, Remark, Table, Words
from jupyter_rewind.faces.cli.statuses import Status

if TYPE_CHECKING:
    from jupyter_rewind.rescue import (
        Found,
        Recovery,
        Report,
        Scope,
        Standing,
        Survey,
        Trace,
        Written,
    )

USED = (
    Column("cells", right=True),
    Column("from", fold=True),
    Column("time", "cyan"),
    Column("where", fold=True),
)
_SESSION = re.compile(r"--session (\S+)")
MOST_REMARKS = 10
MOST_NAMES = 3
_ONE_AT_A_TIME = (
    "Memory was not looked into: --memory looks for one notebook, by its name: jupyter rewind"
    " recover NAME.ipynb --memory"
)
MOST_DAMAGES = 5
OVERVIEW = (
    Column("notebook", fold=True),
    Column("state", "yellow"),
    Column("traces", right=True, gives_way=1),
    Column("newest", "cyan"),
    Column("kinds", fold=True),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one of several notebooks; `problem` says why nothing did."""

    standing: Standing
    told: Report | None
    written: Written | None
    problem: str


def answer(
    recovery: Recovery, told: Report, written: Written | None, page: Path | None = None
) -> Answer:
    """What was brought back of one notebook, and where it lies; or where only its page does."""
    from jupyter_rewind import rescue

    data: dict[str, Any] = {
        **rescue.tell(told),
        **_written_json(written),
        "provenance": rescue.provenance(recovery),
        "left_out": [
            {"source": each.source, "from": each.origin.words, "words": each.words}
            for each in recovery.rebuilt.alternatives
        ],
    }
    numbers = [each.run.session for each in recovery.rebuilt.sessions if each.run.session]
    if page is not None:
        data["page"] = str(page)
    return Answer(data, list(_parts(told, written, numbers[-1] if numbers else 0, page)))


def _parts(
    told: Report, written: Written | None, session: int, page: Path | None
) -> Iterator[Part]:
    name = told.notebook.name
    if written is None:
        cells = wording.count(told.cells, "cell")
        more = told.others or told.alternatives
        rest = "no newer state was found" if more else "no trace has a cell that it lacks"
        named = {one for each in told.next_steps for one in _SESSION.findall(each)}
        if named - {str(one) for each in told.used for one in each.sessions}:
            rest = "nothing newer was found that is surely its own (see below)"
        if told.newer:
            rest = "what is newer was not taken for it (see below)"
        done = "Nothing" if page is None else "No notebook"
        yield Words(f"{name} is whole on the disk ({cells}), and {rest}. {done} was written.")
        if page is not None:
            yield Words(f"What was found, and all that ran:\n  {page}")
        if told.alternatives:
            pieces = wording.count(told.alternatives, "piece")
            are = "is" if told.alternatives == 1 else "are"
            lays = f"; --session {session} lays what that session ran over it"
            # Where another one is named below, it is that one's code.
            lays = lays if session and named <= {str(session)} else ""
            yield Remark(
                f"{pieces} of code that ran {are} not in it: --report PAGE.html shows all{lays}."
            )
    else:
        yield Words(f"{brought_back(told)}\n  {written.path}", style="bold")
        if written.page:
            yield Words(f"Where each cell came from:\n  {written.page}")
        if written.made_folder:
            yield Words(f"There was no such folder; it was made: {written.made_folder}")
        if told.trouble:
            yield Words(told.trouble)
    yield _used_table(told)
    yield from _remarks("Likely lost", told.likely_lost)
    has_page = page is not None or (written is not None and written.page is not None)
    yield from _damages(told.damages, "the page" if has_page else "--report PAGE.html")
    yield from _remarks("Not built on", told.passed_over)
    if told.alternatives and written is not None:
        yield Remark(_left_out(told, written))
    own = str(told.notebook) if told.trouble else None  # said above
    yield from views.problem_remarks(each for each in told.problems if each.place != own)
    yield from _remarks("Try next", told.next_steps)


def _left_out(told: Report, written: Written) -> str:
    """Where that is which found no place: scripts have no metadata, and a page is not always."""
    are = "is" if told.alternatives == 1 else "are"
    kept = "kept in its metadata" if written.form == "ipynb" else ""
    shown = "shown on the page" if written.page else ""
    where = " and ".join(each for each in (kept, shown) if each)
    where = where or "not in what was written: --report PAGE.html shows all"
    pieces = wording.count(told.alternatives, "piece")
    return f"{pieces} of code that ran and found no place in the notebook {are} {where}."


def brought_back(told: Report) -> str:
    """`Brought back 41 cells of analysis.ipynb (38 certain, 3 likely):`."""
    parts = [
        f"{number} {word}"
        for number, word in (
            (told.certain, "certain"),
            (told.likely, "likely"),
            (told.doubtful, "doubtful"),
        )
        if number
    ]
    cells = wording.count(told.cells, "cell")
    return f"Brought back {cells} of {told.notebook.name} ({', '.join(parts)}):"


def _used_table(told: Report) -> Table:
    rows = [
        (
            str(used.cells),
            used.words,
            wording.local_time(used.time_ns) if used.time_ns is not None else "",
            used.trace.place,
        )
        for used in told.used
    ]
    return Table(USED, rows)


def _damages(damages: Sequence[str], page: str) -> Iterator[Remark]:
    """The first of them: a person wants the notebook; the page has all."""
    yield from _remarks("Damaged", damages[:MOST_DAMAGES])
    if len(damages) > MOST_DAMAGES:
        yield Remark(f"{len(damages) - MOST_DAMAGES} more places are damaged: {page} has all.")


def _remarks(heading: str, lines: Iterable[str]) -> Iterator[Remark]:
    yield from (Remark(f"{heading}: {line}") for line in lines)


def _written_json(written: Written | None) -> dict[str, Any]:
    return {
        "path": str(written.path) if written else None,
        "page": str(written.page) if written and written.page else None,
    }


def overview(scope: Scope, found: Found, surveyed: Survey) -> Answer:
    """What can be brought back in a folder."""
    standings = surveyed.standings
    problems = found.problems + surveyed.problems
    needy = [each for each in standings if each.can_gain]
    rows = [
        (
            str(each.notebook.relative_to(scope.folder)),
            each.state,
            str(len(each.traces)),
            wording.local_time(each.traces[0].time_ns)
            if each.traces and each.traces[0].time_ns is not None
            else "",
            ", ".join(dict.fromkeys(trace.kind for trace in each.traces)),
        )
        for each in needy
    ]
    loose = of_no_name(found)
    parts: list[Part] = [Table(OVERVIEW, rows, empty=_nothing_lost(standings, bool(loose)))]
    parts += [Remark(each.words) for each in needy if each.words][:MOST_REMARKS]
    parts += _others(standings)
    if needy:
        one, folder = _typed(needy[0].notebook), _typed(scope.folder)
        all_ = "--all" if folder == "." else f"--all {folder}"
        parts.append(Remark(f"Bring one back: jupyter rewind recover {one}"))
        parts.append(Remark(f"Bring back all of them: jupyter rewind recover {all_}"))
    if scope.memory:
        parts.append(Remark(_ONE_AT_A_TIME))
    parts += _as_text(surveyed.texts)
    parts += _of_no_name(loose)
    parts += views.problem_remarks(problems)
    data: dict[str, Any] = {
        "folder": str(scope.folder),
        "notebooks": [_standing_json(each) for each in standings],
        "texts": [views.trace_json(each) for each in surveyed.texts],
        "problems": [views.problem_json(each) for each in problems],
    }
    return Answer(data, parts)


def of_no_name(found: Found) -> list[Trace]:
    """The traces that may be of any notebook."""
    return [each for each in found.traces if each.notebook is None and each.kind != "memory"]


def is_nothing(found: Found, surveyed: Survey) -> bool:
    """Whether all notebooks of the folder are there and hold nothing, and nothing is left besides
    that may be of any."""
    hurt = [each.state in ("empty", "damaged") for each in surveyed.standings]
    gains = any(each.can_gain for each in surveyed.standings)
    return bool(hurt) and all(hurt) and not (gains or surveyed.texts or of_no_name(found))


def hurt(surveyed: Survey) -> list[str]:
    """How the first notebooks stand that gave nothing, and how many more there are."""
    words = [each.words for each in surveyed.standings if each.words]
    if len(words) > MOST_REMARKS:
        words[MOST_REMARKS:] = [f"So it is with {len(words) - MOST_REMARKS} more."]
    return words


def _nothing_lost(standings: Sequence[Standing], loose: bool = False) -> str:
    """What is said where no notebook is listed; what follows names those that are hurt."""
    whole = all(each.state == "whole" for each in standings)
    if whole and standings:
        return "No notebook here is missing, damaged, outdated or unsaved."
    if loose:
        return "No trace names a notebook here that can be brought back."
    return "No notebook here can be brought back."


def _as_text(texts: Sequence[Trace]) -> Iterator[Remark]:
    """What is said of notebooks that are kept as text: jupytext opens them as they are."""
    if texts:
        count = wording.count(len(texts), "notebook")
        have = "has" if len(texts) == 1 else "have"
        first = texts[0]
        yield Remark(
            f"{count} kept as text {have} no .ipynb ({Path(first.place).name}"
            f"{', …' if len(texts) > 1 else ''}). Where there was one:"
            f" jupyter rewind recover {_typed(Path(first.notebook or first.place))}"
        )


def _of_no_name(loose: Sequence[Trace]) -> Iterator[Remark]:
    """What is said of traces that may be of any notebook: whole ones, and code alone."""
    from jupyter_rewind import rescue

    books = [each for each in loose if rescue.Holds.MARKDOWN in each.holds]
    if books:
        kinds = ", ".join(dict.fromkeys(each.kind for each in books))
        yield Remark(
            f"{wording.count(len(books), 'notebook')} without a name ({kinds}): where yours is"
            " gone, recover it by the name that it had: jupyter rewind recover NAME.ipynb"
        )
    if len(books) < len(loose):
        yield Remark(
            f"{wording.count(len(loose) - len(books), 'more trace')} may hold code of these and"
            " other notebooks: jupyter rewind sessions"
        )


def _typed(path: Path) -> str:
    """The path as it can be typed here, after a command."""
    here = Path.cwd()
    return wording.argument(str(path.relative_to(here) if path.is_relative_to(here) else path))


def _others(standings: Sequence[Standing]) -> Iterator[Remark]:
    """What is said of the notebooks that are not listed."""
    older = [each for each in standings if each.older]
    fine = [each for each in standings if each.state == "whole" and not each.older]
    again = [each for each in fine if each.words]
    whole = len(fine) - len(again)
    if whole:
        are = "is" if whole == 1 else "are"
        yield Remark(f"{wording.count(whole, 'notebook')} here {are} whole and up to date.")
    yield from (Remark(each.words) for each in again[:MOST_REMARKS])
    for each in older[:MOST_REMARKS]:
        yield Remark(f"{each.older} Recover it by its name to see which.")
    if len(older) > MOST_REMARKS:
        more = wording.count(len(older) - MOST_REMARKS, "notebook")
        yield Remark(f"Of {more} more an older version has cells that the file lacks: see --json.")
    gone = [each for each in standings if each.state == "missing" and not each.traces]
    yield from (Remark(each.words) for each in gone[:MOST_NAMES])
    if len(gone) > MOST_NAMES:
        yield Remark(f"So it is with {len(gone) - MOST_NAMES} more: --json names all.")
    for each in standings:
        if each.state not in ("whole", "missing") and not each.can_gain:
            yield Remark(f"{each.words} Nothing else tells of it here; try it by its name.")


def _standing_json(standing: Standing) -> dict[str, Any]:
    return {
        "notebook": str(standing.notebook),
        "state": standing.state,
        "words": standing.words,
        "can_gain": standing.can_gain,
        "older": standing.older,
        "traces": [views.trace_json(each) for each in standing.traces],
    }


def outcomes(
    done: Sequence[Outcome], standings: Sequence[Standing], loose: Sequence[Trace]
) -> Answer:
    """What became of every notebook of a folder that was in need; `standings` are all of it, and
    `loose` the traces that may be of any."""
    parts: list[Part] = []
    for each in done:
        if each.told is not None and each.written is not None:
            parts.append(Words(f"{brought_back(each.told)}\n  {each.written.path}"))
        elif not each.problem:
            parts.append(Remark(f"{each.standing.notebook} has all that was found. Left alone."))
        else:
            parts.append(Remark(f"{each.standing.notebook}: {each.problem}"))
    if not done:
        parts.append(Words(f"{_nothing_lost(standings)} Nothing was written."))
    parts += _others(standings)
    parts += _of_no_name(loose)
    data: dict[str, Any] = {"recovered": [_outcome_json(each) for each in done]}
    failed = any(each.problem for each in done)
    return Answer(data, parts, Status.DAMAGE if failed else Status.DONE)


def _outcome_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "notebook": str(outcome.standing.notebook),
        "state": outcome.standing.state,
        **_written_json(outcome.written),
        "cells": outcome.told.cells if outcome.told else 0,
        "certain": outcome.told.certain if outcome.told else 0,
        "problem": outcome.problem,
    }
