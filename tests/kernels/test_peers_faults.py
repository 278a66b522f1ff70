"""What breaks in other tools that keep a kernel's state must hold here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_rewind.errors import Full
from jupyter_rewind.kernels.restore import prepare
from jupyter_rewind.model.snapshot import Fidelity, Snapshot
from tests.support.ours import Rewind
from tests.support.stores import QuickFiles

MEGABYTE = 1 << 20


class Session:
    """Cells run one after another, with all that a kernel has switched on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.namespace: dict[str, Any] = {"__name__": "__main__", "_oh": {}, "_ih": [""]}
        self.tool = Rewind(self.namespace, folder)

    def run(self, source: str) -> Snapshot:
        self.tool.run(source)
        assert self.tool.last is not None
        return self.tool.last

    def go(self, snapshot: Snapshot) -> dict[str, str]:
        """What is told of the variables that are not whole."""
        self.tool.store.refresh()
        prepared = prepare(self.tool.store, snapshot, self.namespace, self.tool.capturer)
        prepared.swap()
        kinds = (Fidelity.EXACT, Fidelity.REFERENCE)
        return {one.name: one.reason for one in prepared.report if one.fidelity not in kinds}

    def see(self, expression: str) -> Any:
        return eval(expression, self.namespace)

    def size(self) -> int:
        """What the store takes on disk."""
        self.tool.capturer.keeper.settle()
        return sum(
            one.stat().st_size for one in (self.folder / "store").rglob("*") if one.is_file()
        )


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    made = Session(tmp_path)
    yield made
    made.tool.close()


def test_a_file_open_for_writing_keeps_what_was_written(session: Session, tmp_path: Path) -> None:
    """No probe opens it again: neither keeping nor going back empties a file."""
    path = tmp_path / "log.txt"
    first = session.run(f"log = open({str(path)!r}, 'w'); log.write('one'); log.flush()")
    session.run("log.write(' two'); log.flush()")
    session.go(first)
    assert path.read_text() == "one two"


def test_functions_find_their_globals_again(session: Session) -> None:
    """A function that comes back sees the notebook's imports and variables as they are."""
    first = session.run("import math\nr = 2\ndef area(): return math.pi * r * r")
    session.run("del area, math, r")
    session.go(first)
    assert session.see("area() == math.pi * 4 and area.__globals__ is globals()")
    session.run("r = 3")
    assert session.see("area() == math.pi * 9")


def test_a_value_that_fails_to_load_leaves_the_present_alone(session: Session) -> None:
    """Nothing live is touched before the whole past state stands; the rest comes, it is told."""
    first = session.run(
        "class Bad:\n def __init__(s): s.x = 1\n def __setstate__(s, d): raise OSError('gone')\n"
        "bad, good = Bad(), [1]"
    )
    session.run("bad = 'present'; good.append(2)")
    session.tool.store.refresh()
    before = {name: id(one) for name, one in session.namespace.items()}
    prepared = prepare(session.tool.store, first, session.namespace, session.tool.capturer)
    assert {name: id(one) for name, one in session.namespace.items()} == before
    assert session.see("bad == 'present' and good == [1, 2]")
    told = {one.name: one.reason for one in prepared.report if one.fidelity is Fidelity.MISSING}
    prepared.swap()
    assert session.see("good == [1]")
    assert "gone" in told["bad"]


def test_arrays_are_kept_apart_and_once(session: Session) -> None:
    """Ten arrays take their own size once, and a change to one costs what it changed."""
    session.run("import numpy as np; rng = np.random.default_rng(1)")
    start = session.size()
    for number in range(10):
        session.run(f"a{number} = rng.random({MEGABYTE // 8})")
    made = session.size() - start
    assert made < 11.5 * MEGABYTE
    session.run("a4[17] = 0")
    assert session.size() - start - made < 65536


@pytest.mark.parametrize(
    ("make", "change", "check"),
    [
        ("v = x[2:5]", "v[0] = -1", "x[2] == v[0] == 2 and np.shares_memory(x, v)"),
        ("y = 1", "globals()['y'] = 2", "y == 1"),
        ("_hidden = [1]", "_hidden.append(2)", "_hidden == [1]"),
        (
            "y = []",
            "t = threading.Thread(target=y.append, args=(1,)); t.start(); t.join()",
            "y == []",
        ),
        ("b = io.BytesIO(np.ones(9).tobytes())", "b.readinto(x)", "x.tolist() == [*range(9)]"),
        ("y = [3, 1, 2]", "vars(sys.modules['heapq'])['heapify'](y)", "y == [3, 1, 2]"),
    ],
    ids=["view", "globals()", "private name", "thread", "C code", "C code out of a module"],
)
def test_changes_are_seen_however_they_are_made(
    session: Session, make: str, change: str, check: str
) -> None:
    """Through a view, by name, in a thread or in C: the state before comes back."""
    session.run("import io, sys, threading, heapq, numpy as np; x = np.arange(9.)")
    first = session.run(make)
    changed = session.run(change)
    assert not session.see(check)
    session.go(first)
    assert session.see(check)
    session.go(changed)
    assert not session.see(check)


def test_a_thread_that_goes_on_between_cells_is_seen(session: Session) -> None:
    """What a thread changed while a cell ran that never named it is in that cell's state."""
    session.run(
        "import threading\ngrown, go, done = [], threading.Semaphore(0), threading.Semaphore(0)\n"
        "def work():\n while True:\n  go.acquire(); grown.append(1); done.release()\n"
        "threading.Thread(target=work, daemon=True).start()"
    )
    before = session.run("n = 1")
    session.namespace["go"].release()
    assert session.namespace["done"].acquire(timeout=60)
    after = session.run("n = 2")
    session.go(before)
    assert session.see("grown == []")
    session.go(after)
    assert session.see("grown == [1]")


@pytest.mark.parametrize(
    "change",
    [
        "df.loc[1, 'a'] = 9.0",
        "df['c'] = 1",
        "df.iloc[2:, 0] *= 2",
        "df.insert(0, 'z', 0)",
        "df.index.name = 'k'",
        "df.attrs['u'] = 1",
        "df.rename(columns={'a': 'q'}, inplace=True)",
    ],
)
def test_no_change_of_a_table_is_lost(session: Session, change: str) -> None:
    """Each is undone and done again by going back and forth, and looking stores nothing new."""
    session.run("import pandas as pd; df = pd.DataFrame({'a': [1., 2, 3], 'b': list('xyz')})")
    first = session.run("seen = df.copy(); seen.attrs = dict(df.attrs)")
    same = "(df.equals(seen) and df.index.name == seen.index.name and df.attrs == seen.attrs)"
    changed = session.run(change)
    assert not session.see(same)
    session.go(first)
    assert session.see(same)
    session.go(changed)
    assert not session.see(same)


def test_cells_are_never_run_again(session: Session, tmp_path: Path) -> None:
    """Values that cannot be kept are told of; what their cells did to the world is done once."""
    path = tmp_path / "rows"
    first = session.run(
        f"import os\nfd = os.open({str(path)!r}, os.O_CREAT | os.O_APPEND | os.O_WRONLY)\n"
        "os.write(fd, b'row'); os.close(fd)\nrows = (i for i in range(3))"
    )
    session.run("del rows")
    assert "rows" in session.go(first)
    assert path.read_bytes() == b"row"


def test_a_state_holds_no_notebook_and_costs_the_same_after_many(session: Session) -> None:
    """A tiny cell costs a little, and the hundredth no more than the tenth."""
    sizes = []
    for number in range(101):
        session.run(f"x = {number}")
        if number in (0, 10, 90, 100):
            sizes.append(session.size())
    early, late = sizes[1] - sizes[0], sizes[3] - sizes[2]
    assert late <= 10 * 4096
    assert late <= 1.3 * early


def test_random_numbers_outputs_and_surroundings_come_back(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random generators go on as they would have; folder, variables and `Out` are as before."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FAULT_TEST", "before")
    (tmp_path / "sub").mkdir()
    first = session.run(
        "import os, random, numpy as np; random.seed(1); np.random.seed(2); _oh[1] = 'kept'\n"
        "os.environ['FAULT_TEST'] = 'set'"
    )
    later = "random.random(), float(np.random.rand())"
    session.run(f"seen = {later}; os.chdir('sub'); _oh[2] = 'new'; os.environ['FAULT_TEST'] = 'x'")
    seen = session.see("seen")
    session.go(first)
    assert session.see(later) == seen
    assert Path.cwd() == tmp_path
    assert session.see("_oh") == {1: "kept"}
    assert os.environ["FAULT_TEST"] == "set"


def test_one_bad_value_costs_itself_alone(session: Session) -> None:
    """What stands beside it comes back, and the report says which it was and why."""
    first = session.run(
        "class Bad:\n def __reduce__(s): raise TypeError('not me')\nbad, good = Bad(), [1]"
    )
    session.run("del bad, good")
    told = session.go(first)
    assert session.see("good") == [1]
    assert set(told) == {"bad"}
    assert "not me" in told["bad"]


def test_a_full_disk_leaves_earlier_states_readable(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be written is said; what was kept before still comes back."""
    first = session.run("x = [1]")
    session.tool.capturer.flush()

    def full(*_: object) -> int:
        raise Full("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(QuickFiles, "write_at", full)
        with pytest.raises(Full):
            session.tool.run("x.append(2); big = bytes(range(256)) * 4096")
    session.go(first)
    assert session.see("x") == [1]
