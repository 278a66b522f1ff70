"""A server and a kernel on an encrypted store: nothing of the work stands in its files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.kernels import Home, running
from tests.support.servers import Server, make_patient

WORD = "unpublishedresult"


class EncryptedHome(Home):
    """The setting is all that this user changed."""

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "JUPYTER_REWIND_STORE_ENCRYPT": "true"}

    def told(self) -> list[Path]:
        """Files beside the notebooks that tell of the work; `IPython` keeps its own history."""
        places = [self.folder / "data" / "rewind", self.folder / ".cache"]
        return [
            path
            for place in places
            for path in place.rglob("*")
            if path.is_file() and WORD.encode() in path.read_bytes()
        ]

    def rewind(self, *words: str) -> str:
        """What the command answers."""
        done = subprocess.run(
            [sys.executable, "-m", "jupyter_rewind.faces.cli.app", *words],
            env=self.environment, cwd=self.notebook.parent, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def home(tmp_path: Path) -> EncryptedHome:
    return EncryptedHome(tmp_path / WORD)


def test_saves_names_and_labels_come_back_and_stand_nowhere_in_the_clear(
    tmp_path: Path, home: EncryptedHome
) -> None:
    make_patient(home.folder / "config")
    server = Server(home.notebook.parent, home.environment)
    try:
        server.wait()
        server.put(f"{WORD}.ipynb", f"x = '{WORD}'")
        ref = server.checkpoint(f"{WORD}.ipynb")
        body = {"path": f"{WORD}.ipynb", "ref": ref, "label": WORD}
        server.ask("POST", "rewind/api/v1/labels", body)
        server.put(f"{WORD}.ipynb", "x = 2")
        server.checkpoint(f"{WORD}.ipynb")
        assert home.told() == []
    finally:
        server.stop()
    assert home.told() == []
    history = json.loads(home.rewind("history", f"{WORD}.ipynb", "--json"))
    assert WORD in json.dumps(history)
    home.rewind("restore", f"{WORD}.ipynb", WORD)
    assert f"x = '{WORD}'" in (home.notebook.parent / f"{WORD}.ipynb").read_text()
    home.rewind("verify", "--read-data")
    assert home.told() == []


def test_states_and_the_journal_of_a_kernel_stand_nowhere_in_the_clear(
    home: EncryptedHome,
) -> None:
    with running(home) as kernel:
        kernel.run(f"{WORD} = ['{WORD}'] * 1000; print({WORD}[0])")
        kernel.run(f"{WORD}.append(1)")
        kernel.run("%rewind to 1")
        assert kernel.run(f"len({WORD})").result == "1000"
        assert (home.folder / "data" / "rewind" / "segments").exists()
        assert home.told() == []
    assert home.told() == []
