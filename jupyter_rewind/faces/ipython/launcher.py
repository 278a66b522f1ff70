"""The program that started this kernel to run a notebook: papermill, `jupyter execute`, nbconvert.

None of them tells its kernel which notebook that is, so its own command line is read, where the
system shows it (Linux). A notebook is named only where the command leaves no doubt: one file, no
option that is not known here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

_SESSION = "JPY_SESSION_NAME"
_MODULES = {
    "papermill": "papermill",
    "jupyter-execute": "jupyter execute",
    "jupyter-nbconvert": "nbconvert",
    "nbconvert": "nbconvert",
}
_PYTHON = re.compile(r"(python|pypy)[\d.]*t?")
_TAKES_ONE = {"-X", "-W", "--check-hash-based-pycs"}
_OTHERWISE = re.compile(r"[*?\[\]{}]|://")


@dataclass(frozen=True, slots=True)
class Launcher:
    """A program that runs notebooks from beginning to end, and the path of the one that this
    kernel is for, as the program was told it; empty where that is not known."""

    program: str
    notebook: str = ""


@dataclass(frozen=True, slots=True)
class Process:
    """What the system shows of a process."""

    command: tuple[str, ...]
    folder: str
    environment: Mapping[str, str] = field(default_factory=dict)


def find_launcher() -> Launcher | None:
    """The program that started this process to run a notebook; None where it was none of those."""
    parent = _parent()
    return None if parent is None else read_command(parent)


def read_command(process: Process) -> Launcher | None:
    """What `process` runs, if it is one of these programs."""
    name, words = _named(process.command)
    program = _MODULES.get(name)
    return None if program is None else Launcher(program, _FINDERS[program](words, process))


def is_session_inherited() -> bool:
    """Whether `JPY_SESSION_NAME` is somebody else's: a program that a cell started passes it on to
    each kernel that it starts in turn."""
    mine = os.environ.get(_SESSION)
    parent = _parent() if mine else None
    if parent is None or parent.environment.get(_SESSION) != mine:
        return False
    # A server gives each kernel a name, which may be the one that it has by chance.
    name, _ = _named(parent.command)
    return name in _MODULES or not name.startswith("jupyter")


def _parent() -> Process | None:
    # Only who started this kernel, with nothing in between, counts.
    number = os.getppid() if hasattr(os, "getppid") else 0
    if os.environ.get("JPY_PARENT_PID") != str(number):
        return None
    try:
        with open(f"/proc/{number}/cmdline", "rb") as file:
            command = os.fsdecode(file.read()).rstrip("\0").split("\0")
        with open(f"/proc/{number}/environ", "rb") as file:
            variables = os.fsdecode(file.read()).split("\0")
        folder = os.readlink(f"/proc/{number}/cwd")
    except OSError:
        return None
    pairs = (each.partition("=") for each in variables)
    return Process(tuple(command), folder, {name: value for name, _, value in pairs})


def _named(command: Sequence[str]) -> tuple[str, Sequence[str]]:
    """The program's or module's name, and the words behind it."""
    at = 0
    if command and _PYTHON.fullmatch(os.path.basename(command[0])):
        at = 1
        while at < len(command) and command[at].startswith("-") and command[at] != "-m":
            at += 2 if command[at] in _TAKES_ONE else 1
        if at < len(command) and command[at] == "-m":
            at += 1
    if at >= len(command):
        return "", ()
    return os.path.basename(command[at]), command[at + 1 :]


# --- papermill ------------------------------------------------------------------------------

_PAPERMILL_TWO = {"-p", "--parameters", "-r", "--parameters_raw"}
_PAPERMILL_ONE = {
    *("-f", "--parameters_file", "-y", "--parameters_yaml", "-b", "--parameters_base64"),
    *("--engine", "--autosave-cell-every", "--kernel", "-k", "--language", "-l", "--cwd"),
    *("--stdout-file", "--stderr-file", "--log-level", "--start-timeout", "--start_timeout"),
    *("--execution-timeout",),
}  # fmt: skip
_PAPERMILL_NONE = {
    *("--inject-input-path", "--inject-output-path", "--inject-paths", "--report-mode"),
    *("--request-save-on-cell-execute", "--no-request-save-on-cell-execute", "--progress-bar"),
    *("--no-progress-bar", "--log-output", "--no-log-output", "--no-report-mode"),
    *("--prepare-execute",),
}  # fmt: skip


def _written_by_papermill(words: Sequence[str], parent: Process) -> str:
    """The notebook that it writes, with all outputs; the one that it reads is a template."""
    arity = {
        **dict.fromkeys(_PAPERMILL_TWO, 2),
        **dict.fromkeys(_PAPERMILL_ONE, 1),
        **dict.fromkeys(_PAPERMILL_NONE, 0),
    }
    found = _split(words, arity)
    if found is None:
        return ""
    plain, options = found
    if len(plain) != 2 or plain[1] == "-" or _OTHERWISE.search(plain[1]):
        return ""
    folder = parent.folder
    if "--cwd" in options:
        # It works in that folder by now, and writes to where it was called.
        folder = parent.environment.get("PWD", "")
        there = os.path.realpath(os.path.join(folder, options["--cwd"]))
        if not os.path.isabs(plain[1]) and there != parent.folder:
            return ""
    return os.path.join(folder, plain[1])


# --- Jupyter's own --------------------------------------------------------------------------

_JUPYTER_NONE = {
    *("--debug", "-y", "--allow-errors", "--inplace", "--execute", "--stdout", "--no-prompt"),
    *("--no-input", "--allow-chromium-download", "--disable-chromium-sandbox", "--show-input"),
    *("--embed-images", "--sanitize-html", "--coalesce-streams", "--clear-output"),
}  # fmt: skip
_JUPYTER_ONE = {
    *("--config", "--log-level", "--output", "--timeout", "--startup_timeout", "--kernel_name"),
    *("--to", "--template", "--template-file", "--theme", "--sanitize_html", "--writer", "--post"),
    *("--output-dir", "--reveal-prefix", "--nbformat"),
}  # fmt: skip


def _named_to_execute(words: Sequence[str], parent: Process) -> str:
    """The one notebook that the command names, whose suffix may be left out."""
    path = _only_one(words, parent)
    return f"{os.path.splitext(path)[0]}.ipynb" if path else ""


def _named_to_nbconvert(words: Sequence[str], parent: Process) -> str:
    """As above; here a suffix is added where such a file is."""
    path = _only_one(words, parent)
    there = [each for each in (path, f"{path}.ipynb") if path and os.path.isfile(each)]
    return there[0] if len(there) == 1 else ""


def _only_one(words: Sequence[str], parent: Process) -> str:
    arity = {**dict.fromkeys(_JUPYTER_ONE, 1), **dict.fromkeys(_JUPYTER_NONE, 0)}
    found = _split(words, arity)
    if found is None or len(found[0]) != 1 or _OTHERWISE.search(found[0][0]):
        return ""
    return os.path.join(parent.folder, found[0][0])


_FINDERS: Mapping[str, Callable[[Sequence[str], Process], str]] = {
    "papermill": _written_by_papermill,
    "jupyter execute": _named_to_execute,
    "nbconvert": _named_to_nbconvert,
}


def _split(
    words: Sequence[str], arity: Mapping[str, int]
) -> tuple[list[str], dict[str, str]] | None:
    """The plain words, and the options with what follows each; None where one is not known."""
    plain: list[str] = []
    options: dict[str, str] = {}
    rest: Iterator[str] = iter(words)
    for word in rest:
        if not word.startswith("-") or word == "-":
            plain.append(word)
            continue
        name, equals, value = word.partition("=")
        if equals and name.startswith("--"):
            options[name] = value
            continue
        takes = arity.get(name, 1 if _is_trait(name) else None)
        if takes is None:
            return None
        options[name] = " ".join(_next(rest, takes))
    return plain, options


def _is_trait(name: str) -> bool:
    """`--Class.trait`, which every program of Jupyter's takes."""
    return name.startswith("--") and "." in name


def _next(words: Iterator[str], number: int) -> Collection[str]:
    return [next(words, "") for _ in range(number)]
