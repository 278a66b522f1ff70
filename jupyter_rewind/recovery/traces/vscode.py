"""What Visual Studio Code and its kin keep: the local history of files, and unsaved editors.

Local history: a folder a file, `entries.json` names the file and the times of its copies. Hot exit:
a file whose first line is the address of the document, followed by its content.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from jupyter_rewind.recovery.documents import read_document, read_notebook
from jupyter_rewind.recovery.evidence import EVERYTHING, Evidence, Holds, Problem, Scope, Trace
from jupyter_rewind.recovery.regular import open_file, read_file
from jupyter_rewind.recovery.walking import settle, spellings

_DESKTOP = (
    "Code", "Code - Insiders", "Code - OSS", "VSCodium", "VSCodium - Insiders", "Cursor",
    "Windsurf", "Positron", "Trae", "Antigravity", "Kiro",
)  # fmt: skip
_SERVERS = (
    ".vscode-server", ".vscode-server-insiders", ".vscodium-server", ".cursor-server",
    ".windsurf-server", ".positron-server", ".vscode-remote", ".openvscode-server",
)  # fmt: skip
_LARGEST_LIST = 4 << 20
_COPY = re.compile(r"[A-Za-z0-9]{4}\.ipynb\Z")
_HASH_START = 149417
_WORDS = "VS Code's local history"


class VSCodeFinder:
    """Local history and hot-exit backups of VS Code, VSCodium, Cursor and others, also remote."""

    kind = "vscode"
    title = "VS Code and its kin: local history and unsaved editors"
    asked_only = False
    holds: frozenset[Holds] = EVERYTHING
    where: Mapping[str, str] = {
        "linux": "`~/.config/Code/User/History` and `~/.config/Code/Backups`; also of VSCodium,"
        " Cursor and others; `~/.vscode-server/data/User/History`,"
        " `~/.local/share/code-server/User/History`",
        "macos": "`~/Library/Application Support/Code/User/History` and `…/Code/Backups`",
        "windows": "`%APPDATA%\\Code\\User\\History` and `%APPDATA%\\Code\\Backups`",
    }

    def find(self, scope: Scope) -> Iterator[Trace | Problem]:
        for folder in data_folders(scope):
            kept = folder / "User/History"
            for listing in sorted(kept.glob("*/entries.json")):
                yield from _history(listing, scope)
            if scope.notebook is not None:
                for name in spellings(scope.notebook, scope):
                    yield from _unlisted(kept / folder_name(name), scope)
            for backup in sorted((folder / "Backups").glob("*/*/*")):
                yield from _backup(backup, scope)

    def read(self, trace: Trace, scope: Scope) -> Evidence:
        if trace.handle.get("form") != "backup":
            return read_notebook(trace)
        return read_document(trace, read_file(trace.place).partition(b"\n")[2])


def data_folders(scope: Scope) -> list[Path]:
    """The data folder of each editor of this kind that has been used here."""
    home, environ = scope.home, scope.environ
    if scope.platform == "darwin":
        tops = [home / "Library/Application Support"]
    elif scope.platform == "win32":
        tops = [Path(environ.get("APPDATA") or home / "AppData/Roaming")]
    else:
        tops = [Path(environ.get("XDG_CONFIG_HOME") or home / ".config")]
        tops += sorted((home / ".var/app").glob("*/config"))
    folders = [top / name for top in tops for name in _DESKTOP]
    folders += [home / name / "data" for name in _SERVERS]
    data = Path(environ.get("XDG_DATA_HOME") or home / ".local/share")
    folders += [data / "code-server", home / ".openvscode-server/data"]
    return [each for each in dict.fromkeys(folders) if os.path.isdir(each)]


def _history(listing: Path, scope: Scope) -> Iterator[Trace | Problem]:
    try:
        with open_file(listing) as file:
            told = json.loads(file.read(_LARGEST_LIST))
        address, entries = told["resource"], told["entries"]
        names = [(each["id"], each.get("timestamp")) for each in entries]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        words = f"This list of a file's local history cannot be read ({error})."
        yield Problem(str(listing), words)
        return
    notebook = path_of(address, scope)
    if notebook is None or not _is_wanted(notebook, scope):
        return
    for name, milliseconds in names:
        time_ns = milliseconds * 1_000_000 if isinstance(milliseconds, int) else None
        if isinstance(name, str) and os.path.basename(name) == name:
            yield from _trace(listing.with_name(name), str(notebook), time_ns, _WORDS, {})
    yield from _copies(
        listing.parent, str(notebook), {name for name, _ in names if isinstance(name, str)}
    )


def _unlisted(kept: Path, scope: Scope) -> Iterator[Trace]:
    """Copies whose list was never written: the editor writes it when it ends, and was killed."""
    if not os.path.exists(kept / "entries.json"):
        yield from _copies(kept, str(scope.notebook), set())


def _copies(kept: Path, notebook: str, listed: set[object]) -> Iterator[Trace]:
    """The copies in one folder of the local history that its list does not name."""
    for place in sorted(kept.glob("*.ipynb")):
        if _COPY.match(place.name) and place.name not in listed:
            yield from _trace(place, notebook, None, _WORDS, {})


def folder_name(path: Path) -> str:
    """What the editor calls the folder of a file's local history: a hash of its address."""
    address = f"file://{quote(path.as_posix(), safe='/~')}"
    units = address.encode("utf-16-le", "surrogatepass")
    value = _HASH_START
    for at in range(0, len(units), 2):
        value = (value * 31 + int.from_bytes(units[at : at + 2], "little")) & 0xFFFFFFFF
    return format(value - (1 << 32) if value >> 31 else value, "x")


def _backup(backup: Path, scope: Scope) -> Iterator[Trace | Problem]:
    try:
        with open_file(backup) as file:
            head = file.readline(64 << 10)
    except IsADirectoryError:
        return
    except OSError as error:
        yield Problem(str(backup), f"It cannot be read: {error.strerror}.")
        return
    address, _, facts = head.decode("utf-8", "replace").strip().partition(" ")
    notebook = path_of(address, scope)
    form = {"form": "backup"}
    if notebook is not None:
        if _is_wanted(notebook, scope):
            words = "An unsaved editor of VS Code"
            yield from _trace(backup, str(notebook), None, words, form)
    elif address.startswith("untitled:") and "jupyter" in address + facts:
        name = unquote(address.partition(":")[2].partition("?")[0])
        yield from _trace(backup, None, None, f"A notebook never saved in VS Code ({name})", form)


def _is_wanted(notebook: Path, scope: Scope) -> bool:
    if scope.notebook is not None:
        return notebook == scope.notebook
    return notebook.suffix == ".ipynb" and notebook.is_relative_to(scope.folder)


def path_of(address: str, scope: Scope) -> Path | None:
    """The path in a `file:` or `vscode-remote:` address; None for any other address."""
    try:
        parts = urlsplit(address)
    except (ValueError, AttributeError, TypeError):
        return None
    if parts.scheme not in ("file", "vscode-remote", "vscode-userdata"):
        return None
    path = unquote(parts.path)
    if len(path) > 2 and path[0] == "/" and path[2] == ":":
        path = path[1:]
    return settle(Path(path), scope) if path and "\0" not in path else None


def _trace(
    place: Path, notebook: str | None, time_ns: int | None, words: str, handle: Mapping[str, str]
) -> Iterator[Trace]:
    try:
        status = place.stat()
    except OSError:
        return
    yield Trace(
        kind=VSCodeFinder.kind,
        place=str(place),
        notebook=notebook,
        holds=EVERYTHING,
        time_ns=status.st_mtime_ns if time_ns is None else time_ns,
        size_bytes=status.st_size,
        words=words,
        handle=handle,
    )
