"""Where Jupyter keeps what it knows of running kernels, and what those files say of notebooks."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from jupyter_rewind.model.sessionname import named_notebook
from jupyter_rewind.recovery.evidence import Scope
from jupyter_rewind.recovery.regular import may_be_folder, read_file
from jupyter_rewind.recovery.walking import settle

_NAME = re.compile(r"kernel-(?P<id>.+)\.json\Z")
_LARGEST = 1 << 16
PROC = Path("/proc")
_SHARED = ("/usr/local/share/jupyter", "/usr/share/jupyter")
_USUAL = {"ir": "R", "julia": "julia", "irkernel": "R"}
"""Languages of kernels whose specification is gone, by the name that it usually has."""
_SESSION = b"JPY_SESSION_NAME"
_STARTED_BY = b"JPY_PARENT_PID"
_RUN_ONE = (b"jupyter-execute", b"jupyter-nbconvert", b"jupyter-run")
"""Programs that run one notebook, and name no session."""


@dataclass(frozen=True, slots=True)
class Connection:
    """A kernel's connection file. Its signing key is never kept here.

    `notebook` is what Jupyter named the session by: a notebook's absolute path, as a rule.
    `spec` is the name of the kernel's specification, such as `python3` or `ir`. `problem` says why
    it names no notebook that can be.
    """

    path: Path
    kernel: str
    notebook: str
    spec: str
    written_ns: int
    size_bytes: int
    problem: str = ""


def data_folders(scope: Scope) -> list[Path]:
    """Jupyter's folders for data, those that the environment names first."""
    environ, home = scope.environ, scope.home
    found = [environ.get("JUPYTER_DATA_DIR", "")]
    if scope.platform == "darwin":
        found.append(str(home / "Library" / "Jupyter"))
    elif scope.platform == "win32":
        found.append(str(Path(environ.get("APPDATA", home / "AppData" / "Roaming")) / "jupyter"))
    share = environ.get("XDG_DATA_HOME", "")
    found.append(str(Path(share) / "jupyter") if share else "")
    found.append(str(home / ".local" / "share" / "jupyter"))
    return [Path(one) for one in dict.fromkeys(found) if one]


def runtime_folders(scope: Scope) -> list[Path]:
    """The folders that hold connection files, of now and of older Jupyters."""
    environ = scope.environ
    named = environ.get("JUPYTER_RUNTIME_DIR", "")
    found = [Path(named)] if named else []
    found += [folder / "runtime" for folder in data_folders(scope)]
    if environ.get("XDG_RUNTIME_DIR"):
        found.append(Path(environ["XDG_RUNTIME_DIR"]) / "jupyter")
    return [folder for folder in dict.fromkeys(found) if may_be_folder(folder)]


def connections_in(folder: Path) -> Iterator[Connection | OSError | ValueError]:
    """Every kernel's connection file of a folder; what does not read is an error that names it."""
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        error.add_note(str(folder))
        yield error
        return
    for path in (folder / name for name in names if _NAME.match(name)):
        try:
            found = read_connection(path)
        except (OSError, ValueError) as error:
            error.add_note(str(path))
            yield error
            continue
        yield found


def read_connection(path: Path) -> Connection:
    """What the file says. Raises OSError, ValueError."""
    status = path.stat()
    if status.st_size > _LARGEST:
        raise ValueError("it is too large for a connection file")
    told = json.loads(read_file(path, _LARGEST))
    if not isinstance(told, dict):
        raise ValueError("it is no connection file")
    match = _NAME.match(path.name)
    session = told.get("jupyter_session")
    notebook = _as_path(session) if isinstance(session, str) else ""
    return Connection(
        path,
        match["id"] if match else path.stem,
        notebook or "",
        str(told.get("kernel_name", "")),
        status.st_mtime_ns,
        status.st_size,
        "" if notebook is not None else "it names its notebook as no file can be called",
    )


def _as_path(text: str) -> str | None:
    """The name as paths are written in this process, "" where it is a folder's; None where no file
    can have it."""
    if "\0" in text:
        return None
    text = named_notebook(text)
    if _is_folder(text):
        return ""
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        # Where the locale is not UTF-8, its letters stand for their bytes, as in what is listed.
        try:
            return os.fsdecode(text.encode())
        except UnicodeError:
            return None
    return text


def _is_folder(session: str) -> bool:
    """Whether a session without a name was called by the folder in which its kernel was started."""
    return session.endswith(("/", os.sep)) or (os.path.isabs(session) and os.path.isdir(session))


def language_of_spec(spec: str, scope: Scope) -> str:
    """The language of the kernels of that name, as their specification says; "" if none does."""
    if not spec or os.path.basename(spec) != spec:
        return ""
    named = [Path(one) for one in scope.environ.get("JUPYTER_PATH", "").split(os.pathsep) if one]
    shared = [Path(sys.prefix) / "share" / "jupyter", *map(Path, _SHARED)]
    for folder in (*named, *data_folders(scope), *shared):
        try:
            told = json.loads(read_file(folder / "kernels" / spec / "kernel.json", _LARGEST))
        except (OSError, ValueError, RecursionError):
            continue
        language = told.get("language") if isinstance(told, dict) else None
        if isinstance(language, str):
            return language
    return _USUAL.get(spec.partition("-")[0], "")


def settle_notebook(session: str, scope: Scope) -> str:
    """The notebook that a session is named by, as the scope spells it where links lead to it.

    A name relative to an unknown server's folder counts where the notebook's path ends in it.
    """
    name = session.removeprefix("RTC:")
    if not name:
        return ""
    if scope.notebook is not None and _is_same(name, scope.notebook):
        return str(scope.notebook)
    return str(settle(Path(name), scope)) if os.path.isabs(name) else name


def _is_same(name: str, notebook: Path) -> bool:
    path = Path(name)
    if path.is_absolute():
        return path == notebook or os.path.realpath(path) == os.path.realpath(notebook)
    parts = path.parts
    return bool(parts) and notebook.parts[-len(parts) :] == parts


def is_below(name: str, folder: Path) -> bool:
    """Whether the path lies in `folder` or below it."""
    return Path(name).is_absolute() and Path(name).is_relative_to(folder)


def kernel_processes(scope: Scope) -> Iterator[Path]:
    """The folders below /proc of processes that are kernels (Linux; elsewhere none)."""
    if scope.platform != "linux" or not os.path.isdir(PROC):
        return
    for folder in PROC.iterdir():
        if folder.name.isdigit() and kernel_of_process(folder) is not None:
            yield folder


def kernel_of_process(folder: Path) -> str | None:
    """The kernel's id in a process's arguments; None where it is no kernel, or is gone.

    What a cell started inherits the environment, but has no connection file among its arguments.
    """
    try:
        line = (folder / "cmdline").read_bytes()
    except OSError:
        return None
    for part in line.split(b"\0"):
        match = _NAME.search(os.path.basename(os.fsdecode(part)))
        if match:
            return match["id"]
    return None


def session_of_process(folder: Path) -> str:
    """What Jupyter named the process's session by; "" where it did not. Raises OSError.

    A program that a cell started passes the name on to each kernel that it starts in turn: such a
    kernel has none.
    """
    variables = _variables_of(folder)
    session = variables.get(_SESSION, b"")
    if session and _is_inherited(folder, variables):
        return ""
    name = named_notebook(os.fsdecode(session))
    return "" if _is_folder(name) else name


def _is_inherited(folder: Path, variables: Mapping[bytes, bytes]) -> bool:
    # Only who started the kernel, with nothing in between, counts: a keeper of kernels has its own.
    parent = folder.parent / os.fsdecode(variables.get(_STARTED_BY) or b"-")
    try:
        started_by = (folder / "stat").read_bytes().rpartition(b")")[2].split()[1]
        if os.fsencode(parent.name) != started_by:
            return False
        same = _variables_of(parent).get(_SESSION) == variables[_SESSION]
        words = [os.path.basename(word) for word in (parent / "cmdline").read_bytes().split(b"\0")]
    except (OSError, IndexError):
        return False
    # A server gives each kernel a name, which may be the one that it has by chance.
    is_server = any(one.startswith(b"jupyter") and one not in _RUN_ONE for one in words[:4])
    return same and not is_server


def _variables_of(folder: Path) -> dict[bytes, bytes]:
    parts = (folder / "environ").read_bytes().split(b"\0")
    return {name: value for name, _, value in (part.partition(b"=") for part in parts)}


def sessions_by_kernel(scope: Scope) -> dict[str, str]:
    """What Jupyter named the sessions of running kernels by, "" where it did not (Linux; elsewhere
    nothing)."""
    found = {}
    for folder in kernel_processes(scope):
        kernel = kernel_of_process(folder)
        try:
            session = session_of_process(folder)
        except OSError:
            # It has ended meanwhile, or is another person's.
            continue
        if kernel:
            found[kernel] = session
    return found
