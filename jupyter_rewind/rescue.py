"""The composition root of recovery: all that the faces see of it.

Beside `workspace`, not in it: whoever has just lost work may have installed Rewind a minute ago,
so this needs no store, makes none, and starts fast.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_rewind import clock
from jupyter_rewind.errors import Conflict, InvalidInput, Storage
from jupyter_rewind.model.shell import quoted
from jupyter_rewind.recovery import search, walking
from jupyter_rewind.recovery.evidence import Allowance, Answers, Holds, Problem, Scope, Trace
from jupyter_rewind.recovery.scratch import scratch_folder
from jupyter_rewind.recovery.search import Found, Nothing, Place

if TYPE_CHECKING:
    from jupyter_rewind.model.entry import Json
    from jupyter_rewind.recovery.grep import Hit
    from jupyter_rewind.recovery.recover import Recovery
    from jupyter_rewind.recovery.report import Report
    from jupyter_rewind.recovery.sessions import SessionInfo, Sessions
    from jupyter_rewind.recovery.survey import Standing, Survey
    from jupyter_rewind.settings import Rewind

__all__ = [
    "FORMS", "Found", "Hit", "Holds", "Nothing", "Place", "Problem", "Recovery", "Report",
    "Request", "Scope", "SessionInfo", "Sessions", "Standing", "Survey", "Trace", "Written",
    "content", "file_words", "find_traces", "grep", "open_scope", "outside", "page",
    "provenance", "recover", "report", "searched_for_code", "sessions", "survey", "target_of",
    "tell", "write",
]  # fmt: skip

FORMS = ("ipynb", "py", "md")

Progress = Callable[[str, float | None], None]
"""Takes what is being done and, where that is known, the share that is done."""


def _silent(words: str, share: float | None) -> None:
    """Nobody looks on."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asks for, in their own words: paths and times as they wrote them."""

    target: str | None = None
    """A notebook or a folder; None for the present folder."""
    histories: Sequence[str] = ()
    scan: Sequence[str] = ()
    sessions: Sequence[int | str] = ()
    """Numbers, or `PROFILE:NUMBER` where two profiles have the same."""
    since: str | None = None
    until: str | None = None
    memory: bool = False
    memory_seconds: float = Allowance().given
    """What looking into memory may take in all."""
    ask_kernels: bool = False
    kernels: Answers = field(default_factory=Answers)
    """What kernels answered: a request that is made from this one asks none of them anew."""
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    home: Path = field(default_factory=Path.home)
    progress: Progress = _silent


@contextmanager
def open_scope(settings: Rewind, request: Request) -> Iterator[Scope]:
    """Where to look for what `request` asks; copies lie in its scratch folder until the end.

    Raises InvalidInput for times and paths that make no sense.
    """
    notebook, folder = target_of(request.target)
    scan = tuple(_existing(each, "--scan") for each in request.scan)
    histories = tuple(_existing(each, "--history") for each in request.histories)
    named = [_session(each) for each in request.sessions]
    since = _moment(request.since, "--since", begins=True)
    until = _moment(request.until, "--until")
    if since is not None and until is not None and since > until:
        raise InvalidInput(
            "--since is later than --until: nothing lies between them.", hint="Exchange the two."
        )
    with scratch_folder() as scratch:
        yield Scope(
            notebook=notebook,
            folder=folder,
            home=request.home,
            scratch=scratch,
            environ=request.environ,
            platform=sys.platform,
            since_ns=since,
            until_ns=until,
            scan=scan,
            histories=tuple(dict.fromkeys([*histories, *_histories_in(scan)])),
            sessions=tuple(number for _, number in named),
            profiles=tuple((profile, number) for profile, number in named if profile),
            memory=request.memory,
            memory_time=Allowance(request.memory_seconds),
            ask_kernels=request.ask_kernels,
            kernels=request.kernels,
            progress=request.progress,
            store=Path(settings.store_path).expanduser(),
            store_keys=Path(settings.store_key_folder).expanduser(),
        )


def target_of(text: str | None) -> tuple[Path | None, Path]:
    """The notebook that `text` names, if it names one, and the folder to look in. Raises
    InvalidInput for an address that a browser shows."""
    if text is None:
        return None, Path.cwd()
    path = Path(os.path.abspath(os.path.expanduser(_without_scheme(text))))
    if os.path.isdir(path):
        return None, path
    if not path.suffix and not os.path.exists(path):
        path = path.with_suffix(".ipynb")
    return path, path.parent


def _without_scheme(text: str) -> str:
    from urllib.parse import unquote, urlsplit

    scheme = text.partition("://")[0].lower() if "://" in text else ""
    if scheme not in ("http", "https", "file") or os.path.lexists(text):
        return text
    try:
        path = unquote(urlsplit(text).path)
    except ValueError:
        path = ""
    if scheme == "file" and path:
        return path
    name = os.path.basename(path.rstrip("/"))
    name = name if name.endswith(".ipynb") else "NAME.ipynb"
    raise InvalidInput(
        f"{text} is an address that a browser shows, and no file.",
        hint="Nothing was changed. In the notebook's folder, name its file: jupyter rewind recover"
        f" {quoted(name)}",
    )


def find_traces(scope: Scope) -> Found:
    """Every trace there is; none of them is read."""
    return search.look(scope)


def survey(scope: Scope, found: Found) -> Survey:
    """How each notebook of the folder stands, those in need first."""
    from jupyter_rewind.recovery.keptcopies import without_copies
    from jupyter_rewind.recovery.survey import survey as run

    return without_copies(run(scope, found))


def file_words(scope: Scope) -> str:
    """What is wrong with the file of the notebook, where it is there at all; else ""."""
    from jupyter_rewind.recovery.filestate import state_of

    return "" if scope.notebook is None else state_of(scope.notebook).trouble


def outside(scope: Scope) -> str:
    """What `--since` and `--until` left out, where nothing was found; "" where it wasn't they."""
    bounds = [("--since", scope.since_ns), ("--until", scope.until_ns)]
    told = " and ".join(option for option, moment in bounds if moment is not None)
    if not told:
        return ""
    free = replace(scope, since_ns=None, until_ns=None)
    found = search.look(free)
    recovery = recover(free, found) if scope.notebook is not None else None
    if not found.traces:
        return ""
    one = len(found.traces) == 1
    there = "is a trace" if one else f"are {len(found.traces)} traces"
    if recovery is not None and not isinstance(recovery, Nothing):
        cells = len(recovery.rebuilt.cells)
        there += f", with {cells} cells" if cells > 1 else ", with a cell"
    return f"{told} left out all that was found: without, there {there}."


def recover(scope: Scope, found: Found | None = None, version: str = "") -> Recovery | Nothing:
    """The best notebook that the traces give, or why they give not one cell.

    `version` names the document to build on, where it is not to be the newest. Raises InvalidInput.
    """
    from jupyter_rewind.recovery.recover import recover as run

    return run(scope, found, version)


def sessions(scope: Scope) -> Sessions:
    """What was run in IPython, session by session, each with its most likely notebook."""
    from jupyter_rewind.recovery.sessions import list_sessions

    return list_sessions(scope)


def grep(
    scope: Scope,
    text: str,
    *,
    python: bool = False,
    regex: bool = True,
    ignore_case: bool = False,
) -> Iterator[Hit | Problem]:
    """Every cell that was ever run and fits. Raises InvalidInput for a pattern that is none."""
    from jupyter_rewind.recovery import grep as room

    if python:
        return room.grep(scope, room.by_definition(text))
    return room.grep(scope, room.by_pattern(text, regex=regex, ignore_case=ignore_case))


def report(recovery: Recovery) -> Report:
    """What a person is told of it."""
    from jupyter_rewind.recovery.report import report as run

    return run(recovery)


def tell(told: Report) -> dict[str, Json]:
    """The report for programs."""
    from jupyter_rewind.recovery.report import as_json

    return as_json(told)


def provenance(recovery: Recovery) -> list[dict[str, Json]]:
    """Each cell for programs: how sure it is, and where it is from."""
    from jupyter_rewind.recovery.report import provenance as run

    return run(recovery)


def content(recovery: Recovery) -> dict[str, Any]:
    """The notebook that was brought back, as the JSON that its file would hold."""
    import json

    from jupyter_rewind.recovery.recover import as_bytes

    made: dict[str, Any] = json.loads(as_bytes(recovery))
    return made


def page(recovery: Recovery) -> str:
    """The HTML page that tells of it."""
    from jupyter_rewind.recovery.webpage import as_page

    return as_page(recovery)


@dataclass(frozen=True, slots=True)
class Written:
    """Where the notebook that was brought back lies, and the page that tells of it."""

    path: Path
    page: Path | None
    made_folder: Path | None = None
    """The folder of `path`, where it was not there before."""
    form: str = "ipynb"
    """What the file is, whatever its name says."""


def write(
    recovery: Recovery,
    *,
    output: str | None = None,
    report_path: str | None = None,
    form: str = "ipynb",
    with_page: bool = True,
) -> Written:
    """The notebook is a new file; so is its page, where it is asked for or no `output` is named.

    Raises Conflict rather than write over anything, InvalidInput where the notebook is in no
    language for that form. Raises Storage: the notebook is not written
    then; a page that cannot be written beside it is left out.
    """
    from jupyter_rewind.recovery import recover as room

    room.refuse_language(recovery, form)
    target = Path(os.path.abspath(report_path)) if report_path is not None else None
    place = Path(os.path.abspath(output)) if output else None
    if target is not None and target == place:
        raise InvalidInput(
            f"--output and --report name one file: {target}.", hint="Nothing was changed."
        )
    if target is not None and os.path.lexists(target):
        room.refuse(target, "--report")
    folder = (place or recovery.notebook).parent
    made = None if os.path.isdir(folder) else folder
    path = room.write(recovery, place, form)
    if target is not None:
        if not room.write_new(target, page(recovery).encode()):
            room.refuse(target, "--report")
        return Written(path, target, made, form)
    if output is not None or not with_page:
        return Written(path, None, made, form)
    try:
        told = page(recovery).encode()
        beside = path.with_suffix(".html")
        if not room.write_new(beside, told):
            beside = room.write_beside(recovery.notebook, ".html", told)
    except (Storage, Conflict):
        return Written(path, None, made, form)
    return Written(path, beside, made, form)


def write_page(recovery: Recovery, report_path: str) -> Path:
    """The page alone, of a notebook that gains nothing. Raises Conflict, Storage."""
    from jupyter_rewind.recovery import recover as room

    target = Path(os.path.abspath(report_path))
    if not room.write_new(target, page(recovery).encode()):
        room.refuse(target, "--report")
    return target


def searched_for_code(scope: Scope) -> tuple[tuple[Place, tuple[str, ...]], ...]:
    """Where code that was run is told of, and what of that there is here."""
    from jupyter_rewind.recovery.grep import SEARCHED

    told = zip(search.places(scope, SEARCHED), SEARCHED, strict=True)
    return tuple(
        (place, tuple(trace.place for trace in search.look(scope, [finder]).traces))
        for place, finder in told
    )


def _session(asked: int | str) -> tuple[str, int]:
    """Profile and number of a session that was named."""
    from jupyter_rewind.recovery.namedsessions import parse_session

    told = parse_session(str(asked))
    if told is None:
        raise InvalidInput(f"--session: {asked!r} is no session.", hint="Write 12, or PROFILE:12.")
    return told


def _existing(text: str, option: str) -> Path:
    path = Path(os.path.abspath(os.path.expanduser(text)))
    if not os.path.exists(path):
        raise InvalidInput(f"{option}: there is no {text}.", hint="Check the path.")
    return path


def _histories_in(scan: Sequence[Path]) -> Iterator[Path]:
    """The histories of IPython in the folders and files that the user named."""
    for top in scan:
        if os.path.isfile(top):
            yield from [top] if top.suffix == ".sqlite" else []
            continue
        for folder in walking.folders_below(top, hidden=True):
            yield from sorted(folder.glob("history*.sqlite"))


def _moment(text: str | None, option: str, *, begins: bool = False) -> int | None:
    """The time that `text` means; a day's beginning where `begins` is set, else its end."""
    from jupyter_rewind.model.reference import parse_time

    if text is None:
        return None
    now = clock.now_ns()
    moment = parse_time(f"{text} 00:00", now) if begins else None
    if moment is None:
        moment = parse_time(text, now)
    if moment is None:
        raise InvalidInput(
            f"{option}: {text!r} is no time.",
            hint='Write "2026-11-20 14:05", "yesterday" or "2 hours ago".',
        )
    return moment
