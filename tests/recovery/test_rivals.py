"""Whose a session is where several notebooks have its cells, and no trace says."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from jupyter_rewind.recovery import siblings
from jupyter_rewind.recovery.attribution import attribute
from jupyter_rewind.recovery.evidence import Evidence, EvidenceCell, FoundDocument, FoundRun, Trace
from jupyter_rewind.recovery.recover import Recovery, recover
from jupyter_rewind.recovery.sessions import list_sessions
from tests.support.evidence import CHECKPOINT, TARGET, session
from tests.support.histories import make_history
from tests.support.traces import Home, notebook_text

LOAD = ["prices = load('prices.csv')", "total = sum(prices)", "print('total', total)"]
OURS = ["mean = total / len(prices)", "spread = max(prices) - min(prices)", "plot(prices, mean)"]
THEIRS = ["sample = draw(prices, seed=3)", "mean = max(prices)", "plot(prices, mean)"]
NEW = ["variance = sum((p - mean) ** 2 for p in prices)"]
COPY = str(TARGET.with_name("copy.ipynb"))


def saved(counted: Mapping[int, str], notebook: str = str(TARGET)) -> FoundDocument:
    """A notebook's file: the code of its cells under their counts."""
    cells = tuple(EvidenceCell("code", text, execution_count=at) for at, text in counted.items())
    trace = CHECKPOINT if notebook == str(TARGET) else Trace("file", notebook, notebook)
    return FoundDocument(trace, cells)


def counted(sources: Sequence[str], start: int = 1) -> dict[int, str]:
    return dict(enumerate(sources, start))


def numbers(
    runs: Sequence[FoundRun], own: Sequence[FoundDocument], beside: Sequence[FoundDocument]
) -> list[int]:
    evidence = Evidence(tuple(own), tuple(runs), siblings=tuple(beside))
    sources = [cell.source for document in own for cell in document.cells]
    return [each.run.session for each in attribute(TARGET, evidence, sources)]


RUNS = [session(1, [*LOAD, *OURS, *NEW], at=10), session(2, [*LOAD, *THEIRS], at=5000)]


def test_session_of_a_copy_is_the_copys() -> None:
    """What was run in a copy of your notebook is not mixed into it."""
    own, copy = saved(counted([*LOAD, *OURS])), saved(counted([*LOAD, *THEIRS[:2]]), COPY)
    assert numbers(RUNS, [own], [copy]) == [1]
    assert 2 in numbers(RUNS, [own], []), "only the copy tells that it is not"


def test_session_that_the_file_was_saved_in_stays_its_own() -> None:
    """A duplicate that was made of your notebook takes no session from it."""
    older = saved(counted([*LOAD, *OURS[:1]]))
    copy = saved(counted([*LOAD, *OURS, *NEW]), COPY)
    assert numbers(RUNS[:1], [older], [copy]) == [1]


def test_copy_by_name_takes_nothing_from_a_notebook_that_is_gone() -> None:
    """Only `analysis-Copy1.ipynb` is left: the sessions are still asked for analysis.ipynb."""
    copy = saved(counted([*LOAD, *OURS]), str(TARGET.with_name("analysis-Copy1.ipynb")))
    assert numbers(RUNS[:1], [], [copy]) == [1]


def test_notebook_without_counts_is_compared_by_its_code() -> None:
    """Where no file has counts, a session goes to the one that has far more of its code."""
    cells = tuple(EvidenceCell("code", text) for text in [*LOAD, *OURS])
    mine = FoundDocument(CHECKPOINT, cells)
    theirs = tuple(EvidenceCell("code", text) for text in [*LOAD, *THEIRS])
    copy = FoundDocument(Trace("file", COPY, COPY), theirs)
    assert numbers(RUNS, [mine], [copy]) == [1]


def test_connection_file_says_more_than_a_copy() -> None:
    """What a trace tells is not weighed against likeness."""
    told = [RUNS[0], session(2, [*LOAD, *THEIRS], at=5000, notebook=str(TARGET))]
    copy = saved(counted([*LOAD, *THEIRS]), COPY)
    assert numbers(told, [saved(counted([*LOAD, *OURS]))], [copy]) == [1, 2]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Two notebooks, one a copy of the other, and no connection file: the server was shut down."""
    home = Home(tmp_path / "home")
    write(home.work / "analysis.ipynb", [*LOAD, *OURS])
    write(home.work / "copy.ipynb", [*LOAD, *THEIRS[:2]])
    make_history(
        home.path / ".ipython/profile_default/history.sqlite",
        [[*LOAD, *OURS, *NEW], [*LOAD, *THEIRS]],
    )
    return home


def write(path: Path, sources: Sequence[str]) -> None:
    book = json.loads(notebook_text(*sources))
    for at, cell in enumerate(book["cells"], 1):
        cell["execution_count"] = at
    path.write_text(json.dumps(book))


def recovered(home: Home) -> Recovery:
    found = recover(home.scope("analysis.ipynb"))
    assert found is not None
    return found


def test_recovering_by_name_asks_the_notebooks_beside(home: Home) -> None:
    """`recover analysis.ipynb` leaves out what was run in copy.ipynb, says so, and keeps it."""
    found = recovered(home)
    assert [each.cell.source for each in found.rebuilt.cells] == [*LOAD, *OURS, *NEW]
    [told] = [each for each in found.rebuilt.next_steps if each.startswith("Session 2 ")]
    assert "copy.ipynb" in told
    assert "--session 1 --session 2" in told
    assert THEIRS[1] in [each.source for each in found.rebuilt.alternatives]
    assert [
        Path(each.notebook or "").stem for each in list_sessions(home.scope(None)).sessions
    ] == [
        "analysis",
        "copy",
    ]


def test_notebook_beside_is_no_version_of_this_one(home: Home) -> None:
    """Another notebook of the folder is asked whose a session is, and is never built on."""
    found = recovered(home)
    assert {each.trace.place for each in found.others} == set()
    assert {each.trace.notebook for each in found.evidence.documents} == {
        str(home.work / "analysis.ipynb")
    }


def test_of_many_notebooks_beside_the_newest_are_compared(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of thousands costs no more than its newest ones."""
    monkeypatch.setattr(siblings, "MOST_SIBLINGS", 1)
    for number in range(3):
        write(home.work / f"later{number}.ipynb", [f"other = {number}"])
    assert len(recovered(home).evidence.siblings) == 1


def test_session_that_was_named_is_taken_all_the_same(home: Home) -> None:
    """--session says more than any likeness."""
    found = recover(home.scope("analysis.ipynb", sessions=(2,)))
    assert found is not None
    assert [each.run.session for each in found.rebuilt.sessions] == [2]
    assert THEIRS[1] in [each.source for each in found.rebuilt.alternatives]
