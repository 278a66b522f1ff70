"""Completion in real shells, as the docs tell to set it up: what Tab puts there is run."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from jupyter_rewind import clock
from tests.faces.cli.conftest import ROOT, Rewind

pytestmark = pytest.mark.slow

RC = {"bash": ".bashrc", "zsh": ".zshrc", "fish": ".config/fish/completions/jupyter.fish"}


class Shell:
    """One shell on a terminal of its own."""

    def __init__(self, name: str, home: Path) -> None:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        env = {**os.environ, "PATH": path, "TERM": "xterm", "LANG": "C.UTF-8", "SHELL": name}
        self._home = home
        self._child = pexpect.spawn(name, env=env, cwd=str(home / "work"), dimensions=(50, 200))

    def run(self, keys: str) -> str:
        """What the line that `keys` end up as writes to the file `said`."""
        said = self._home / "work" / "said"
        self._child.send(f"{keys} > said; touch done\r")
        until = clock.monotonic() + 180
        while not said.with_name("done").exists():
            assert clock.monotonic() < until, "the shell does not answer"
            with contextlib.suppress(pexpect.TIMEOUT):
                self._child.read_nonblocking(1 << 16, timeout=0.05)
        said.with_name("done").unlink()
        return said.read_text()

    def end(self) -> None:
        self._child.close(force=True)


@pytest.fixture(params=RC)
def shell(request: pytest.FixtureRequest, home: Path) -> Iterator[Shell]:
    """A shell that was set up as the docs say, and begun anew since."""
    name = request.param
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    # Where that folder is not, fish reads all manual pages of the machine first.
    (home / ".local/share/fish/generated_completions").mkdir(parents=True)
    rc = home / RC[name]
    rc.parent.mkdir(parents=True, exist_ok=True)
    rc.touch()
    first = Shell(name, home)
    first.run("jupyter-rewind --install-completion")
    first.end()
    page = (ROOT / "docs" / "cli.md").read_text()
    [snippet] = re.findall(rf"```{name}\n(.*?)```", page, re.DOTALL)
    with rc.open("a") as stream:
        stream.write(f"\n{snippet}")
    shell = Shell(name, home)
    yield shell
    shell.end()


def test_tab_completes_what_can_be_run(shell: Shell, book: Path, rewind: Rewind) -> None:
    """Commands, labels with blanks and the names of settings, for the command with a hyphen and for
    the one with a space."""
    assert rewind("label", book, "head~1", "two words").status == 0
    whole = rewind("show", book, "two words").out
    for begun in ("jupyter rewind", "jupyter-rewind"):
        shell.run(f"{begun} undele\t --help")  # zsh loads it with the first Tab of a terminal
        assert "deleted notebook back" in shell.run(f"{begun} undele\t --help")
        assert shell.run(f"{begun} show {book.name} two\t") == whole
        assert shell.run(f"{begun} config get store.dura\t") == "power\n"
