"""What traces testify to, and the contract of the finders that hear them. No I/O.

A finder looks first (`find`, cheap: names, sizes, times) and reads later (`read`). It only ever
reads, from copies where a program may be writing, and what it cannot read becomes a `Problem`
that is told: never an empty list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

Output = Mapping[str, Any]
"""One nbformat 4 output."""


class Holds(StrEnum):
    """What a kind of trace can bring back."""

    CODE = "code"
    MARKDOWN = "markdown"
    OUTPUTS = "outputs"
    ORDER = "order"
    TIMES = "times"


EVERYTHING = frozenset(Holds)
ON_DISK = "file"
"""The kind of trace that the notebook itself is, where it lies."""


@dataclass(frozen=True, slots=True)
class Trace:
    """Something found that may hold work; cheap to make, nothing of it is read yet.

    `place` is what a person can look up: a path, or a process. `notebook` is the absolute path of
    the notebook it is of, where the trace itself says so. `handle` is what its finder needs to
    read it. `problem` says why it may not be whole, where that can be seen from outside. `order` is
    0, or tells which is the newer one of those that a clock dated ahead; `after_ns` is a time that
    such a one is surely not older than, if there is one.
    """

    kind: str
    place: str
    notebook: str | None = None
    holds: frozenset[Holds] = frozenset()
    time_ns: int | None = None
    size_bytes: int = 0
    words: str = ""
    problem: str | None = None
    handle: Mapping[str, str] = field(default_factory=dict, hash=False)
    order: int = 0
    after_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that could not be looked at or read, in words that say what is still safe."""

    place: str
    words: str
    trace: Trace | None = None


@dataclass(frozen=True, slots=True)
class EvidenceCell:
    """One cell as a trace has it; `whole` is False where part of it is lost.

    The lines of `source` end plainly; `line_end` is what they are written with.
    """

    kind: str
    source: str
    outputs: tuple[Output, ...] = field(default=(), hash=False)
    execution_count: int | None = None
    cell_id: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)
    whole: bool = True
    attachments: Mapping[str, Any] = field(default_factory=dict, hash=False)
    line_end: str = "\n"


@dataclass(frozen=True, slots=True)
class FoundDocument:
    """A notebook, maybe in part: its cells in order.

    `time_ns` is when it was like this. `complete` is False where cells are known or feared to be
    missing; `damages` says why. `since_ns` is when it was brought back from what was run before.
    """

    trace: Trace
    cells: tuple[EvidenceCell, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)
    nbformat: tuple[int, int] = (4, 5)
    time_ns: int | None = None
    complete: bool = True
    damages: tuple[str, ...] = ()
    since_ns: int | None = None

    def may_have_run(self, run: FoundRun) -> bool:
        """Whether the run may be of this very file: what began before the file was may not."""
        return self.since_ns is None or (run.started_ns or 0) >= self.since_ns


@dataclass(frozen=True, slots=True)
class Executed:
    """One execution of one cell: what was run, and what is known of how it went.

    `outputs` are nbformat outputs of exactly this execution; `text_output` is the plain text of
    its value, where only that is known. `status` is "ok", "error", "aborted" or None (unknown).
    `cell_id` and `execution` are known where Rewind's own journal told of the execution.
    """

    line: int
    source: str
    outputs: tuple[Output, ...] = field(default=(), hash=False)
    text_output: str | None = None
    time_ns: int | None = None
    status: str | None = None
    cell_id: str | None = None
    execution: str | None = None


@dataclass(frozen=True, slots=True)
class FoundRun:
    """What one kernel ran, in order.

    `session` is IPython's number, unique only within the trace (0: it has none). `notebook` is
    the one it belongs to, `certain` where the trace itself says so rather than a guess, `asked`
    where the user named it: then the file may be older than the run, whatever its time is.
    `utc_end_ns` is its end where the trace says in which time zone that was.
    """

    trace: Trace
    session: int
    executions: tuple[Executed, ...]
    started_ns: int | None = None
    ended_ns: int | None = None
    notebook: str | None = None
    certain: bool = False
    remark: str = ""
    asked: bool = False
    utc_end_ns: int | None = None


CHANGED = "damaged cell"
SCRIPT = "file"


@dataclass(frozen=True, slots=True)
class Fragment:
    """Code that is not known to be a cell: a function, a class, a file's text (SCRIPT), or one that
    damage may have changed (CHANGED), with its `session` and its line there (`order`)."""

    trace: Trace
    kind: str
    name: str
    source: str
    order: int | None = None
    session: int = 0


@dataclass(frozen=True, slots=True)
class FoundKernel:
    """A kernel is known to have been started for a notebook, at about this time.

    This is what names the notebook of a session of IPython's history, which does not. `language`
    is what the kernel runs, where that is known; `gone` is whether no file has that name now.
    """

    trace: Trace
    notebook: str
    started_ns: int | None = None
    kernel: str = ""
    pid: int | None = None
    alive: bool = False
    language: str = ""
    gone: bool = False


@dataclass(frozen=True, slots=True)
class FoundName:
    """The notebook was also known by this path (`name`), or by this id of a service (`file_id`).

    `time_ns` is until when, where that is known: another notebook may have had the name later.
    """

    trace: Trace
    notebook: str
    name: str = ""
    file_id: str = ""
    time_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that traces testify to. `a + b` is what both do.

    `siblings` are notebooks beside the one that is looked for: what was run may be theirs.
    `unread` are documents of which there were too many; `unlike` is how many of no name were
    compared with the notebook, and have nothing of it.
    """

    documents: tuple[FoundDocument, ...] = ()
    runs: tuple[FoundRun, ...] = ()
    fragments: tuple[Fragment, ...] = ()
    problems: tuple[Problem, ...] = ()
    kernels: tuple[FoundKernel, ...] = ()
    names: tuple[FoundName, ...] = ()
    siblings: tuple[FoundDocument, ...] = ()
    unread: tuple[Trace, ...] = ()
    unlike: int = 0

    def __add__(self, other: Evidence) -> Evidence:
        return Evidence(
            self.documents + other.documents,
            self.runs + other.runs,
            self.fragments + other.fragments,
            self.problems + other.problems,
            self.kernels + other.kernels,
            self.names + other.names,
            self.siblings + other.siblings,
            self.unread + other.unread,
            self.unlike + other.unlike,
        )


def _silent(words: str, share: float | None) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True, slots=True)
class Hints:
    """What is known before the large traces are read, so that they are not read whole.

    `sources` are the cells of documents found so far; `windows` are the spans of time (ns) in
    which kernels of the notebook started. With no hints a large history gives its newest part.
    """

    sources: frozenset[str] = frozenset()
    windows: tuple[tuple[int, int], ...] = ()


@dataclass(slots=True)
class Allowance:
    """How many seconds one search may give to what could take for ever, of `given` in all.

    Who spends them takes them off `left`, so that several traces share them.
    """

    given: float = 60.0
    left: float = field(init=False)

    def __post_init__(self) -> None:
        self.left = self.given


@dataclass(slots=True)
class Answers:
    """What running kernels told, or the error that says why not, by their connection files.

    `found` are those not asked yet. Searches that share one ask each kernel once.
    """

    found: set[str] = field(default_factory=set)
    told: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scope:
    """Where to look, and for what.

    `notebook` is the one looked for (absolute; it need not exist), None for all of `folder`.
    `scratch` is a private temporary folder for copies. `environ` and `home` stand for the user's:
    finders look nowhere else, so that a test or another account's home can be searched.
    With `ask_kernels` running kernels may be asked in a way that runs callbacks of the user's.
    `profiles` are those of `sessions` whose profile the user named, each with its number.
    `memory_time` is what looking into memory may take in all.
    """

    notebook: Path | None
    folder: Path
    home: Path
    scratch: Path
    environ: Mapping[str, str] = field(default_factory=dict, hash=False)
    platform: str = "linux"
    since_ns: int | None = None
    until_ns: int | None = None
    scan: tuple[Path, ...] = ()
    histories: tuple[Path, ...] = ()
    sessions: tuple[int, ...] = ()
    profiles: tuple[tuple[str, int], ...] = ()
    memory: bool = False
    memory_time: Allowance = field(default_factory=Allowance, compare=False)
    ask_kernels: bool = False
    kernels: Answers = field(default_factory=Answers, compare=False)
    progress: Callable[[str, float | None], None] = _silent
    hints: Hints = Hints()
    store: Path | None = None
    store_keys: Path | None = None

    def covers(self, time_ns: int | None) -> bool:
        """Whether that moment lies between `since` and `until`; an unknown one does."""
        if time_ns is None:
            return True
        after = self.since_ns is None or time_ns >= self.since_ns
        return after and (self.until_ns is None or time_ns <= self.until_ns)


class Finder(Protocol):
    """Knows one kind of trace: where it lies, what it holds, how it is read.

    `kind` is the word in reports and metadata, `title` and `where` (keys linux, macos, windows)
    are for the documentation. With `asked_only` it is used only where the user asks for it.
    """

    @property
    def kind(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def where(self) -> Mapping[str, str]: ...
    @property
    def holds(self) -> frozenset[Holds]: ...
    @property
    def asked_only(self) -> bool: ...

    def find(self, scope: Scope) -> Iterator[Trace | Problem]:
        """What there is, without reading it; what could not be looked at is a `Problem`."""
        ...

    def read(self, trace: Trace, scope: Scope) -> Evidence:
        """What the trace testifies to. May raise RewindError or OSError: it costs itself alone."""
        ...
