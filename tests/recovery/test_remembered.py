"""What a program's memory holds has no time of its own: where it stands among other versions."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_rewind import clock
from jupyter_rewind.recovery.evidence import Allowance, FoundDocument, Scope, Trace
from jupyter_rewind.recovery.memorycells import Rows, find_rows
from jupyter_rewind.recovery.otherversions import OtherVersion, in_words
from jupyter_rewind.recovery.traces.memory import MemoryFinder
from tests.support.evidence import (
    CHECKPOINT,
    TARGET,
    document,
    rebuilt_of,
    session,
    sources_of,
)
from tests.support.notebooks import book_of, code_cell

MEMORY = Trace("memory", "process 7 (jupyter), 1a2b3c4d", str(TARGET), handle={"mark": "1a2b3c4d"})
FILE = Trace("file", str(TARGET), str(TARGET))
OLD = [f"value_{number} = load({number})" for number in range(6)]
NEW = [*OLD[:5], "value_5 = load(5, again=True)", "total = sum_up(value_5)"]
YESTERDAY = document(*OLD, trace=CHECKPOINT)


def remembered(*sources: str, trace: Trace = MEMORY) -> FoundDocument:
    """A notebook as it stands in the memory of a program."""
    return replace(document(*sources, trace=trace), time_ns=None)


def test_what_a_server_has_in_memory_is_newer_than_the_checkpoint_that_it_goes_on_from() -> None:
    """You saved an hour ago, the checkpoint is of yesterday: the saved one comes back."""
    rebuilt = rebuilt_of([YESTERDAY, remembered(*NEW)])
    assert sources_of(rebuilt) == NEW
    sure = [each.confidence >= 0.9 for each in rebuilt.cells]
    assert sure == [True] * 5 + [False] * 2
    assert all(each.confidence >= 0.5 for each in rebuilt.cells)
    assert rebuilt.passed_over == ()


def test_an_older_state_in_memory_does_not_take_the_place_of_a_newer_one() -> None:
    """Memory has states of all times: one with less than the checkpoint is not built on."""
    checkpoint = document(*NEW, trace=CHECKPOINT)
    assert sources_of(rebuilt_of([checkpoint, remembered(*OLD)])) == NEW
    before = replace(checkpoint, cells=YESTERDAY.cells, time_ns=checkpoint.time_ns)
    saved = document(*NEW, at=100, trace=replace(MEMORY, place="process 7 (jupyter), 2"))
    assert sources_of(rebuilt_of([before, saved, remembered(*OLD)])) == NEW


def test_a_whole_file_is_newer_than_what_memory_has() -> None:
    """Its file is there, and whole: what a tab still holds may be what you took away."""
    file = document(*OLD, trace=FILE)
    rebuilt = rebuilt_of([file, remembered(*NEW)])
    assert sources_of(rebuilt) == OLD
    assert rebuilt.base is not None
    assert rebuilt.base.kind == "file"


def test_what_is_not_known_to_be_newer_is_not_called_so() -> None:
    """The richer version has no time that can be believed: nobody knows which is newer."""
    much = [f"more_{number} = step({number})" for number in range(9)]
    undated = replace(document(*OLD, *much, trace=CHECKPOINT), time_ns=None)
    editor = Trace("vscode", "/home/ann/History/x.ipynb", str(TARGET))
    rebuilt = rebuilt_of([undated, document(*OLD, trace=editor)])
    said = [*rebuilt.passed_over, *(each.words for each in rebuilt.cells)]
    assert sources_of(rebuilt) == [*OLD, *much]
    assert any(said)
    assert not any("newer" in each for each in said), said


def test_what_ran_before_the_checkpoint_is_not_laid_over_memory_without_numbers() -> None:
    """Its cells say nothing of when they ran: it is as new as the checkpoint, at the least."""
    cells = [replace(each, execution_count=None) for each in remembered(*NEW).cells]
    bare = replace(remembered(*NEW), cells=tuple(cells))
    gone = "scratch = try_out(value_1)"
    ran = session(1, [*OLD, gone], at=-5000, lasting=600, notebook=str(TARGET))
    assert sources_of(rebuilt_of([YESTERDAY, bare], [ran])) == NEW


def test_what_only_a_damaged_store_of_updates_has_is_not_certain() -> None:
    """Updates are small: damage may have changed a letter of a text, and nothing shows it."""
    store = Trace("collaboration", "/home/ann/.jupyter_ystore.db", str(TARGET))
    played = document(*NEW, at=100, trace=store)
    hurt = replace(played, complete=False, damages=("The store is damaged.",))
    for each, sure in ((played, [True] * 7), (hurt, [True] * 5 + [False] * 2)):
        rebuilt = rebuilt_of([YESTERDAY, each])
        assert [one.confidence >= 0.9 for one in rebuilt.cells if one.cell.source in NEW] == sure


def test_command_that_builds_on_memory_looks_into_it() -> None:
    """`--from` alone would not find it: the printed command has `--memory`."""
    [line] = in_words([OtherVersion(MEMORY, None, 2)])
    assert line.endswith("build on it with --memory --from 1a2b3c4d")


def test_time_that_a_server_sent_with_a_notebook_is_its_time() -> None:
    """An answer of Jupyter's server says when the notebook was saved as it stands there."""
    body = json.dumps(book_of([code_cell(1, source="a = 1\n")]))
    sent = f'"last_modified": "2026-11-22T21:39:05.144594Z", "created": "x", "content": {body}'
    [named] = find_rows(f'{{"name": "a.ipynb", "path": "a.ipynb", {sent}}}'.encode())[0]
    assert (named.path, named.saved_ns) == ("a.ipynb", 1_795_383_545_144_594_000)
    for text in (f"{{{sent}}}", f'{{"path": "a.ipynb", "last_modified": "no", "content": {body}}}'):
        [row] = find_rows(text.encode())[0]
        assert row.saved_ns is None


def test_copies_of_a_notebook_are_kept_once() -> None:
    """A browser may hold one a hundred times; the copy that says most is the one that counts."""
    body = json.dumps(book_of([code_cell(1, source="a = 1\n")]))
    named = f'{{"path": "a.ipynb", "last_modified": "2026-11-22T21:39:05Z", "content": {body}}}'
    found = Rows()
    for text in [body, named, *[body] * 20]:
        found.add(find_rows(text.encode())[0])
    assert len(found.kept) == 1
    assert [each.path for each in found.join()] == ["a.ipynb"]


class Hurrying(clock.FakeClock):
    """A clock on which every look takes ten seconds."""

    def monotonic(self) -> float:
        self.advance(10)
        return super().monotonic()


@pytest.fixture
def holder() -> Iterator[subprocess.Popen[bytes]]:
    code = "print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        running.stdout.readline()
        yield running
        running.communicate(b"\n", timeout=60)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_look_into_memory_ends_in_time_and_says_what_was_not_looked_at(
    holder: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    """However much a browser holds, the answer comes; it says how to look longer."""
    place = f"process {holder.pid} (python)"
    trace = Trace("memory", place, words="The memory of x", handle={"pid": str(holder.pid)})
    scope = Scope(tmp_path / "a.ipynb", tmp_path, tmp_path, tmp_path, memory=True)
    assert MemoryFinder().read(trace, scope).problems == ()
    hurried = replace(scope, memory_time=Allowance(30))
    with clock.use(Hurrying()):
        [problem] = MemoryFinder().read(trace, hurried).problems
        [later] = MemoryFinder().read(trace, hurried).problems
    assert problem.words.startswith("Only ")
    assert "% of its memory was looked at, since the 30 s" in problem.words
    assert problem.words.endswith("--memory --memory-seconds 300")
    assert later.words.startswith("Its memory was not looked at, since the 30 s")


def test_a_time_of_memory_is_one_for_all_programs() -> None:
    """What the first took is not there for the next."""
    time = Allowance(60)
    scope = Scope(None, Path("/"), Path("/"), Path("/"), memory_time=time)
    replace(scope, notebook=TARGET).memory_time.left -= 20
    assert (time.given, scope.memory_time.left) == (60, 40)
