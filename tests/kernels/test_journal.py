"""The journal against a plain list of what was done: order, joins, limits, faults, forks, age."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_rewind import clock
from jupyter_rewind.errors import Full
from jupyter_rewind.kernels.ageing import expire_journals
from jupyter_rewind.kernels.journal import Journal
from jupyter_rewind.kernels.life import SignOfLife, is_alive
from jupyter_rewind.kernels.log import EntryLog
from jupyter_rewind.kernels.runs import Runs
from jupyter_rewind.model.execution import Execution, Output, Run, fold_outputs
from jupyter_rewind.model.ids import ExecutionId, RunId
from jupyter_rewind.store.layout import Layout, open_layout
from jupyter_rewind.store.repository import Repository
from tests.support.processes import run_in_fork
from tests.support.stores import QuickFiles


@dataclass
class Place:
    """A store, and one run that writes into it."""

    folder: Path
    files: QuickFiles = field(default_factory=QuickFiles)

    def layout(self) -> Layout:
        store, keys = self.folder / "store", self.folder / "keys"
        return open_layout(store, keys, self.files, create=True)

    def journal(self, name: str = "a" * 16, **options: Any) -> Journal:
        run = Run(
            RunId(name), "kernel", "/c.json", 1, "host", "boot", "3.11", "python", "/n.ipynb",
            clock.now_ns(),
        )  # fmt: skip
        journal = Journal(EntryLog(self.layout(), self.files), run, **options)
        journal.begin_run()
        return journal

    def executions(self, name: str = "a" * 16) -> list[Execution]:
        with self.repository() as repository:
            return Runs(repository).executions(RunId(name))

    def repository(self) -> Repository:
        store, keys = self.folder / "store", self.folder / "keys"
        repository = Repository.open(store, key_folder=keys, files=self.files)
        repository.refresh()
        return repository


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    yield Place(tmp_path)


def execution(number: int, source: str = "x") -> Execution:
    return Execution(
        ExecutionId(f"{number:016x}"), RunId("a" * 16), number, f"c{number}", "/n.ipynb", source,
        clock.now_ns(),
    )  # fmt: skip


def stream(text: str, name: str = "stdout") -> Output:
    return {"output_type": "stream", "name": name, "text": text}


TEXTS = st.text(st.characters(exclude_categories=()), max_size=30)
OUTPUTS = st.one_of(
    st.builds(stream, TEXTS, st.sampled_from(["stdout", "stderr"])),
    st.builds(
        lambda text, name: {
            "output_type": "display_data", "data": {"text/plain": text}, "metadata": {},
            "transient": {"display_id": name},
        },
        TEXTS, st.sampled_from(["a", "b"]),
    ),
    st.builds(
        lambda text, name: {
            "output_type": "update_display_data", "data": {"text/plain": text}, "metadata": {},
            "transient": {"display_id": name},
        },
        TEXTS, st.sampled_from(["a", "b"]),
    ),
    st.builds(lambda wait: {"output_type": "clear_output", "wait": wait}, st.booleans()),
)  # fmt: skip
STEPS = st.lists(st.one_of(OUTPUTS, st.just("pause"), st.just("end")), max_size=25)


def shown(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a notebook shows after these, written down anew: the oracle of the fold."""
    found: list[dict[str, Any]] = []
    clearing = False
    for output in outputs:
        kind = output["output_type"]
        if kind == "clear_output":
            clearing = output["wait"]
            found = found if clearing else []
        elif kind == "update_display_data":
            for each in found:
                if each.get("transient") == output["transient"]:
                    each["data"] = output["data"]
        else:
            if clearing:
                found, clearing = [], False
            joins = found and kind == "stream" and found[-1].get("name") == output.get("name")
            if joins and found[-1]["output_type"] == "stream":
                found[-1] = {**found[-1], "text": found[-1]["text"] + output["text"]}
            else:
                found.append(dict(output))
    return [{name: each[name] for name in each if name != "transient"} for each in found]


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_outputs_are_those_that_a_notebook_shows(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Any]
) -> None:
    """However outputs come, in parts or at once, before or after the end: the same are kept."""
    place = Place(tmp_path_factory.mktemp("journal"))
    done: list[dict[str, Any]] = []
    with clock.use(clock.FakeClock()) as hands:
        assert isinstance(hands, clock.FakeClock)
        journal = place.journal()
        journal.begin(execution(1))
        ended = False
        for step in steps:
            if step == "pause":
                hands.advance(1.0)
            elif step == "end" and not ended:
                ended = True
                journal.end(execution(1).id, "ok", clock.now_ns())
            elif step != "end":
                done.append(step)
                journal.add_output(execution(1).id, step)
        journal.end_run("exit")
    (found,) = place.executions()
    assert [dict(each) for each in found.outputs] == shown(done)
    assert found.status == ("ok" if ended else "running")


@given(st.lists(OUTPUTS, max_size=20), st.integers(0, 20))
def test_folding_may_happen_at_any_point(outputs: list[Output], at: int) -> None:
    """Folding a beginning first changes nothing but displays that were cleared away before."""
    whole = fold_outputs(outputs)
    again = fold_outputs([*fold_outputs(outputs[:at]), *outputs[at:]])
    assert again == whole


def test_a_source_is_whole_whatever_is_in_it(place: Place) -> None:
    """Half a surrogate pair, a null, a hundred thousand lines."""
    sources = ["\ud800 = 1", "a\0b", "x = 1\n" * 100_000, ""]
    journal = place.journal()
    for number, source in enumerate(sources):
        journal.begin(execution(number, source))
    assert [each.source for each in place.executions()] == sources


def test_outputs_of_many_threads_all_arrive(place: Place) -> None:
    """Threads print at the same time, while cells begin and end."""
    journal = place.journal()
    journal.begin(execution(1))

    def speak(name: int) -> None:
        for number in range(200):
            journal.add_output(execution(1).id, stream(f"{name}:{number}\n"))

    threads = [threading.Thread(target=speak, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for number in range(2, 30):
        journal.begin(execution(number))
        journal.end(execution(number).id, "ok", clock.now_ns())
    for thread in threads:
        thread.join()
    journal.end(execution(1).id, "ok", clock.now_ns())
    first = place.executions()[0]
    lines = "".join(str(each["text"]) for each in first.outputs).splitlines()
    assert sorted(lines) == sorted(f"{a}:{b}" for a in range(4) for b in range(200))
    for name in range(4):
        mine = [line for line in lines if line.startswith(f"{name}:")]
        assert mine == [f"{name}:{number}" for number in range(200)]


def test_parts_leave_one_entry_when_the_cell_ends(place: Place) -> None:
    """A progress bar that was written a hundred times takes two entries in the end."""
    with clock.use(clock.FakeClock()) as hands:
        assert isinstance(hands, clock.FakeClock)
        journal = place.journal()
        journal.begin(execution(1))
        for number in range(100):
            hands.advance(0.2)
            journal.add_output(execution(1).id, stream(f"{number}\r"))
        with place.repository() as repository:
            assert len(repository.entries(kind="execution")) == 101
        journal.end(execution(1).id, "ok", clock.now_ns())
    with place.repository() as repository:
        assert len(repository.entries(kind="execution")) == 2
    assert place.executions()[0].outputs[0]["text"] == "".join(f"{n}\r" for n in range(100))


def test_outputs_that_could_not_be_written_are_written_later(place: Place) -> None:
    """A disk that is full for a moment costs no output that still fits."""

    class Filling(QuickFiles):
        full = False

        def write_at(self, *args: Any) -> int:
            if self.full:
                raise Full("no room")
            return super().write_at(*args)

    place.files = Filling()
    with clock.use(clock.FakeClock()) as hands:
        assert isinstance(hands, clock.FakeClock)
        journal = place.journal()
        journal.begin(execution(1))
        place.files.full = True
        journal.add_output(execution(1).id, stream("one "))
        assert isinstance(journal.fault, Full)
        with pytest.raises(Full):
            journal.begin(execution(2))
        place.files.full = False
        hands.advance(1.0)
        journal.add_output(execution(1).id, stream("two"))
        assert journal.fault is None
        journal.end(execution(1).id, "ok", clock.now_ns())
    (found,) = place.executions()
    assert found.outputs[0]["text"] == "one two"


def test_what_is_put_out_in_the_midst_of_any_write_waits_for_its_end(place: Place) -> None:
    """An object whose end prints may end anywhere: also while the run itself is written down."""
    spoken: list[str] = []

    class Speaking(QuickFiles):
        def write_at(self, *args: Any) -> int:
            if journal is not None and is_running:
                spoken.append("said")
                journal.add_output(execution(1).id, stream("said "))
            return super().write_at(*args)

    journal: Journal | None = None
    is_running = True
    place.files = Speaking()
    journal = place.journal()

    def work() -> None:
        journal.begin(execution(1))
        journal.move_run(replace(journal.run, path="/moved.ipynb"))
        journal.begin_run()
        journal.end(execution(1).id, "ok", clock.now_ns())

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    worker.join(60)
    assert not worker.is_alive()
    is_running = False
    assert len(spoken) >= 3
    journal.close()
    (found,) = place.executions()
    assert found.outputs[0]["text"] == "said " * len(spoken)


def test_a_forked_child_writes_nothing(place: Place) -> None:
    """What a worker does in the journal's place leaves no trace, and the parent goes on."""
    journal = place.journal()
    journal.begin(execution(1))

    def work() -> None:
        journal.add_output(execution(1).id, stream("child"))
        journal.begin(execution(2))
        journal.end(execution(1).id, "error", clock.now_ns())
        journal.end_run("exit")

    run_in_fork(work)
    journal.add_output(execution(1).id, stream("parent"))
    journal.end(execution(1).id, "ok", clock.now_ns())
    (found,) = place.executions()
    assert (found.status, found.outputs[0]["text"]) == ("ok", "parent")


def test_a_sign_of_life_ends_with_its_process(place: Place) -> None:
    """Held, it says that the run lives; a child that was forked from it does not hold it."""
    layout, run = place.layout(), place.journal().run
    sign = SignOfLife(layout, run.id)
    assert not is_alive(layout, run)
    assert sign.show()
    assert is_alive(layout, run)
    sign.end()
    assert not is_alive(layout, run)


def test_old_journals_expire_and_young_or_living_ones_do_not(place: Place) -> None:
    """After the days of the settings the journal of a run goes as a whole."""
    with clock.use(clock.FakeClock()) as hands:
        assert isinstance(hands, clock.FakeClock)
        living = place.journal("b" * 16)
        sign = SignOfLife(place.layout(), living.run.id)
        sign.show()
        old = place.journal()
        old.begin(execution(1))
        hands.advance(10 * 86_400)
        young = place.journal("c" * 16)
        with place.repository() as repository:
            assert expire_journals(repository, days=11) == []
            assert expire_journals(repository, days=9) == [old.run.id]
            repository.refresh()
            assert {run.id for run in Runs(repository).all()} == {living.run.id, young.run.id}
        sign.end()
    assert place.executions() == []
