"""What is said beside a notebook that was brought back: what is lost, and what to try next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from jupyter_rewind.model.shell import quoted
from jupyter_rewind.recovery.attributed import Attributed, LeftOut, Split
from jupyter_rewind.recovery.broken.damage import BEHIND, NO_CELL
from jupyter_rewind.recovery.choosing import Base
from jupyter_rewind.recovery.counts import Seeming
from jupyter_rewind.recovery.evidence import (
    ON_DISK,
    Evidence,
    EvidenceCell,
    FoundDocument,
    FoundKernel,
    Holds,
    Scope,
)
from jupyter_rewind.recovery.kernelruns import SECOND, is_ipython, language_of
from jupyter_rewind.recovery.likeness import is_look
from jupyter_rewind.recovery.namedsessions import asked_sessions
from jupyter_rewind.recovery.sentences import listed, typed
from jupyter_rewind.recovery.since import went_on
from jupyter_rewind.recovery.traces.memory import may_hold

ENOUGH_CODE = 2
_COSTS_NO_CELL = (NO_CELL, BEHIND)
BY_LIKENESS = (
    "Some sessions are assigned by likeness: see `jupyter rewind sessions`, and choose with"
    " --session."
)


def likely_lost(
    base: Base, attributed: Sequence[Attributed], silent: Sequence[FoundKernel] = ()
) -> tuple[str, ...]:
    """What no trace can tell of a notebook that was built on this; of `silent` kernels, started
    for it since, nobody knows what they ran."""
    lost = []
    if base.document is None:
        lost.append("Markdown: no document is left, and only code is recorded when it runs.")
        if attributed:
            lost.append("Outputs, unless they are shown below a cell.")
    elif attributed and attributed[-1].run.executions:
        lost.append(
            "Changes to Markdown, and code that was never run, that were made after this was"
            f" saved: {base.document.trace.words or base.document.trace.kind}"
            f"{_at(base.time_ns)}."
        )
    elif base.document.trace.kind != ON_DISK:
        words = base.document.trace.words or base.document.trace.kind
        lost.append(
            f"Whatever was changed after this was saved: {words}{_at(base.document.time_ns)}."
            f"{_silent_in_words(silent)}"
        )
    if base.document is not None and _is_part(base.document):
        lost.append(_unread_in_words(base, base.document, bool(attributed)))
    return tuple(lost)


def _unread_in_words(base: Base, document: FoundDocument, has_run: bool) -> str:
    """What is lost of a stretch that does not read: where a whole document filled it, no more than
    was changed since."""
    place = document.trace.place
    others = [each.document for each in base.cells if each.document.trace != document.trace]
    filled = [each for each in others if each.complete and Holds.MARKDOWN in each.trace.holds]
    if not filled:
        what = "its Markdown, and code that was never run" if has_run else "all of it"
        return f"What stood where {place} does not read: {what}."
    newest = max(filled, key=lambda each: each.time_ns or 0)
    what = "Markdown, and code that was never run, that was" if has_run else "What was"
    words = newest.trace.words or newest.trace.kind
    return (
        f"{what} changed or added where {place} does not read, after this was saved:"
        f" {words}{_at(newest.time_ns)}."
    )


def _silent_in_words(silent: Sequence[FoundKernel]) -> str:
    if not silent:
        return ""
    last = _at(silent[-1].started_ns).removeprefix(", ")
    if len(silent) == 1:
        return f" A kernel was started for it after that ({last}); what it ran is in no history."
    many = f"{len(silent)} kernels were started for it after that, the last {last}"
    return f" {many}; what they ran is in no history."


def _is_part(document: FoundDocument) -> bool:
    """Whether a stretch of it is lost; not where things in its list are no cells, or it is cut
    behind them."""
    known = document.damages and all(each.endswith(_COSTS_NO_CELL) for each in document.damages)
    return not document.complete and not known


def next_steps(
    target: Path,
    base: Base,
    split: Split,
    evidence: Evidence,
    cells: Sequence[EvidenceCell],
) -> tuple[str, ...]:
    """What a person may try whose notebook came back as these `cells`, most telling first."""
    return (
        *_went_on_in_words(target, base, split.own),
        *_seeming_in_words(target, split),
        *_doubts_in_words(target, split),
        *_left_out_in_words(split.left_out, split.own),
        *_shared_in_words(target, split),
        *_now_elsewhere(base, cells, evidence),
        *_next_steps(target, base, split, evidence),
    )


def _at(time_ns: int | None) -> str:
    if time_ns is None:
        return ""
    return f", {datetime.fromtimestamp(time_ns / SECOND):%Y-%m-%d %H:%M}"


def _left_out_in_words(left_out: Sequence[LeftOut], own: Sequence[Attributed]) -> tuple[str, ...]:
    """Who names a session names all that are not told by a trace."""
    known = [each.run.session for each in own if each.run.session and not each.run.certain]
    return tuple(
        f"Session {each.run.session} is more like {each.notebook}, and was left out; where it is"
        " this notebook's, name all of its sessions:"
        f" {' '.join(f'--session {one}' for one in sorted({*known, each.run.session}))}."
        for each in left_out
        if each.run.session
    )


def _shared_in_words(target: Path, split: Split) -> Iterator[str]:
    """Who names a session names all that are not told by a trace."""
    known = {each.run.session for each in split.own if each.run.session and not each.run.certain}
    for each in split.shared:
        if not each.run.session:
            continue
        cells = "1 cell" if len(each.run.executions) == 1 else f"{len(each.run.executions)} cells"
        told = (
            f"Session {each.run.session} ran {cells} of {each.notebook} on the same kernel: the"
            " numbers saved there say so, and they were left out."
        )
        options = " ".join(f"--session {one}" for one in sorted({*known, each.run.session}))
        command = f"jupyter rewind recover {typed(target)} {options}"
        yield told if each.run.asked else f"{told} Where they are this notebook's: {command}"


def seeming_in_words(name: str, seeming: Seeming) -> str:
    """What is said of a session that may hold newer work of a notebook of that name."""
    cells = f"a cell of {name}" if seeming.cells == 1 else f"{seeming.cells} cells of {name}"
    pieces = "1 piece" if len(seeming.lacks) == 1 else f"{len(seeming.lacks)} pieces"
    return (
        f"Session {seeming.run.session} ran {cells}, then {pieces} of code that it has not:"
        " its newer work, perhaps; nothing else says whose it is."
    )


def _seeming_in_words(target: Path, split: Split) -> tuple[str, ...]:
    """Who names a session names all that are not told by a trace."""
    seeming = split.seeming
    if seeming is None or not seeming.run.session:
        return ()
    known = [e.run.session for e in split.own if e.run.session and not e.run.certain]
    options = " ".join(f"--session {one}" for one in sorted({*known, seeming.run.session}))
    return (
        f"{seeming_in_words(target.name, seeming)} Where it is this notebook's:"
        f" jupyter rewind recover {typed(target)} {options}",
    )


def _doubts_in_words(target: Path, split: Split) -> tuple[str, ...]:
    """What is open of sessions of which something speaks, those of one kind in one sentence.

    Who names a session names all that are not told by a trace.
    """
    taken = {id(each.run) for each in split.own}
    known = {e.run.session for e in split.own if e.run.session and not e.run.certain}
    told: dict[tuple[bool, str, bool], list[int]] = {}
    for each in split.doubts:
        if each.run.session:
            key = id(each.run) not in taken, each.words, each.instead
            told.setdefault(key, []).append(each.run.session)
    lines = []
    for (left_out, words, instead), numbers in sorted(told.items()):
        one = len(numbers) == 1
        sessions = f"Session{'' if one else 's'} {listed(numbers)}"
        if not left_out:
            lines.append(f"{sessions} {'was' if one else 'were'} taken as a guess: {words}.")
            continue
        named = sorted({*numbers, *(() if instead else known)})
        options = " ".join(f"--session {each}" for each in named)
        where = "it is" if one else "they are"
        if instead and not one:
            where, options = "one of them is", "--session N"
        lines.append(
            f"{sessions} {'was' if one else 'were'} left out: {words}."
            f" Where {where} this notebook's:"
            f" jupyter rewind recover {typed(target)} {options}"
        )
    return tuple(lines)


def _by_likeness_in_words(target: Path, own: Sequence[Attributed]) -> Iterator[str]:
    """What is said of sessions that are as much like other notebooks, and of those that fit little:
    a trace names them for none."""
    name = typed(target)
    told: dict[tuple[str, ...], list[int]] = {}
    for each in own:
        if each.rivals and each.run.session:
            told.setdefault(each.rivals, []).append(each.run.session)
    for rivals, numbers in told.items():
        one = len(numbers) == 1
        short = [Path(each).name for each in rivals]
        is_plain = len({target.name, *short}) > len(short)
        names = " and ".join(sorted(short if is_plain else rivals))
        yield (
            f"Session{'' if one else 's'} {listed(numbers)}"
            f" {'was' if one else 'were'} taken by likeness, and fit{'s' if one else ''} {names} as"
            " well. See `jupyter rewind sessions`, and name those that are this notebook's:"
            f" jupyter rewind recover {name} --session N"
        )
    if any(each.by_likeness and not each.certain and not each.rivals for each in own):
        yield BY_LIKENESS


def _went_on_in_words(
    target: Path, base: Base, attributed: Sequence[Attributed]
) -> tuple[str, ...]:
    """What to do where the document may be an older state than its file's time says."""
    found = went_on(base, attributed)
    if found is None or base.document is None:
        return ()
    run, sources = found
    trace = base.document.trace
    shows = target.name if trace.kind == ON_DISK else _in_a_sentence(trace.words or trace.kind)
    one = len(sources) == 1
    told = (
        f"{'1 piece' if one else f'{len(sources)} pieces'} of code ran after all that {shows}"
        f" shows, and {'is' if one else 'are'} not in it: deleted since, or it is an older state."
    )
    name = typed(target)
    command = f" To bring that back: jupyter rewind recover {name} --session {run.session}"
    return (told + command if run.session else told,)


def _in_a_sentence(words: str) -> str:
    return words[0].lower() + words[1:] if words.startswith(("A ", "An ", "The ")) else words


def _now_elsewhere(
    base: Base, cells: Iterable[EvidenceCell], evidence: Evidence
) -> tuple[str, ...]:
    """The notebooks beside a name of which no document is left that have most of its code."""
    code = {each.source.rstrip() for each in cells if each.kind == "code"}
    telling = {source for source in code if not is_look(source)}
    if base.document is not None or len(telling) < ENOUGH_CODE:
        return ()
    shares = {
        document.trace.place: len(telling & {each.source.rstrip() for each in document.cells})
        for document in evidence.siblings
        if document.since_ns is None
    }
    return tuple(
        f"{Path(place).name} has {same} of these {len(telling)} cells: was the notebook given this"
        f" name? Then recover that one: jupyter rewind recover {quoted(place)}"
        for place, same in shares.items()
        if same >= max(ENOUGH_CODE, len(telling) / 2)
    )


def memory_in_words(scope: Scope) -> tuple[str, ...]:
    """What to do before all else where no document is left, and a running program may have one."""
    if scope.notebook is None or not may_hold(scope):
        return ()
    asked = (
        f"{profile}:{number}" if profile else f"{number}"
        for profile, number in asked_sessions(scope)
    )
    options = [f" --session {quoted(each)}" for each in asked]
    named = (each for each in scope.histories if not {each, *each.parents} & {*scope.scan})
    options += [f" --history {quoted(str(each))}" for each in named]
    options += [f" --scan {quoted(str(each))}" for each in scope.scan]
    command = f"jupyter rewind recover {typed(scope.notebook)}{''.join(options)} --memory"
    return (
        "First of all, before you go on working: Jupyter, the browser or the editor may still have"
        " the notebook in memory, with its text and outputs. Going on working there, closing or"
        f" restarting loses that for good. Leave them as they are, and type: {command}",
    )


def _is_hinted(split: Split) -> bool:
    """Whether a session is named that may be the notebook's, though none was taken."""
    runs = [*(each.run for each in split.left_out), *(each.run for each in split.doubts)]
    return split.seeming is not None or any(run.session for run in runs)


def _next_steps(target: Path, base: Base, split: Split, evidence: Evidence) -> tuple[str, ...]:
    steps, attributed = list(_by_likeness_in_words(target, split.own)), split.own
    language = language_of(base.document) if base.document is not None else ""
    if not is_ipython(language):
        steps.append(f"What was run in {language} is in no history of IPython: documents are all.")
    elif not attributed and not _is_hinted(split) and any(run.executions for run in evidence.runs):
        steps.append(
            "No recorded session seems to belong to this notebook: see `jupyter rewind sessions`,"
            " and choose with --session."
        )
    elif base.document is None and attributed and split.unclaimed and not steps:
        steps.append(
            "No document of this notebook is left, and other sessions may be its own, too: see"
            " `jupyter rewind sessions`, and choose with --session."
        )
    if base.document is None or _is_part(base.document):
        steps.append("Look in other places with --scan FOLDER (backups, mail, downloads, exports).")
    return tuple(steps)
