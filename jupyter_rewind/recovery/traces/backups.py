"""Copies beside the notebook: editors' swap and backup files, and conflicted copies of clouds."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from jupyter_rewind.recovery.documents import read_document, read_notebook
from jupyter_rewind.recovery.evidence import EVERYTHING, Evidence, Holds, Problem, Scope, Trace
from jupyter_rewind.recovery.regular import read_file
from jupyter_rewind.recovery.walking import folders_of, settle

_SWAP = re.compile(r"\.(?P<name>.+\.ipynb)\.sw[a-p]\Z")
_CONFLICT = re.compile(
    r"(?P<stem>.+?)"
    r"(?: \([^()]*(?:conflict|konflikt|conflit)[^()]*\)"  # Dropbox, Nextcloud, Google Drive
    r"|[._]sync-conflict-\d{8}-\d{6}(?:-\w+)?"  # Syncthing
    r"|_conflict-\d{8}-\d{6}"  # ownCloud
    r"| ?\[(?:conflicted|Conflict)[^\[\]]*\]"  # Google Drive
    r")\.ipynb\Z",
    re.IGNORECASE,
)
_VERSION = re.compile(r"(?P<stem>.+)~\d{8}-\d{6}\.ipynb\Z")
_BACKUPS = (
    (re.compile(r"#(?P<name>.+\.ipynb)#\Z"), "An autosave of Emacs"),
    (re.compile(r"(?P<name>.+\.ipynb)(?:~|\.~\d+~)\Z"), "A backup of an editor"),
    (re.compile(r"(?P<name>.+\.ipynb)\.(?:bak|backup|orig|old|save|sav)\Z"), "A backup copy"),
)
_SWAP_FOLDERS = (
    ".local/state/nvim/swap", ".local/share/nvim/swap", ".vim/swap", ".vim/tmp", ".vim/.swp",
    ".cache/vim/swap", "tmp",
)  # fmt: skip
_BACKUP_FOLDERS = (
    ".emacs.d/backups", ".emacs.d/backup", ".emacs.d/auto-save-list", ".emacs.d/auto-saves",
    ".config/emacs/backups", ".config/emacs/auto-saves", ".vim/backup",
    ".local/state/nvim/backup",
)  # fmt: skip
_SWAP_FORM = "vim-swap"


class BackupFinder:
    """What Vim, Emacs, other editors, and programs that keep folders in step leave behind."""

    kind = "backup"
    title = "editors' swap and backup files, conflicted copies of clouds"
    asked_only = False
    holds: frozenset[Holds] = EVERYTHING
    where: Mapping[str, str] = {
        "linux": "beside the notebook: `.NAME.ipynb.swp`, `NAME.ipynb~`, `#NAME.ipynb#`,"
        " `NAME.ipynb.bak`, `NAME (… conflicted copy …).ipynb`, `NAME.sync-conflict-….ipynb`;"
        " `.stversions`; swap and backup folders of Vim, Neovim and Emacs",
        "macos": "as on Linux",
        "windows": "as on Linux",
    }

    def find(self, scope: Scope) -> Iterator[Trace | Problem]:
        for folder in folders_of(scope):
            for name in _names(folder):
                yield from _look(folder, name, scope)
        yield from _versions(scope)
        yield from _far(scope)

    def read(self, trace: Trace, scope: Scope) -> Evidence:
        if trace.handle.get("form") != _SWAP_FORM:
            return read_notebook(trace)
        from jupyter_rewind.recovery.vimswap import parse_swap

        swap = parse_swap(read_file(trace.place))
        if swap is None or not swap.text:
            words = "This swap file holds no text that reads: Vim may have changed nothing yet."
            return Evidence(problems=(Problem(trace.place, words, trace),))
        return read_document(trace, swap.text)


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _look(folder: Path, name: str, scope: Scope) -> Iterator[Trace]:
    """The trace that a file of the notebook's folder is, if it is one of a wanted notebook."""
    own, words, form = _recognise(name)
    if own:
        yield from _offer(folder / name, folder / own, words, form, scope)


def _recognise(name: str) -> tuple[str, str, str]:
    """Of which notebook a file is a copy, in what way, and its form; "" for none."""
    if swap := _SWAP.match(name):
        return swap["name"], "A swap file of Vim", _SWAP_FORM
    if conflict := _CONFLICT.match(name):
        return f"{conflict['stem']}.ipynb", "A conflicted copy", ""
    for pattern, words in _BACKUPS:
        if found := pattern.match(name):
            return found["name"], words, ""
    return "", "", ""


def _versions(scope: Scope) -> Iterator[Trace]:
    """What Syncthing keeps of changed files, at the top of the folder it keeps in step."""
    at = scope.notebook.parent if scope.notebook else scope.folder
    for top in (at, *at.parents):
        kept = top / ".stversions" / at.relative_to(top)
        for name in _names(kept):
            if found := _VERSION.match(name):
                own = at / f"{found['stem']}.ipynb"
                yield from _offer(kept / name, own, "A version kept by Syncthing", "", scope)


def _far(scope: Scope) -> Iterator[Trace]:
    """Files of editors that put all swap or backup files into one folder, by the whole path."""
    for place in _SWAP_FOLDERS:
        for name in _names(scope.home / place):
            if name.startswith("%") and name.endswith((".swp", ".swo", ".swn")):
                own = Path(name[:-4].replace("%", "/"))
                path = scope.home / place / name
                yield from _offer(path, own, "A swap file of Vim", _SWAP_FORM, scope)
    for place in _BACKUP_FOLDERS:
        for name in _names(scope.home / place):
            text = name.strip("#").replace("!", "/").replace("%", "/")
            own = Path(re.sub(r"(?:~|\.~\d+~)\Z", "", text))
            if own.is_absolute():
                yield from _offer(
                    scope.home / place / name, own, "A backup of an editor", "", scope
                )


def _offer(place: Path, own: Path, words: str, form: str, scope: Scope) -> Iterator[Trace]:
    own = settle(own, scope)
    wanted = own == scope.notebook if scope.notebook else own.is_relative_to(scope.folder)
    if not wanted or own.suffix != ".ipynb":
        return
    try:
        status = place.stat()
    except OSError:
        return
    yield Trace(
        kind=BackupFinder.kind,
        place=str(place),
        notebook=str(own),
        holds=EVERYTHING,
        time_ns=status.st_mtime_ns,
        size_bytes=status.st_size,
        words=words,
        handle={"form": form},
    )
