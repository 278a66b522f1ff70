"""Namespaces of very many plain values: going back costs what differs, and loses nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from jupyter_rewind.model.snapshot import Fidelity, Snapshot
from tests.support.cells import Cells

pytestmark = pytest.mark.matrix
MANY = "for i in range(3000): globals()[f'n{i}'] = i * 10**9"


@pytest.fixture
def cells(tmp_path: Path) -> Iterator[Cells]:
    made = Cells(tmp_path)
    yield made
    made.close()


def test_going_back_leaves_values_alone_that_are_the_same(cells: Cells) -> None:
    """Of thousands of numbers, those that stand in groups without a change stay the very objects,
    and the next cell looks at nothing of them."""
    before = cells.run(MANY)
    cells.run("n7 = -1; del n8; new = 10**12")
    living = dict(cells.namespace)
    cells.go(before)
    cells.check("n7 == 7 * 10**9 and n8 == 8 * 10**9 and 'new' not in globals()")
    same = [name for name in living if name[0] == "n" and living[name] is cells.namespace.get(name)]
    assert len(same) > 2500
    after = cells.try_run("x = 1")
    assert after.verified < 10
    assert after.snapshot is not None
    assert after.snapshot.new_bytes < 10_000
    cells.go(before)
    cells.check(
        "all(globals()[f'n{i}'] == i * 10**9 for i in range(3000)) and 'x' not in globals()"
    )


def test_the_report_tells_of_every_one(cells: Cells) -> None:
    """What a move reports of thousands of values names each of them once, unchanged ones too."""
    before = cells.run(MANY + "\nimport math\ndef f(): return 1\n_private = True; _1 = 5")
    cells.run("n5 = 0")
    found = cells.prepare(before).report
    names = {f"n{i}" for i in range(3000)} | {"i", "math", "f", "_private"}
    assert sorted(one.name for one in found) == sorted(names)
    told = {one.name: one for one in found}
    assert (told["n5"].type_name, told["n5"].preview) == ("int", str(5 * 10**9))
    assert (told["_private"].type_name, told["_private"].preview) == ("bool", "True")
    assert told["math"].fidelity is Fidelity.REFERENCE
    assert told["f"].type_name == "function"


def test_a_state_of_another_kernel_may_have_its_names_in_other_places(tmp_path: Path) -> None:
    """Two kernels bound the same names in another order; what the second one keeps after it went to
    a state of the first one is whole."""
    first = Cells(tmp_path)
    make = "for one in '{}':\n for i in range(128): globals()[f'{{one}}{{i}}'] = 1\ndel one, i"
    state = first.run(make.format("ab"))
    first.close()
    second = Cells(tmp_path, run="second")
    second.run(make.format("ba"))
    second.go(state)
    after = second.run("del b0")
    second.close()
    third = Cells(tmp_path, run="third")
    third.go(after)
    held = {name: one for name, one in third.namespace.items() if name[0] in "ab"}
    wanted = {f"{one}{i}": 1 for one in "ab" for i in range(128)}
    del wanted["b0"]
    assert held == wanted
    third.close()


class SmallValues(RuleBasedStateMachine):
    """Plain values bound, deleted, brought back to and fro, in one kernel after another."""

    names = st.sampled_from([f"n{i}" for i in range(300)])
    values = st.one_of(st.integers(0, 2), st.integers(10**6, 10**6 + 2), st.just([1]), st.text())

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.cells = Cells(Path(self._folder.name))
        self.states: list[tuple[Snapshot, dict[str, Any]]] = []
        self.wanted: dict[str, Any] = {}
        self.kernels = 1
        self.run_cell("for i in range(260): globals()[f'n{i}'] = i * 10**7", {
            f"n{i}": i * 10**7 for i in range(260)
        } | {"i": 259})  # fmt: skip

    def run_cell(self, source: str, wanted: dict[str, Any]) -> None:
        self.wanted = wanted
        self.states.append((self.cells.run(source), dict(wanted)))

    @rule(changes=st.dictionaries(names, values, min_size=1, max_size=5))
    def bind(self, changes: dict[str, Any]) -> None:
        # Of text, so that equal values are other objects.
        source = "".join(f"{name} = eval({repr(value)!r})\n" for name, value in changes.items())
        self.run_cell(source, self.wanted | changes)

    @rule(gone=st.sets(names, min_size=1, max_size=5))
    def delete(self, gone: set[str]) -> None:
        source = "".join(f"globals().pop({name!r}, None)\n" for name in sorted(gone))
        self.run_cell(source, {k: v for k, v in self.wanted.items() if k not in gone})

    @rule(data=st.data())
    def go(self, data: st.DataObject) -> None:
        state, wanted = data.draw(st.sampled_from(self.states))
        self.cells.go(state)
        self.wanted = dict(wanted)

    @precondition(lambda self: self.kernels < 3)
    @rule(data=st.data())
    def go_on_in_a_new_kernel(self, data: st.DataObject) -> None:
        self.cells.close()
        self.kernels += 1
        self.cells = Cells(Path(self._folder.name), run=f"run-{self.kernels}")
        self.go(data)

    @rule()
    def take_back(self) -> None:
        """A move, and its undoing, by the very objects where that can be."""
        prepared = self.cells.prepare(self.states[0][0])
        prepared.swap()
        if prepared.take_back() is None:
            assert prepared.present is not None
            self.cells.go(prepared.present)

    @invariant()
    def holds_what_it_should(self) -> None:
        held = {
            name: value
            for name, value in self.cells.namespace.items()
            if name == "i" or (name[0] == "n" and name[1:].isdecimal())
        }
        assert held == self.wanted

    def teardown(self) -> None:
        self.cells.close()
        self._folder.cleanup()


TestSmallValues = SmallValues.TestCase
TestSmallValues.settings = settings(max_examples=15, stateful_step_count=15, deadline=None)
