"""IPython's history of everything that was run, of every profile, and what became of old ones."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from jupyter_rewind.recovery.evidence import (
    CHANGED,
    Evidence,
    Executed,
    FoundRun,
    Fragment,
    Holds,
    Problem,
    Scope,
    Trace,
)
from jupyter_rewind.recovery.histories import Rows
from jupyter_rewind.recovery.historyfiles import load
from jupyter_rewind.recovery.regular import may_be_folder, read_file
from jupyter_rewind.recovery.runtime import kernel_processes
from jupyter_rewind.recovery.selection import is_allowed

_NAME = re.compile(r"(history.*\.sqlite([.~-].*)?|.*-corrupt.*\.sqlite)\Z")
_COMPANION = re.compile(r"-(journal|wal|shm)\Z")
_CONFIG = re.compile(r"""hist_file['"]?\s*[=:]\s*[rub]*['"](?P<path>[^'"\n]+)['"]""")
_CONFIG_NAMES = ("ipython_config", "ipython_kernel_config")
_LARGEST_CONFIG = 1 << 24


class HistoryFinder:
    """IPython's `history.sqlite`: code that was run, by session; it does not name the notebook."""

    kind = "history"
    title = "IPython's history of executed code"
    asked_only = False
    holds: frozenset[Holds] = frozenset({Holds.CODE, Holds.ORDER, Holds.TIMES})
    where: Mapping[str, str] = {
        "linux": "`~/.ipython/profile_*/history.sqlite` (or below `$IPYTHONDIR`, or where"
        " `HistoryManager.hist_file` says), with `-journal` or `-wal`; `history-corrupt*.sqlite`"
        " beside it",
        "macos": "as on Linux",
        "windows": "`%USERPROFILE%\\.ipython\\profile_*\\history.sqlite`, else as on Linux",
    }

    def find(self, scope: Scope) -> Iterator[Trace | Problem]:
        seen: set[str] = set()
        for path in (*scope.histories, *_places(scope)):
            if isinstance(path, Problem):
                yield path
                continue
            real = os.path.realpath(path)
            if real in seen:
                continue
            seen.add(real)
            try:
                yield _trace(path)
            except OSError as error:
                yield Problem(str(path), f"This history cannot be seen: {error.strerror}.")

    def read(self, trace: Trace, scope: Scope) -> Evidence:
        """The sessions as runs. Raises NotFound, Denied, Full, Unavailable."""
        path = Path(trace.place)
        rows, problems = load(path, scope)
        if rows is None:
            words = "This is no history of IPython (no table with session, line and source)."
            return Evidence(problems=(Problem(trace.place, words, trace),))
        problems += [Problem(trace.place, words, trace) for words in rows.damages]
        runs = tuple(as_runs(trace, rows, scope))
        return Evidence(
            runs=runs, fragments=_doubtful(trace, rows, scope), problems=tuple(problems)
        )


def _places(scope: Scope) -> Iterator[Path | Problem]:
    for folder in ipython_folders(scope):
        for profile in _names(folder):
            if isinstance(profile, Problem):
                yield profile
            elif profile.name.startswith("profile_") and os.path.isdir(profile):
                yield from filter(_is_history, _names(profile))
                yield from _configured(profile, scope)
    yield from _held_open(scope)


def _is_history(path: Path | Problem) -> bool:
    if isinstance(path, Problem):
        return True
    named = _NAME.match(path.name) and not _COMPANION.search(path.name)
    return bool(named) and not os.path.isdir(path)


def _names(folder: Path) -> Sequence[Path | Problem]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        return [Problem(str(folder), f"The folder cannot be looked into: {error.strerror}.")]


def ipython_folders(scope: Scope) -> list[Path]:
    """The folders that are, or may have been, somebody's IPYTHONDIR here."""
    found = [Path(scope.environ["IPYTHONDIR"])] if scope.environ.get("IPYTHONDIR") else []
    found += [scope.home / ".ipython", scope.home / ".config" / "ipython"]
    for folder in (scope.folder, *(scope.notebook.parents if scope.notebook else ())):
        found.append(folder / ".ipython")
    return [folder for folder in dict.fromkeys(found) if may_be_folder(folder)]


def _held_open(scope: Scope) -> Iterator[Path]:
    """Histories that this person's running kernels have open, wherever they were moved (Linux)."""
    home = b"HOME=" + os.fsencode(scope.home)
    for folder in kernel_processes(scope):
        try:
            if home not in (folder / "environ").read_bytes().split(b"\0"):
                continue
            targets = [os.readlink(entry) for entry in (folder / "fd").iterdir()]
        except OSError:
            # It has ended meanwhile, or is not ours.
            continue
        for target in targets:
            named = target.endswith((".sqlite", ".db")) and "hist" in Path(target).name
            if named and os.path.isfile(target):
                yield Path(target)


def _configured(profile: Path, scope: Scope) -> Iterator[Path]:
    """Where the profile's configuration moved the file to; read as text, never run."""
    for name in _CONFIG_NAMES:
        for suffix in (".py", ".json"):
            try:
                raw = read_file(profile / (name + suffix), _LARGEST_CONFIG)
            except OSError:
                continue
            for match in _CONFIG.finditer(raw.decode("utf-8", "replace")):
                path = Path(match["path"].replace("~", str(scope.home), 1))
                if os.path.isfile(path):
                    yield path


def _trace(path: Path) -> Trace:
    status = path.stat()
    when, journal = status.st_mtime_ns, None
    for suffix in ("-journal", "-wal"):
        companion = Path(f"{path}{suffix}")
        if os.path.exists(companion) and companion.stat().st_size:
            when = max(when, companion.stat().st_mtime_ns)
            journal = f"a kernel was writing to it when it stopped, or is now (there is a {suffix})"
    return Trace(
        HistoryFinder.kind,
        str(path),
        None,
        HistoryFinder.holds,
        when,
        status.st_size,
        f"IPython's history ({path.parent.name})",
        journal,
    )


def as_runs(trace: Trace, rows: Rows, scope: Scope) -> Iterator[FoundRun]:
    """Each session within the user's bounds, in the order of their numbers.

    Those that ran nothing are given too: a kernel that began then was one of theirs.
    """
    lines: dict[int, list[Executed]] = {number: [] for number in rows.sessions}
    for (number, line), source in sorted(rows.lines.items()):
        output = rows.outputs.get((number, line))
        lines.setdefault(number, []).append(Executed(line, source, text_output=output))
    for number, executions in sorted(lines.items()):
        session = rows.sessions.get(number)
        if not is_allowed(number, session, scope, trace.time_ns):
            continue
        yield FoundRun(
            trace,
            number,
            tuple(executions),
            session.started_ns if session else None,
            session.ended_ns if session else None,
            remark=session.remark if session else "",
            utc_end_ns=session.utc_end_ns if session else None,
        )


def _doubtful(trace: Trace, rows: Rows, scope: Scope) -> tuple[Fragment, ...]:
    """The texts that damage may have changed, of sessions within the user's bounds."""
    return tuple(
        Fragment(trace, CHANGED, f"session {number}, line {line}", source, line, number)
        for (number, line), sources in sorted(rows.doubtful.items())
        if is_allowed(number, rows.sessions.get(number), scope, trace.time_ns)
        for source in sources
    )
