"""Sessions whose kernels were started under names that are not there any more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from jupyter_rewind.recovery.attributed import Split
from jupyter_rewind.recovery.attribution import Attribution
from jupyter_rewind.recovery.evidence import (
    Evidence,
    EvidenceCell,
    FoundDocument,
    FoundKernel,
    FoundRun,
    Trace,
)
from tests.support.evidence import SAVED, SECOND, TARGET, kernel, session

GIVEN = [f"import ex{number}\nresult_{number} = ex{number}.setup()" for number in range(6)]
HERE = str(TARGET)
MATE = "/home/ann/mate.ipynb"
ELSEWHERE = "/home/ann/old/analysis.ipynb"


def answers(who: str) -> list[str]:
    return [f"{who}_{number} = solve_as_{who}({number})" for number in range(4)]


def file(place: str, sources: Sequence[str], at: int = 600, counted: bool = True) -> FoundDocument:
    """A whole file, saved with the counts of a kernel that ran it from above."""
    cells = tuple(
        EvidenceCell("code", source, execution_count=line if counted else None)
        for line, source in enumerate(sources, 1)
    )
    return FoundDocument(Trace("file", place, place), cells, time_ns=SAVED + at * SECOND)


def gone(notebook: str, *, at: int) -> FoundKernel:
    return replace(kernel(notebook, at=at), gone=True)


def split(
    runs: Sequence[FoundRun],
    kernels: Sequence[FoundKernel],
    *documents: FoundDocument,
    of: Path = TARGET,
) -> Split:
    evidence = Evidence(documents, tuple(runs), kernels=tuple(kernels))
    own = (each for each in documents if each.trace.notebook == str(of))
    code = [cell.source for each in own for cell in each.cells]
    return Attribution(evidence).split(of, code)


def numbers(found: Split) -> list[int]:
    return [each.run.session for each in found.own]


def test_deleted_notebook_of_the_same_template_keeps_its_session() -> None:
    """Copies of one assignment begin alike: what ran for one that was deleted is no other one's,
    whether it was begun before or after it."""
    runs = [
        session(1, [*GIVEN, *answers("ann")], at=10, lasting=100),
        session(2, [*GIVEN, *answers("bob")], at=1000, lasting=100),
        session(3, [*GIVEN, *answers("mate")], at=2000, lasting=100),
    ]
    kernels = [kernel(TARGET, at=9), gone("/home/ann/bob.ipynb", at=999), kernel(MATE, at=1999)]
    here = file(HERE, [*GIVEN, *answers("ann")])
    mate = file(MATE, [*GIVEN, *answers("mate")], at=2090)
    for path, own in ((TARGET, 1), (Path(MATE), 3), (Path("/home/ann/bob.ipynb"), 2)):
        assert numbers(split(runs, kernels, here, mate, of=path)) == [own]


def test_cells_that_its_own_kernel_ran_too_say_nothing_of_a_deleted_one() -> None:
    """Two notebooks that begin with the same cells at the same counts, and one of them deleted."""
    runs = [
        session(1, [*GIVEN[:4], *answers("cost")], at=10, lasting=100),
        session(2, [*GIVEN[:4], *answers("sale")], at=1000),
    ]
    kernels = [gone("/home/ann/costs.ipynb", at=9), kernel(TARGET, at=999)]
    saved = file(HERE, [*GIVEN[:4], "sale_0 = solve_as_sale(0)"], at=1200)
    assert numbers(split(runs, kernels, saved)) == [2]


def test_session_of_a_duplicate_that_is_lost_is_not_the_originals() -> None:
    """Jupyter's Duplicate was worked on in a kernel of its own: that is no session of the one it
    was made from, whose kernel had its name before."""
    runs = [
        session(1, answers("ann"), at=10, lasting=100),
        session(2, [*answers("ann"), "more = answer()", "final = more.sum()"], at=1000),
    ]
    kernels = [kernel(TARGET, at=9), gone("/home/ann/work-v2.ipynb", at=999)]
    assert numbers(split(runs, kernels, file(HERE, answers("ann"), at=90))) == [1]


def test_notebook_whose_folder_was_moved_keeps_its_sessions() -> None:
    """The connection files name the old folder, where nothing is: one session has the notebook's
    cells, so those under the same path are its own, whatever they ran."""
    runs = [
        session(1, answers("ann"), at=10, lasting=100),
        session(2, ["wholly = new()", "different = code(wholly)"], at=1000),
    ]
    kernels = [gone(ELSEWHERE, at=9), gone(ELSEWHERE, at=999)]
    found = split(runs, kernels, file(HERE, answers("ann"), at=90, counted=False))
    assert numbers(found) == [1, 2]
    assert all(each.certain for each in found.own)


def test_notebook_of_that_file_name_in_a_folder_that_is_gone_is_told() -> None:
    """Nothing of it is in the notebook: it is not taken, and named."""
    runs = [session(1, ["wholly = new()", "different = code(wholly)"], at=10)]
    found = split(runs, [gone(ELSEWHERE, at=9)], file(HERE, answers("ann"), at=-90))
    assert numbers(found) == []
    assert "before its folder was moved" in found.doubts[0].words


def test_lost_notebook_takes_the_one_session_of_its_file_name_for_likely() -> None:
    """Nothing but the name is left of it, and one folder that is gone had a notebook so called."""
    other = gone("/home/ann/old/other.ipynb", at=999)
    runs = [session(1, ["a = fetch()"], at=10, lasting=100), session(2, ["b = 2"], at=1000)]
    found = split(runs, [gone(ELSEWHERE, at=9), other])
    assert numbers(found) == [1]
    assert not found.own[0].certain
    assert found.own[0].surest < 0.5


def test_lost_notebook_takes_all_sessions_of_its_file_name_for_likely() -> None:
    """The last days of a lost notebook ran in the later ones."""
    runs = [
        session(1, ["a = fetch()", "b = a.clean()"], at=10, lasting=100),
        session(2, ["c = other()", "model = c.fit()"], at=1000, lasting=100),
        session(3, ["final = third()"], at=2000),
    ]
    found = split(runs, [gone(ELSEWHERE, at=at) for at in (9, 999, 1999)])
    assert numbers(found) == [1, 2, 3]
    assert not any(each.certain for each in found.own)


def test_any_folder_may_have_had_an_untitled_notebook() -> None:
    """The name that Jupyter gives to each new notebook says nothing."""
    runs = [session(1, ["wholly = new()", "different = code(wholly)"], at=10)]
    path = Path("/home/ann/Untitled.ipynb")
    kernels = [gone("/home/ann/old/Untitled.ipynb", at=9)]
    found = split(runs, kernels, file(str(path), answers("ann"), at=-90), of=path)
    assert (numbers(found), found.doubts) == ([], ())


def test_renamed_notebook_that_is_a_little_like_a_session_is_told_of_it() -> None:
    """Some of its cells ran under a name that is gone: taken by likeness, never for certain."""
    runs = [session(1, [*answers("ann")[:3], *answers("bob")], at=10)]
    kernels = [gone("/home/ann/draft.ipynb", at=9)]
    found = split(runs, kernels, file(HERE, answers("ann"), at=-90, counted=False))
    assert numbers(found) == [1]
    assert not any(each.certain for each in found.own)
