"""What a state is without for want of time: where else it can be had."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_rewind import clock
from jupyter_rewind.errors import RestoreRefused
from jupyter_rewind.model.snapshot import Fidelity
from tests.support.cells import TickingClock
from tests.support.runs import QuickKernel

BIG = "big = [[i] for i in range(100_000)]"


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[QuickKernel]:
    """Its first state has all of `big`, its last one has no time for it."""
    with clock.use(TickingClock()):
        made = QuickKernel(tmp_path, {}, floor_ms=50)
        made.run(BIG)
        made.session.catch_up()
        made.run("y = 3")
        made.run("globals()['q'] = 1")
        assert made.session.last_late == ("big",)
        yield made
        made.session.close("exit")


def test_a_variable_that_was_late_is_named_with_the_state_that_has_it(
    kernel: QuickKernel, tmp_path: Path
) -> None:
    """The kernel was killed before there was a pause: the next one goes on without the variable,
    and says how it can be had."""
    kernel.die()
    having = kernel.session.snapshots()[-2]
    following = QuickKernel(tmp_path, {})
    back = following.verbs.resume()
    told = {one.name: one for one in back.variables}
    way = f"`%rewind get big --at {having.id}`"
    assert told["big"].fidelity is Fidelity.MISSING
    assert told["big"].reason.endswith(f"; what it was after In[2], {way} brings back")
    assert way in str(back)
    following.verbs.get("big", at=having.id)
    assert following.namespace["big"] == kernel.namespace["big"]
    following.session.close("exit")


def test_the_report_on_a_state_names_what_has_its_late_variables(kernel: QuickKernel) -> None:
    """In the kernel itself as well, and for late variables alone."""
    told = {one.name: one.reason for one in kernel.verbs.report().variables}
    assert "`%rewind get big --at " in told["big"]
    assert told["y"] == told["q"] == ""


def test_what_had_the_name_before_it_was_deleted_is_another_variable(kernel: QuickKernel) -> None:
    """A state from before that is no help: nothing of it is what is missing now."""
    kernel.run("del big")
    kernel.run(BIG)
    assert kernel.session.last_late == ("big",)
    told = {one.name: one.reason for one in kernel.verbs.report().variables}
    assert told["big"].endswith("there was no time to keep it after this cell")


def test_a_variable_cannot_be_had_from_the_state_that_is_without_it(
    kernel: QuickKernel, tmp_path: Path
) -> None:
    """Nothing is bound in its place, and the words name the state that has it."""
    kernel.die()
    having, last = kernel.session.snapshots()[-2:]
    following = QuickKernel(tmp_path, {"big": "mine"})
    with pytest.raises(RestoreRefused) as refused:
        following.verbs.get("big", at=last.id)
    assert "there was no time to keep it after this cell" in str(refused.value)
    assert f"`%rewind get big --at {having.id}`" in str(refused.value)
    assert following.namespace["big"] == "mine"
    following.session.close("exit")
