"""Copies beside the notebook: of a real Vim and a real Emacs, killed; others by their names."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_rewind.recovery.traces.backups import BackupFinder
from jupyter_rewind.recovery.vimswap import parse_swap
from tests.support.traces import Home, notebook_text, sources, traces_of

FINDER = BackupFinder()
NAMES = {
    "dropbox": "analysis (Ana's conflicted copy 2026-11-20).ipynb",
    "nextcloud": "analysis (conflicted copy 2026-11-20 101112).ipynb",
    "syncthing": "analysis.sync-conflict-20261120-101112-ABCDEFG.ipynb",
    "owncloud": "analysis_conflict-20261120-101112.ipynb",
    "emacs autosave": "#analysis.ipynb#",
    "emacs backup": "analysis.ipynb~",
    "emacs numbered": "analysis.ipynb.~3~",
    "bak": "analysis.ipynb.bak",
    "orig": "analysis.ipynb.orig",
    "syncthing version": ".stversions/analysis~20261120-101112.ipynb",
}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_copy_is_known_by_its_name(home: Home, name: str) -> None:
    """Copies that editors and clouds leave beside the notebook are found."""
    path = home.work / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(notebook_text(name))
    scope = home.scope()
    [trace] = traces_of(FINDER, scope)
    assert (trace.notebook, sources(FINDER, trace, scope)) == (
        str(home.work / "analysis.ipynb"),
        [name],
    )


@pytest.mark.parametrize(
    "name",
    ["analysis2.ipynb", "analysis (final).ipynb", "analysis.py~", "my analysis.ipynb~", "a.swp"],
)
def test_other_files_are_no_copies(home: Home, name: str) -> None:
    """A notebook of a similar name is another notebook."""
    (home.work / name).write_text(notebook_text("x"))
    assert traces_of(FINDER, home.scope()) == []


def test_backup_folders_of_editors_are_searched(home: Home) -> None:
    """Editors that keep all backups in one folder name them by the whole path."""
    folder = home.path / ".emacs.d/backups"
    folder.mkdir(parents=True)
    path = str(home.work / "analysis.ipynb").replace("/", "!")
    (folder / f"{path}~").write_text(notebook_text("far"))
    scope = home.scope()
    [trace] = traces_of(FINDER, scope)
    assert sources(FINDER, trace, scope) == ["far"]


@pytest.fixture
def emacs(home: Home) -> Callable[..., None]:
    """Edits the notebook in a real Emacs, which then does what is asked and is killed."""
    program = shutil.which("emacs")
    if program is None:
        pytest.skip("Emacs is not installed")

    def run(*steps: str) -> None:
        edit = '(while (search-forward "é7 = 7" nil t) (replace-match "edited"))'
        everywhere = "(setq backup-enable-predicate (lambda (file) t))"
        code = f'(progn {everywhere} (find-file "analysis.ipynb") {edit} {" ".join(steps)})'
        end = "(signal-process (emacs-pid) 9)"
        subprocess.run(
            [program, "-Q", "--batch", "--eval", code, "--eval", end],
            cwd=home.work, env={"HOME": str(home.path), "LANG": "C.UTF-8"}, capture_output=True,
            check=False, timeout=120,
        )  # fmt: skip

    return run


def test_what_emacs_had_not_saved_is_read_from_its_autosave(
    home: Home, emacs: Callable[..., None]
) -> None:
    """Emacs was killed with unsaved edits; it had saved them aside."""
    path = home.work / "analysis.ipynb"
    path.write_text(notebook_text("é7 = 7", "é8 = 8"))
    emacs("(auto-save-mode 1)", "(do-auto-save t)")
    path.unlink()
    scope = home.scope()
    [trace] = traces_of(FINDER, scope)
    assert sources(FINDER, trace, scope) == ["edited", "é8 = 8"]


def test_what_emacs_saved_over_is_read_from_its_backup(
    home: Home, emacs: Callable[..., None]
) -> None:
    """Emacs keeps the state before the first save beside the file."""
    path = home.work / "analysis.ipynb"
    path.write_text(notebook_text("é7 = 7", "é8 = 8"))
    emacs("(save-buffer)")
    scope = home.scope()
    [trace] = traces_of(FINDER, scope)
    assert sources(FINDER, trace, scope) == ["é7 = 7", "é8 = 8"]


LONG = "x" * 70_000


@pytest.fixture
def swap(home: Home) -> Path:
    """A notebook that was being edited in Vim when that was killed; one line is changed."""
    vim = shutil.which("vim")
    if vim is None:
        pytest.skip("Vim is not installed")
    path = home.work / "analysis.ipynb"
    path.write_text(notebook_text(*(f"é{n} = {n}" for n in range(2000)), LONG))
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(home.work)
        os.environ["TERM"] = "xterm"
        os.execv(vim, [vim, "-u", "NONE", "-N", "--cmd", "set encoding=utf-8", path.name])
    swap = home.work / ".analysis.ipynb.swp"
    mark = home.work / "mark"
    try:
        wait_for(swap.exists, terminal)
        keys = f":%s/é7 = 7\"/edited\"/\r:preserve\r:call writefile(['x'], '{mark}')\r"
        os.write(terminal, keys.encode())
        wait_for(mark.exists, terminal)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)
    return swap


def wait_for(holds: object, terminal: int) -> None:
    os.set_blocking(terminal, False)
    end = time.monotonic() + 90
    while time.monotonic() < end:
        try:
            while os.read(terminal, 65536):
                pass
        except OSError:
            pass
        if holds():  # type: ignore[operator]
            return
        time.sleep(0.05)
    raise AssertionError("Vim did not do it")


def test_what_vim_had_not_saved_is_read_from_its_swap_file(home: Home, swap: Path) -> None:
    """Vim was killed with unsaved edits; they come back without running Vim."""
    path = home.work / "analysis.ipynb"
    told = json.loads(path.read_text())
    expected = ["".join(cell["source"]) for cell in told["cells"]]
    expected[7] = "edited"
    path.unlink()
    scope = home.scope()
    [trace] = traces_of(FINDER, scope)
    assert sources(FINDER, trace, scope) == expected
    parsed = parse_swap(swap.read_bytes())
    assert parsed is not None
    assert parsed.complete


def test_a_torn_swap_file_gives_only_lines_that_were_there(home: Home, swap: Path) -> None:
    """With blocks zeroed or cut off, what still reads is text of the notebook, nothing else."""
    raw = bytearray(swap.read_bytes())
    lines = set(parse_swap(bytes(raw)).text.splitlines())  # type: ignore[union-attr]
    for cut in (len(raw) // 2, len(raw) - 5000):
        part = parse_swap(bytes(raw[:cut]))
        assert part is not None
        assert part.text
        assert set(part.text.splitlines()) <= lines
    raw[4096:8192] = bytes(4096)
    part = parse_swap(bytes(raw))
    assert part is not None
    assert not part.complete
    assert len(set(part.text.splitlines()) & lines) > len(lines) * 0.9


@given(at=st.integers(0, 30_000), junk=st.binary(min_size=1, max_size=64))
def test_any_swap_file_ends_in_an_answer(at: int, junk: bytes) -> None:
    """Whatever bytes stand in a swap file, reading it ends."""
    raw = bytearray(_made_swap())
    raw[at : at + len(junk)] = junk
    parse_swap(bytes(raw))
    parse_swap(junk)


def _made_swap() -> bytes:
    """A small swap file by the description: block 0, one pointer block, one data block."""
    page = 4096
    zero = bytearray(page)
    zero[:12] = b"b0VIM 9.0\0\0\0"
    zero[12:16] = page.to_bytes(4, "little")
    pointers = bytearray(page)
    pointers[:8] = b"tp" + (1).to_bytes(2, "little") + (127).to_bytes(2, "little") + b"\0\0"
    pointers[8:16] = (2).to_bytes(8, "little")
    data = bytearray(page)
    text = b"first\0"
    data[:24] = (
        b"ad\0\0" + bytes(4) + (page - len(text)).to_bytes(4, "little")
        + page.to_bytes(4, "little") + (1).to_bytes(8, "little")
    )  # fmt: skip
    data[24:28] = (page - len(text)).to_bytes(4, "little")
    data[-len(text) :] = text
    whole = bytes(zero + pointers + data)
    swap = parse_swap(whole)
    assert swap is not None
    assert (swap.text, swap.complete) == (b"first\n", True)
    return whole
