"""What can be brought back in a folder: each notebook with traces, and how its file stands.

A file that is whole may still lack what was run since it was saved: so histories are asked, too,
and the notebook is rebuilt in memory, as `recover` would.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from jupyter_rewind.recovery import search
from jupyter_rewind.recovery.advice import seeming_in_words
from jupyter_rewind.recovery.attributed import Attributed, Split
from jupyter_rewind.recovery.attribution import Attribution
from jupyter_rewind.recovery.choosing import Base, Based
from jupyter_rewind.recovery.dating import NO_CHANCE
from jupyter_rewind.recovery.evidence import Evidence, FoundDocument, Problem, Scope, Trace
from jupyter_rewind.recovery.filestate import MISSING, WHOLE, state_of
from jupyter_rewind.recovery.likeness import is_look
from jupyter_rewind.recovery.namesakes import are_by_name, are_texts, names_of_pairs
from jupyter_rewind.recovery.olderversions import Older, OlderVersions
from jupyter_rewind.recovery.rebuild import HALF
from jupyter_rewind.recovery.search import Found
from jupyter_rewind.recovery.sentences import listed, typed
from jupyter_rewind.recovery.sessions import SessionInfo, candidates, place_all
from jupyter_rewind.recovery.sharedkernels import without_others
from jupyter_rewind.recovery.siblings import with_rivals_around
from jupyter_rewind.recovery.since import sessions_since, went_on
from jupyter_rewind.recovery.traces.present import PresentFinder
from jupyter_rewind.recovery.traces.rewind import JOURNALED
from jupyter_rewind.recovery.unnamed import rebuild_named
from jupyter_rewind.recovery.walking import TEXTS

UNSAVED = "unsaved"
OUTDATED = "outdated"
_NEWER_NS = 60_000_000_000
_BY_ITS_TIME = frozenset({"checkpoint", "vscode", "backup"})
"""Traces whose time says when their content was the notebook's: a commit or an export is later."""
_OF_RUNS = frozenset({PresentFinder.kind, "connection", "running kernel", "file id", "history"})
"""Traces that tell what was run and of which notebook, and what its file holds of it."""
MOST_RUNS = 24
"""So many of the newest runs that Rewind's journal has of one notebook are read."""
_NAMES = frozenset({"connection", "running kernel"})
"""Traces that hold nothing of a notebook but its name, and when its kernel was started."""
_OF_KERNELS = _NAMES | {"live kernel"}


@dataclass(frozen=True, slots=True)
class Standing:
    """How a notebook stands: whole, unsaved, outdated, missing, empty, damaged or unreadable.

    Unsaved is one that is whole, but code was run that it does not hold. A whole one has `words`
    where its cells ran again since. `traces` are those of it beside its file, the newest first, and
    the file itself where it is damaged and nothing but its own cells that still read is left.
    `older` tells of an older version that has more than a file that is whole.
    """

    notebook: Path
    state: str
    words: str
    traces: tuple[Trace, ...]
    older: str = ""

    @property
    def can_gain(self) -> bool:
        """Whether something is wrong with the file and something else tells of it."""
        return self.state != WHOLE and bool(self.traces)


@dataclass(frozen=True, slots=True)
class Survey:
    """The notebooks of a folder, those in need first, and what could not be read for it.

    `texts` are notebooks that are kept as text, and have no `.ipynb`: nothing says they had one.
    """

    standings: tuple[Standing, ...]
    problems: tuple[Problem, ...] = ()
    texts: tuple[Trace, ...] = ()


def survey(scope: Scope, found: Found) -> Survey:
    """How each notebook of the scope's folder stands that has a file or a trace."""
    heard = search.gather(scope, _telling_of_runs(found.traces))
    heard += Evidence(names=names_of_pairs(found.traces))
    ran = _Ran(with_rivals_around(heard, scope, found.traces))
    versions = OlderVersions(scope, found.traces)
    own: dict[Path, list[Trace]] = {}
    for trace in found.traces:
        if trace.notebook is not None and Path(trace.notebook).is_relative_to(scope.folder):
            own.setdefault(Path(trace.notebook), []).append(trace)
    standings, texts = [], list[Trace]()
    for number, (notebook, traces) in enumerate(sorted(own.items())):
        scope.progress(f"Looking at {notebook.name}", number / len(own))
        standing = _stand(notebook, traces, ran, versions)
        file = ran.files.get(str(notebook))
        if standing.state == WHOLE and file is not None:
            standing = _compared(standing, versions.find(file, traces))
        if standing.state == MISSING and are_by_name(traces):
            continue  # a README or a script: nothing says that there was such a notebook
        if standing.state == MISSING and are_texts(traces):
            texts += traces
            continue
        if _is_no_notebook(standing):
            continue
        kinds = {each.kind for each in traces}
        if standing.state == MISSING and kinds <= _OF_KERNELS and ran.is_renamed(notebook):
            continue
        if standing.state == MISSING and kinds <= _NAMES:
            standing = standing if ran.has_any(notebook) else _without_traces(standing)
        standings.append(standing)
    ordered = tuple(sorted(standings, key=lambda each: (not each.can_gain, each.notebook)))
    # A notebook that does not read is told by its state.
    problems = (
        each
        for each in heard.problems
        if each.trace is None or each.trace.kind != PresentFinder.kind
    )
    told = (*problems, *versions.problems)
    if versions.left_out:
        words = (
            f"Older versions of {versions.left_out} notebooks were not all read: they are too much."
            " Recover them by name."
        )
        told = (*told, Problem(str(scope.folder), words))
    if ran.left_out:
        words = (
            f"{ran.left_out} more notebooks share code with what was run, and were not compared"
            " with it: there are too many. Recover them by name."
        )
        told = (*told, Problem(str(scope.folder), words))
    return Survey(ordered, told, tuple(texts))


def _is_no_notebook(standing: Standing) -> bool:
    """Whether a kernel ran for something else: a console, or a script that is there."""
    suffix = standing.notebook.suffix.lower()
    is_gone_text = standing.state == MISSING and suffix in TEXTS
    return suffix != ".ipynb" and not is_gone_text


def _without_traces(standing: Standing) -> Standing:
    """Of which nothing is known but that kernels were started for it: nothing can come back."""
    words = f"{standing.notebook.name} is not there any more, and nothing that ran for it is known."
    return replace(standing, words=words, traces=())


def _telling_of_runs(traces: Sequence[Trace]) -> list[Trace]:
    """The traces that say what was run; the newest alone of a notebook's runs in the journal."""
    journaled = sorted(
        (each for each in traces if JOURNALED in each.handle), key=_moment, reverse=True
    )
    left = Counter(dict.fromkeys((each.notebook for each in journaled), MOST_RUNS))
    wanted = set()
    for each in journaled:
        left[each.notebook] -= 1
        if left[each.notebook] >= 0:
            wanted.add(each.place)
    return [each for each in traces if each.kind in _OF_RUNS or each.place in wanted]


def _moment(trace: Trace) -> int:
    return trace.time_ns or 0


def _stand(notebook: Path, traces: Sequence[Trace], ran: _Ran, versions: OlderVersions) -> Standing:
    others = [each for each in traces if each.kind != PresentFinder.kind]
    others.sort(key=lambda each: each.time_ns or 0, reverse=True)
    judged = state_of(notebook)
    state, words = judged.state, judged.words
    if state not in (WHOLE, MISSING) and not others:
        others = ran.readable(notebook)
    newest = max((each.time_ns or 0 for each in others if each.kind in _BY_ITS_TIME), default=0)
    if state == WHOLE and _is_older(notebook, newest):
        state, words = OUTDATED, f"Something newer than {notebook.name} was found."
    elif state == WHOLE:
        count, told = ran.unsaved(notebook, traces, versions)
        if count:
            cells = "1 cell was" if count == 1 else f"{count} cells were"
            words = f"{notebook.name}: {cells} run that the file does not hold."
            state, others = UNSAVED, [*told, *others]
        elif after := ran.after(notebook):
            words = (
                f"{notebook.name} is whole, but {after} ran after all that it shows: deleted since,"
                " or the file is an older state. Recover it by its name to see how."
            )
        elif seeming := ran.seeming(notebook):
            words = f"{notebook.name} is whole, but {seeming}"
        elif again := ran.again(notebook):
            cells = "1 cell" if again == 1 else f"{again} cells"
            words = (
                f"{notebook.name} is whole, but {cells} of it ran again after it was saved: what"
                " they showed then is not in the file."
            )
        elif guessed := ran.guessed(notebook):
            words = _guessed_in_words(notebook, guessed)
    return Standing(notebook, state, words, tuple(others))


def _guessed_in_words(notebook: Path, sessions: Sequence[int]) -> str:
    one = len(sessions) == 1
    return (
        f"Session{'' if one else 's'} {listed(sessions)} ran code that is not in"
        f" {notebook.name}; most likely {'it belongs' if one else 'they belong'} to another"
        f" notebook. `jupyter rewind recover {typed(notebook)}` shows"
        f" {'it' if one else 'them'}."
    )


def _compared(standing: Standing, older: Older | None) -> Standing:
    if older is None:
        return standing
    if not older.is_lost:
        return replace(standing, older=older.words)
    traces = (older.trace, *(each for each in standing.traces if each != older.trace))
    return replace(standing, state=OUTDATED, words=older.words, traces=traces)


class _Ran:
    """What was run, and how much of it the files of notebooks lack."""

    def __init__(self, heard: Evidence) -> None:
        self.heard = heard
        self.placed = Attribution(heard)
        self.sources = candidates(self.placed)
        self.left_out = 0
        self._last: tuple[str, Split] = "", Split([], [], None)
        self.files: Mapping[str, FoundDocument] = {
            each.trace.place: each
            for each in heard.documents
            if each.trace.kind == PresentFinder.kind
        }

    def readable(self, notebook: Path) -> list[Trace]:
        """The file as a trace of itself, where it has cells with anything in them."""
        file = self.files.get(str(notebook))
        has_text = file is not None and any(cell.source.strip() for cell in file.cells)
        return [file.trace] if file is not None and has_text else []

    def _has_run(self, file: FoundDocument) -> bool:
        ran = self.placed.words.in_source
        return any(cell.source.rstrip() in ran for cell in file.cells if not is_look(cell.source))

    @cached_property
    def sessions(self) -> list[SessionInfo]:
        return place_all(self.placed)

    def has_any(self, notebook: Path) -> bool:
        """Whether any session was run under this name."""
        return any(not each.by_likeness for each in self.placed.of(notebook, ()))

    def is_renamed(self, notebook: Path) -> bool:
        """Whether all that was run under this name is now known to be other notebooks'."""
        own = [each.run for each in self.placed.of(notebook, ()) if each.certain]
        now = {(each.trace, each.number): each.notebook for each in self.sessions}
        found = [now.get((run.trace, run.session)) for run in own]
        return bool(found) and all(each not in (None, str(notebook)) for each in found)

    def _split(self, name: str) -> Split:
        """Which runs are the notebook's; asked for more than once, and made once."""
        if self._last[0] != name:
            split = self.placed.split(Path(name), self.sources[name])
            self._last = name, without_others(self.placed, Path(name), split)
        return self._last[1]

    def _own(self, name: str) -> list[Attributed]:
        """The notebook's runs. One that fits another notebook as well says nothing beside those
        that are known to be this one's."""
        own = self._split(name).own
        is_known = any(not each.rivals for each in own)
        return [each for each in own if not (is_known and each.rivals)]

    def seeming(self, notebook: Path) -> str:
        """What is said of a session that may hold newer work of a whole file; "" where none may."""
        name = str(notebook)
        if name not in self.files or name not in self.sources:
            return ""
        found = self._split(name).seeming
        if found is None or not found.run.session:
            return ""
        words = seeming_in_words("it", found)
        return f"{words[0].lower()}{words[1:]} Recover it by its name to see how."

    def again(self, notebook: Path) -> int:
        """How many cells of a whole file show something, and ran again after it was saved."""
        name = str(notebook)
        file = self.files.get(name)
        if file is None or name not in self.sources:
            return 0
        return _ran_again(file, self._own(name))

    def guessed(self, notebook: Path) -> list[int]:
        """The sessions that a whole file is a little like, as no other notebook is, and that ran
        what it lacks."""
        name = str(notebook)
        file = self.files.get(name)
        if file is None or name not in self.sources:
            return []
        kept = {cell.source.rstrip() for cell in file.cells}
        return [
            each.run.session
            for each in self._split(name).own
            if each.likely < HALF and each.run.session and not each.rivals
            if not _is_kept(each, kept)
        ]

    def after(self, notebook: Path) -> str:
        """How much code ran after all that a whole file shows and is not in it; "" where none."""
        name = str(notebook)
        file = self.files.get(name)
        if file is None or name not in self.sources:
            return ""
        count = _ran_after(file, self._own(name))
        pieces = "1 piece" if count == 1 else f"{count} pieces"
        return f"{pieces} of code" if count else ""

    def unsaved(
        self, notebook: Path, traces: Sequence[Trace], versions: OlderVersions
    ) -> tuple[int, list[Trace]]:
        """How many cells were run that a whole file does not hold, and the traces that say so."""
        name = str(notebook)
        file = self.files.get(name)
        if file is None:
            return 0, []
        if name not in self.sources:
            self.left_out += self._has_run(file)
            return 0, []
        kept = {cell.source.rstrip() for cell in file.cells}
        attributed = [each for each in self._own(name) if each.likely >= HALF]
        if all(_is_kept(each, kept) for each in attributed):
            return 0, []
        runs = tuple(replace(each.run, notebook=name, certain=True) for each in attributed)
        documents = [file]
        if _ran_after(file, attributed) >= NO_CHANCE:
            documents += versions.telling_age(file, traces)
        rebuilt = rebuild_named(notebook, Evidence(tuple(documents), runs, names=self.heard.names))
        lacks = Counter(each.cell.source.rstrip() for each in rebuilt.cells)
        count = (lacks - Counter(cell.source.rstrip() for cell in file.cells)).total()
        return count, list(dict.fromkeys(each.run.trace for each in attributed))


def _ran_after(file: FoundDocument, attributed: list[Attributed]) -> int:
    base = Base(tuple(Based(each, file) for each in file.cells), file, file.time_ns)
    found = went_on(base, attributed)
    return 0 if found is None else len(found[1])


def _ran_again(file: FoundDocument, attributed: list[Attributed]) -> int:
    cells = tuple(Based(each, file) for each in file.cells)
    shown = Counter(
        each.source.rstrip() for each in file.cells if each.kind == "code" and each.outputs
    )
    ran = Counter(
        taken.step.source
        for one in sessions_since(Base(cells, file, file.time_ns), attributed)
        for taken in one.steps
    )
    return (shown & ran).total()


def _is_kept(attributed: Attributed, kept: set[str]) -> bool:
    ran = (each.source.rstrip() for each in attributed.run.executions)
    return all(not source or source in kept or is_look(source) for source in ran)


def _is_older(notebook: Path, time_ns: int) -> bool:
    try:
        return notebook.stat().st_mtime_ns + _NEWER_NS < time_ns
    except OSError:
        return False
