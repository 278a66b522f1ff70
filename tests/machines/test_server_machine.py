"""What a user does through a real server's own interface, in any order, against plain dicts.

One server process serves all lives; each life has a folder of its own. The oracle is told what was
asked for, never what was answered, but for the ids of checkpoints and histories.
"""

from __future__ import annotations

import itertools
import json
import os
import tempfile
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import nbformat
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.machines.oracle import Line, Oracle, State
from tests.support.servers import Server, make_patient

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

FOLDERS = ("", "x", "y")
NAMES = ("a.ipynb", "b.ipynb")
PATHS = [os.path.join(folder, name) for folder in FOLDERS for name in NAMES]
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Chrome/156.0"
FLAGS = ("--FileContentsManager.delete_to_trash=False",)

numbers = st.integers(0, 10**6)
places = st.sampled_from(PATHS)


def book(source: str) -> dict[str, Any]:
    cells = [nbformat.v4.new_code_cell(text, id=f"c{n}") for n, text in enumerate([source, "1"])]
    return dict(nbformat.v4.new_notebook(cells=cells))


def written(nb: dict[str, Any]) -> bytes:
    """What Jupyter makes of it on the disk."""
    return (nbformat.writes(nbformat.from_dict(nb)) + "\n").encode()


class UserOfAServer(RuleBasedStateMachine):
    """One folder of notebooks, and all that can be asked for about them."""

    server: Server
    graveyard: Path
    lives: Iterator[int]

    def __init__(self) -> None:
        super().__init__()
        self.life = f"life{next(self.lives)}"
        self.root = self.server.root / self.life
        for folder in FOLDERS:
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        self.oracle = Oracle()
        self.count = 0

    def teardown(self) -> None:
        for line in self.oracle.lines:
            self.check(line)
            for state in line.states:
                assert self.content(line, state) == state.raw
        told = self.ask("GET", "rewind/api/v1/deleted")["deleted"]
        mine = [each for each in told if each["path"].startswith(self.life + "/")]
        # A file that is gone counts, and so does a place that another history has taken.
        must = {line.id for line in self.oracle.lines if line.states and not line.bound}
        assert {each["history"] for each in mine} == must

    # --- means ----------------------------------------------------------------------------

    def ask(self, method: str, path: str, body: object = None, agent: str = "tests") -> Any:
        return self.server.ask(method, path, body, agent)

    def rewind(self, method: str, noun: str, **body: object) -> Any:
        return self.ask(method, f"rewind/api/v1/{noun}", body)

    def contents(self, path: str) -> str:
        return f"api/contents/{self.life}/{path}".rstrip("/")

    def unique(self) -> str:
        self.count += 1
        return f"{self.life} = {self.count}"

    def files(self) -> list[str]:
        return sorted(self.oracle.files)

    def pick(self, number: int) -> str:
        files = self.files()
        return files[number % len(files)]

    def bury(self, path: str) -> None:
        """Its inode is never given to another file, or the answers would depend on the disk."""
        self.count += 1
        os.link(self.root / path, self.graveyard / f"{self.life}-{self.count}")

    def expect(self, path: str, raw: bytes, reason: str) -> Line:
        """The history of `path` that holds `raw` now, the oracle told."""
        line = self.oracle.line_for(path, raw, 0)
        if self.oracle.expect(line, raw, reason):
            line.states.append(State("", raw, reason))
        return line

    def put(self, path: str, agent: str = "tests") -> Line:
        nb = book(self.unique())
        self.ask(
            "PUT", self.contents(path), {"type": "notebook", "format": "json", "content": nb}, agent
        )
        self.oracle.files[path] = written(nb)
        assert (self.root / path).read_bytes() == written(nb)
        return self.expect(path, written(nb), "save" if agent == "tests" else "autosave")

    def check(self, line: Line) -> None:
        """The history is what it must be; new checkpoints take their ids from the answer."""
        if line.bound:
            query = urlencode({"path": f"{self.life}/{line.path}"})
            history = self.ask("GET", f"rewind/api/v1/history?{query}")
            line.id = line.id or history["history"]
            assert history["history"] == line.id
            assert (history["came_from"] or "") == self.source_of(line)
            told = history["checkpoints"]
            assert len(told) == len(line.states), (told, line.states)
            for state, each in zip(line.states, told, strict=True):
                state.id = state.id or each["id"]
            facts = [(each["id"], each["reason"], each["labels"], each["pinned"]) for each in told]
            must = [(one.id, one.reason, one.labels, one.pinned) for one in line.states]
            assert facts == must
        file, raw = self.root / line.path, self.oracle.files.get(line.path)
        assert (file.read_bytes() if file.exists() else None) == raw

    def source_of(self, line: Line) -> str:
        return f"{self.life}/{line.came_from}" if line.came_from else ""

    def content(self, line: Line, state: State) -> bytes:
        if not line.bound:
            return state.raw  # asked for by path, it is read after the undelete
        query = urlencode({"path": f"{self.life}/{line.path}", "ref": state.id, "format": "raw"})
        return self.server.fetch("GET", f"rewind/api/v1/content?{query}")

    # --- saves ----------------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        for path in ("a.ipynb", "x/a.ipynb"):
            for _ in range(2):
                self.check(self.put(path))

    @rule(path=places, agent=st.sampled_from(["tests", BROWSER]))
    def save(self, path: str, agent: str) -> None:
        if (self.root / path).parent.is_dir():
            self.check(self.put(path, agent))

    @precondition(files)
    @rule(number=numbers)
    def ask_for_a_checkpoint(self, number: int) -> None:
        path = self.pick(number)
        line = self.expect(path, self.oracle.files[path], "manual")
        made = self.ask("POST", f"{self.contents(path)}/checkpoints")
        self.check(line)
        assert made["id"] == line.states[-1].id

    @precondition(files)
    @rule(number=numbers, then=st.sampled_from(["save", "checkpoint", "restore", "delete"]))
    def edit_outside(self, number: int, then: str) -> None:
        """Another program writes; whatever is asked for next loses nothing of it."""
        path = self.pick(number)
        raw = json.dumps(book(self.unique()), indent=2).encode()
        (self.root / path).write_bytes(raw)
        self.oracle.files[path] = raw
        if then == "save":
            self.expect(path, raw, "external-change")
            self.check(self.put(path))
        elif then == "checkpoint":
            self.ask_for_a_checkpoint(self.files().index(path))
        elif then == "restore":
            self.restore(self.files().index(path), 1)
        else:
            self.expect(path, raw, "before-delete")
            self.delete(self.files().index(path))

    # --- files come and go ----------------------------------------------------------------

    @precondition(files)
    @rule(number=numbers, new=places)
    def rename(self, number: int, new: str) -> None:
        old = self.pick(number)
        if not (self.root / new).parent.is_dir() or old == new:
            return
        if new in self.oracle.files:
            with pytest.raises(urllib.error.HTTPError, match="409"):
                self.ask("PATCH", self.contents(old), {"path": f"{self.life}/{new}"})
            return
        self.ask("PATCH", self.contents(old), {"path": f"{self.life}/{new}"})
        self.oracle.files[new] = self.oracle.files.pop(old)
        line = self.oracle.at[old]
        self.oracle.bind(new, line, 0)
        self.check(line)

    @rule(old=st.sampled_from(FOLDERS[1:]), new=st.sampled_from([*FOLDERS[1:], "z"]))
    def rename_folder(self, old: str, new: str) -> None:
        if not (self.root / old).is_dir() or (self.root / new).exists():
            return
        self.ask("PATCH", self.contents(old), {"path": f"{self.life}/{new}"})
        for path in [path for path in self.oracle.files if path.startswith(old + "/")]:
            self.oracle.files[new + path[len(old) :]] = self.oracle.files.pop(path)
        for line in self.oracle.lines:
            # What was deleted in the folder goes along with it.
            target = new + line.path[len(old) :]
            if line.path.startswith(old + "/") and not line.bound and target not in self.oracle.at:
                line.path = target
        for path in [path for path in self.oracle.at if path.startswith(old + "/")]:
            line = self.oracle.at[path]
            self.oracle.bind(new + path[len(old) :], line, 0)
            self.check(line)

    @precondition(files)
    @rule(number=numbers, folder=st.sampled_from(FOLDERS))
    def copy(self, number: int, folder: str) -> None:
        old = self.pick(number)
        if not (self.root / folder).is_dir():
            return
        source = self.put(old)
        made = self.ask("POST", self.contents(folder), {"copy_from": f"{self.life}/{old}"})
        new = made["path"].removeprefix(self.life + "/")
        assert new not in self.oracle.files
        self.oracle.files[new] = self.oracle.files[old]
        line = self.oracle.begin(new, came_from=old)
        self.expect(new, self.oracle.files[new], "save")
        self.check(line)
        self.check(source)

    @precondition(files)
    @rule(number=numbers)
    def delete(self, number: int) -> None:
        path = self.pick(number)
        self.bury(path)
        self.ask("DELETE", self.contents(path))
        del self.oracle.files[path]
        self.oracle.unbind(path, 0)

    # --- going back -----------------------------------------------------------------------

    def homeless(self) -> list[Line]:
        """Deleted histories whose place is free."""
        return [
            line
            for line in self.oracle.lines
            if not line.bound and line.id and (self.root / line.path).parent.is_dir()
            if line.path not in self.oracle.files and line.path not in self.oracle.at
        ]

    @precondition(homeless)
    @rule(number=numbers)
    def undelete(self, number: int) -> None:
        lines = self.homeless()
        line = lines[number % len(lines)]
        done = self.rewind("POST", "undelete", history=line.id)
        assert done["path"] == f"{self.life}/{line.path}"
        self.oracle.files[line.path] = line.states[-1].raw
        self.oracle.bind(line.path, line, 0)
        self.check(line)
        for state in line.states:
            assert self.content(line, state) == state.raw

    @precondition(files)
    @rule(number=numbers, back=st.integers(0, 4))
    def restore(self, number: int, back: int) -> None:
        path = self.pick(number)
        line = self.oracle.at[path]
        self.bury(path)
        source = line.states[-1 - min(back, len(line.states) - 1)]
        self.expect(path, self.oracle.files[path], "before-restore")
        if back % 2:
            self.ask("POST", f"{self.contents(path)}/checkpoints/{source.id}")
        else:
            self.rewind("POST", "restore", path=f"{self.life}/{path}", ref=source.id)
        self.oracle.files[path] = source.raw
        self.expect(path, source.raw, "restore")
        self.check(line)

    # --- marks ----------------------------------------------------------------------------

    @precondition(files)
    @rule(number=numbers, back=st.integers(0, 4), label=st.sampled_from(["good", "thesis"]))
    def label(self, number: int, back: int, label: str) -> None:
        line, state, where = self.pick_state(number, back)
        if label in state.labels:
            self.ask("DELETE", f"rewind/api/v1/labels?{urlencode({**where, 'label': label})}")
            state.labels.remove(label)
        else:
            self.rewind("POST", "labels", **where, label=label)
            for other in line.states:
                if label in other.labels:
                    other.labels.remove(label)
            state.labels.append(label)
        self.check(line)

    @precondition(files)
    @rule(number=numbers, back=st.integers(0, 4))
    def pin(self, number: int, back: int) -> None:
        line, state, where = self.pick_state(number, back)
        if state.pinned:
            self.ask("DELETE", f"rewind/api/v1/pins?{urlencode(where)}")
        else:
            self.rewind("POST", "pins", **where)
        state.pinned = not state.pinned
        self.check(line)

    def pick_state(self, number: int, back: int) -> tuple[Line, State, dict[str, str]]:
        line = self.oracle.at[self.pick(number)]
        state = line.states[-1 - min(back, len(line.states) - 1)]
        return line, state, {"path": f"{self.life}/{line.path}", "ref": state.id}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="rewind-machine-") as name:
        home = Path(os.path.realpath(name))
        for folder in ("root", "graveyard"):
            (home / folder).mkdir()
        make_patient(home / "CONFIG")
        environment = {
            **os.environ,
            "HOME": str(home),
            **{f"JUPYTER_{kind}_DIR": str(home / kind) for kind in ("CONFIG", "DATA", "RUNTIME")},
            "JUPYTER_REWIND_STORE_PATH": str(home / "store"),
            "JUPYTER_REWIND_STORE_KEY_FOLDER": str(home / "keys"),
            "JUPYTER_REWIND_STORE_DURABILITY": "process",
            # Whether a look comes before what is asked for next decides which reason is told.
            "JUPYTER_REWIND_NOTEBOOKS_SCAN_SECONDS": "0",
        }
        server = Server(home / "root", environment, *FLAGS)
        try:
            server.wait()
            yield server
        finally:
            server.stop()


def _run(server: Server, examples: int, steps: int) -> None:
    UserOfAServer.server = server
    UserOfAServer.graveyard = server.root.parent / "graveyard"
    UserOfAServer.lives = itertools.count(len(list(server.root.iterdir())))
    run_state_machine_as_test(
        UserOfAServer,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            # A life is too long to be told shorter; what happened in it is printed.
            phases=[Phase.explicit, Phase.generate],
        ),
    )


def test_whatever_is_asked_of_a_server_is_in_the_history(server: Server) -> None:
    """A few lives of a folder of notebooks, through Jupyter's interface and ours."""
    _run(server, 12, 30)


@pytest.mark.long
def test_whatever_is_asked_of_a_server_for_minutes(server: Server) -> None:
    """The same, many times."""
    _run(server, 150, 50)
