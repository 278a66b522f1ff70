"""States of a kernel: each fault costs itself alone, small changes cost little, all is told."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_rewind.errors import Full, RestoreRefused
from jupyter_rewind.kernels.capture import CaptureOptions
from jupyter_rewind.kernels.comparison import compare, report
from jupyter_rewind.kernels.onevariable import load_variable
from jupyter_rewind.kernels.placeholders import Placeholder
from jupyter_rewind.kernels.records import SNAPSHOT, decode_snapshot, read_pod, read_state
from jupyter_rewind.kernels.restore import Prepared
from jupyter_rewind.model.ids import EntryId
from jupyter_rewind.model.snapshot import Fidelity, How, Snapshot
from jupyter_rewind.store.keep import KernelStore
from jupyter_rewind.store.repository import Repository
from tests.support.cells import Cells
from tests.support.stores import QuickFiles


@pytest.fixture
def cells(tmp_path: Path) -> Iterator[Cells]:
    made = Cells(tmp_path)
    yield made
    made.close()


def new_kernel(tmp_path: Path) -> Cells:
    return Cells(tmp_path, run="next")


# --- faults ----------------------------------------------------------------------------------


def test_a_value_that_cannot_be_kept_costs_itself_alone(cells: Cells) -> None:
    """What stands beside it in the same list is kept; the report names it and says why."""
    captured = cells.try_run(
        """
class Bad:
    def __reduce__(self): raise OSError('not today')
mixed = [1, Bad(), {'k': [2]}]
good = [3]
"""
    )
    state = captured.snapshot
    assert state is not None
    (loss,) = captured.losses
    assert (loss.name, loss.fidelity) == ("mixed", Fidelity.MISSING)
    assert "not today" in loss.reason
    cells.run("mixed = good = None")
    cells.go(state)
    cells.check("mixed[0] == 1 and mixed[2] == {'k': [2]} and good == [3]")
    assert isinstance(cells.namespace["mixed"][1], Placeholder)
    kept = {one.name: one.fidelity for one in report(cells.store, state)}
    assert kept == {"Bad": Fidelity.EXACT, "mixed": Fidelity.MISSING, "good": Fidelity.EXACT}


@pytest.mark.parametrize("leave", ["sys.exit(3)", "raise KeyboardInterrupt", "raise Gone"])
def test_a_value_whose_code_leaves_costs_itself_alone(cells: Cells, leave: str) -> None:
    """Nobody has asked the kernel to end, nor interrupted it: the state is kept all the same."""
    cells.run("import sys\nclass Gone(BaseException): pass")
    captured = cells.try_run(
        f"""
class Bad:
    def __reduce__(self): {leave}
mixed = [1, Bad(), {{'k': [2]}}]
good = [3]
"""
    )
    (loss,) = captured.losses
    assert (loss.name, loss.fidelity) == ("mixed", Fidelity.MISSING)
    assert loss.reason.startswith("mixed[1]: a Bad; it refuses (")
    assert captured.snapshot is not None
    cells.run("mixed = good = None")
    cells.go(captured.snapshot)
    cells.check("mixed[0] == 1 and mixed[2] == {'k': [2]} and good == [3]")


@pytest.mark.parametrize("leave", ["sys.exit(3)", "raise KeyboardInterrupt"])
def test_a_value_whose_code_leaves_as_it_is_loaded_costs_itself_alone(
    cells: Cells, leave: str
) -> None:
    """Everything else of the state comes back."""
    state = cells.run(
        f"""
import sys
class Bad:
    def __setstate__(self, state): {leave}
bad = Bad(); bad.x = 1
good = [3]
"""
    )
    cells.run("bad = good = None")
    cells.go(state)
    cells.check("good == [3]")


@pytest.mark.parametrize("handler", ["", "def stop(*_): raise KeyboardInterrupt"])
def test_a_true_interrupt_while_a_value_is_asked_ends_the_keeping(
    cells: Cells, handler: str
) -> None:
    """Whoever interrupts is heard; the next state is whole."""
    before = signal.getsignal(signal.SIGINT)
    cells.run(f"import signal\nbusy = True\n{handler}")
    signal.signal(signal.SIGINT, cells.namespace.get("stop", signal.default_int_handler))
    try:
        with pytest.raises(KeyboardInterrupt):
            cells.run(
                """
class Slow:
    def __reduce__(self):
        if busy: signal.raise_signal(signal.SIGINT)
        return Slow, ()
slow = Slow()
"""
            )
    finally:
        signal.signal(signal.SIGINT, before)
    state = cells.run("busy = False")
    cells.run("slow = None")
    cells.go(state)
    cells.check("type(slow) is Slow")


def test_a_file_open_for_writing_is_left_alone(cells: Cells, tmp_path: Path) -> None:
    """Keeping and restoring never touches what a file holds."""
    path = tmp_path / "out.txt"
    state = cells.run(f"f = open({str(path)!r}, 'w'); f.write('precious'); f.flush(); a = [1]")
    cells.run("a.append(2)")
    cells.go(state)
    cells.check("a == [1] and not f.closed")
    assert path.read_text() == "precious"


def test_a_swap_that_fails_changes_nothing(cells: Cells, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the last step of a restore fails, everything is as before: names, contents, classes."""
    before = cells.run(
        "class A: size = 1\ndef f(): return 1\nf.x = 1\na = [1]; n = 1; _oh[1] = 'one'"
    )
    cells.run("A.size = 2; f.x = 2; a.append(2); b = a; n = 2; _oh[1] = 'two'")
    prepared = cells.prepare(before)
    held = dict(cells.namespace)

    def fail(self: Prepared, values: dict[str, Any]) -> None:
        real(self, values)
        raise MemoryError

    real = Prepared._set_names
    monkeypatch.setattr(Prepared, "_set_names", fail)
    with pytest.raises(MemoryError):
        prepared.swap()
    assert cells.namespace.keys() == held.keys()
    assert all(cells.namespace[name] is value for name, value in held.items())
    cells.check("A.size == 2 and f.x == 2 and a == [1, 2] and b is a and _oh[1] == 'two'")


def test_damage_costs_the_variables_it_touches(cells: Cells) -> None:
    """Where stored bytes are damaged, the report says so, and everything else comes back."""
    state = cells.run("a = ['x' * 3000, 'a']; b = ['y' * 3000, 'b']")
    cells.close()
    pods = (read_pod(cells.store, node) for node in read_state(cells.store, state.state).pods)
    (hurt,) = [pod for pod in pods if "v:a" in pod.keys]
    place = cells.store.place(hurt.stream[0])
    path = cells.store.layout.segments / place.segment
    data = bytearray(path.read_bytes())
    data[place.offset + 60] ^= 255
    path.write_bytes(data)
    new = Cells(cells.store.layout.folder.parent, run="next")
    new.namespace["other"] = 1
    prepared = new.prepare(state)
    told = {one.name: one for one in prepared.report}
    assert told["a"].fidelity is Fidelity.MISSING
    assert told["b"].fidelity is Fidelity.EXACT
    prepared.swap()
    new.check("b[1] == 'b'")
    assert isinstance(new.namespace["a"], Placeholder)
    new.close()


def test_a_full_disk_costs_states_but_no_later_one(
    cells: Cells, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a state could not be stored, the next one is stored whole."""
    cells.run("a = [1]")

    def full(*_: object) -> int:
        raise Full("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(QuickFiles, "write_at", full)
        with pytest.raises(Full):
            cells.run("a.append(2); b = [1]")
    state = cells.run("c = [3]")
    cells.run("a = b = c = None")
    cells.go(state)
    cells.check("(a, b, c) == ([1, 2], [1], [3])")


def test_an_interrupt_in_a_capture_costs_that_state_alone(
    cells: Cells, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user who interrupts while a state is being kept loses no later state."""
    cells.run("a = [1]")

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("jupyter_rewind.kernels.pods.write_pod", interrupt)
        with pytest.raises(KeyboardInterrupt):
            cells.run("a.append(2); n = 5")
    state = cells.run("pass")
    cells.run("a = n = None")
    cells.go(state)
    cells.check("a == [1, 2] and n == 5")


def test_what_another_python_wrote_comes_back_but_for_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In another version of Python, values come back; functions and methods say what to do."""
    with monkeypatch.context() as patch:
        patch.setattr("jupyter_rewind.kernels.functions.VERSION", (3, 99))
        old = Cells(tmp_path)
        source = "def f(): return 1\nclass A:\n    def get(self): return 1\na = A(); a.x = [2]"
        state = old.run(source + "; n = 3")
        old.close()
    new = new_kernel(tmp_path)
    prepared = new.prepare(state)
    told = {one.name: one for one in prepared.report}
    assert told["f"].fidelity is Fidelity.MISSING
    assert "3.99" in told["f"].reason
    prepared.swap()
    new.check("n == 3 and a.x == [2] and type(a) is A")
    assert isinstance(new.namespace["f"], Placeholder)
    assert "Python 3.99" in repr(new.namespace["f"])
    new.close()


# --- whose it is -------------------------------------------------------------------------------


def foreign(tmp_path: Path, snapshot: Snapshot) -> Snapshot:
    """The same snapshot as a store with another key has it."""
    other = KernelStore.open(tmp_path / "b", key_folder=tmp_path / "bk", files=QuickFiles())
    mine = KernelStore.open(tmp_path / "store", key_folder=tmp_path / "keys", files=QuickFiles())
    mine.refresh()
    entry = mine.entry(EntryId(snapshot.id))
    return decode_snapshot(entry, other.layout)


def test_a_foreign_state_is_not_loaded_unless_it_is_trusted(cells: Cells, tmp_path: Path) -> None:
    """What another key made could run anything when loaded: it is refused, with words."""
    state = foreign(tmp_path, cells.run("a = [1]"))
    assert not state.trusted
    cells.run("a.append(2)")
    with pytest.raises(RestoreRefused, match="not made with the key"):
        cells.prepare(state)
    with pytest.raises(RestoreRefused):
        load_variable(cells.store, state, "a", cells.namespace)
    cells.prepare(state, trust=True).swap()
    cells.check("a == [1]")


def test_a_snapshot_cannot_be_pointed_at_another_state(cells: Cells) -> None:
    """The tag covers which state it is: an entry that names another one is not trusted."""
    first, second = cells.run("a = 1"), cells.run("a = 2")
    entry = cells.capturer.keeper.store.entry(EntryId(first.id))
    forged = replace(entry, roots=(second.state,))
    assert not decode_snapshot(forged, cells.store.layout).trusted


# --- cost --------------------------------------------------------------------------------------


def test_a_cell_that_only_reads_stores_no_content(cells: Cells) -> None:
    """Looking at data costs no room."""
    cells.run("import numpy as np; a = np.arange(50_000.); b = [[i] for i in range(1000)]")
    state = cells.run("a.sum(); len(b); sorted(map(len, b))")
    assert state.new_bytes == 0


@pytest.mark.parametrize(
    ("make", "change"),
    [
        ("x = np.random.default_rng(0).random(2_000_000)", "x[777] = -1"),
        ("x = [{'id': i, 'v': str(i)} for i in range(50_000)]", "x.append({'id': 0, 'v': 'n'})"),
        ("x = [{'id': i, 'v': str(i)} for i in range(50_000)]", "x[20_000]['v'] = 'changed'"),
        ("x = pd.DataFrame(np.random.default_rng(0).random((100_000, 8)))", "x.iloc[5, 3] = 0.5"),
        ("x = {i: str(i) for i in range(50_000)}", "x[-1] = 'new'"),
    ],
)
def test_a_small_change_of_large_data_stores_little(cells: Cells, make: str, change: str) -> None:
    """What a cell costs is what it changed, not what there is."""
    cells.run("import numpy as np, pandas as pd")
    first = cells.run(make)
    assert cells.run(change).new_bytes < min(4_000, first.new_bytes // 20)


def test_a_budget_that_is_used_up_merges_states(tmp_path: Path) -> None:
    """Past the budget a state is not kept, which is said, and the next one includes its changes."""
    cells = Cells(tmp_path)
    cells.run("a = [1] * 1000")
    cells.capturer.options = CaptureOptions(budget_share=0.0, budget_floor_seconds=0.0)
    skipped = cells.try_run("a.append(2)")
    assert skipped.snapshot is None
    assert "budget" in skipped.skipped_because
    cells.capturer.options = CaptureOptions(budget_share=None)
    state = cells.run("b = 1")
    assert state.merged == (skipped.execution,)
    cells.run("a = None")
    cells.go(state)
    cells.check("a[-1] == 2")
    cells.close()


def test_excluded_variables_are_neither_kept_nor_touched(cells: Cells) -> None:
    """A variable that the user excluded stays what it is, whatever is restored."""
    cells.capturer.exclude("secret")
    before = cells.run("secret = [1]; a = [1]")
    cells.run("secret.append(2); a.append(2)")
    cells.go(before)
    cells.check("secret == [1, 2] and a == [1]")
    assert [one.name for one in report(cells.store, before)] == ["a"]


def test_a_variable_above_the_limit_is_told_as_missing(tmp_path: Path) -> None:
    """The size limit keeps one large variable out, and says so."""
    options = CaptureOptions(budget_share=None, max_variable_bytes=1 << 20)
    cells = Cells(tmp_path, options=options)
    captured = cells.try_run("import numpy as np; big = np.zeros(1_000_000); small = [1]")
    assert [(one.name, one.fidelity) for one in captured.losses] == [("big", Fidelity.MISSING)]
    assert "limit" in captured.losses[0].reason
    cells.close()


# --- what is told ------------------------------------------------------------------------------


def test_changes_between_two_states_are_told(cells: Cells) -> None:
    """Added, removed and changed variables are listed with what they were and are."""
    before = cells.run("a = 1; b = [1, 2]; c = 'gone'; same = [0]; nan = float('nan')")
    after = cells.run("a = 2; b.append(3); del c; d = {'x': 1}")
    told = {one.name: one for one in compare(cells.capturer.keeper.store, before, after)}
    assert {name: one.how for name, one in told.items()} == {
        "a": How.CHANGED, "b": How.CHANGED, "c": How.REMOVED, "d": How.ADDED,
    }  # fmt: skip
    assert (told["a"].before, told["a"].after) == ("1", "2")
    assert (told["b"].before, told["b"].after) == ("2 items: 1, 2", "3 items: 1, 2, 3")
    assert told["c"].before == "'gone'"


def test_a_server_reads_reports_through_the_index(cells: Cells, tmp_path: Path) -> None:
    """What a kernel kept is listed and compared by others, who load no value of it."""
    before = cells.run("import math; a = [1]; n = 5\ndef f(): pass")
    after = cells.run("a.append(2)")
    repository = Repository.open(
        tmp_path / "store", key_folder=tmp_path / "keys", files=QuickFiles()
    )
    with repository:
        repository.refresh()
        entries = repository.entries(kind=SNAPSHOT, key="run:run")
        found = [decode_snapshot(entry, repository.layout) for entry in entries]
        assert [one.id for one in found] == [before.id, after.id]
        told = {one.name: one for one in report(repository, found[0])}
        assert told["math"].fidelity is Fidelity.REFERENCE
        assert told["n"].preview == "5"
        assert told["f"].fidelity is Fidelity.EXACT
        assert [one.name for one in compare(repository, *found)] == ["a"]
