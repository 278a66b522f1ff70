"""Whose a session was: by when notebooks were saved, and by those in the folders around."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_rewind.recovery import copies, search
from jupyter_rewind.recovery.attribution import Attribution
from jupyter_rewind.recovery.evidence import Evidence, FoundDocument, FoundKernel, Trace
from jupyter_rewind.recovery.rebuild import Rebuilt, rebuild
from jupyter_rewind.recovery.recover import Recovery, recover
from jupyter_rewind.recovery.sessions import list_sessions, place_all
from jupyter_rewind.recovery.survey import MISSING, WHOLE, survey
from tests.support.evidence import code, document, kernel, session, sources_of
from tests.support.histories import make_history
from tests.support.traces import Home, notebook_text

UNTITLED, WEEKLY = Path("/home/ann/Untitled.ipynb"), Path("/home/ann/weekly.ipynb")
COUNTS = Path("/home/ann/counts.ipynb")
SETUP = ["import csv, json", "rows = list(csv.reader(open('rows.csv')))"]
LOST = ["by_day = group(rows, 'day')", "weekly = averages(by_day)", "best = max(weekly)"]
OTHER = ["total = summed(rows)", "counts = tally(rows, 'n')", "common = most(counts)"]
LONG = [*SETUP, *LOST, "scaled = [each / best for each in weekly]", "plot(scaled)"]
COPIED = [*SETUP, LOST[0], "weekly = medians(by_day)", *LONG[4:], "tail = scaled[-5:]"]
EARLIER = "its earlier name, perhaps"


def saved(place: Path, sources: Sequence[str], at: int, kind: str = "file") -> FoundDocument:
    """A document whose cells have the counts under which they ran."""
    cells = (replace(code(each), execution_count=n) for n, each in enumerate(sources, 1))
    return document(*cells, at=at, trace=Trace(kind, f"{place}.{kind}", str(place)))


def gone(at: int) -> FoundKernel:
    """The file of a kernel that was started for Untitled.ipynb, which was renamed since."""
    return replace(kernel(UNTITLED, at=at), gone=True)


RUNS = tuple(
    session(number, [*SETUP, *more], at=at, lasting=None)
    for number, more, at in ((1, LOST, 10), (2, OTHER, 2000))
)
KERNELS = gone(9), gone(1999)


def of(target: Path, *documents: FoundDocument, runs: int = 2) -> Rebuilt:
    own = tuple(each for each in documents if each.trace.notebook == str(target))
    beside = tuple(each for each in documents if each.trace.notebook != str(target))
    return rebuild(target, Evidence(own, RUNS[:runs], kernels=KERNELS[:runs], siblings=beside))


def test_a_new_notebook_that_was_renamed_and_saved_early_keeps_what_ran_after_that() -> None:
    """Untitled became weekly, two cells of set-up were saved, and the kernel died later."""
    early = saved(WEEKLY, SETUP, 20)
    assert sources_of(of(WEEKLY, early, runs=1)) == [*SETUP, *LOST]
    [placed] = place_all(Attribution(Evidence((early,), RUNS[:1], kernels=KERNELS[:1])))
    assert placed.notebook == str(WEEKLY)


def test_two_such_notebooks_have_what_ran_in_the_session_in_which_each_was_saved() -> None:
    """The first was saved before the second one's session began, and both go on."""
    files = saved(WEEKLY, SETUP, 20), saved(COUNTS, SETUP, 2020)
    assert sources_of(of(WEEKLY, *files)) == [*SETUP, *LOST]
    assert sources_of(of(COUNTS, *files)) == [*SETUP, *OTHER]


def test_where_either_session_may_be_its_own_both_are_told() -> None:
    """Saved while both went on, and the other notebook is not there any more."""
    found = of(WEEKLY, saved(WEEKLY, SETUP, 3000))
    assert sources_of(found) == SETUP
    [told] = [each for each in found.next_steps if EARLIER in each]
    assert told.startswith("Sessions 1 and 2 were left out")


def of_one_run(target: Path, *documents: FoundDocument, ran: Sequence[str]) -> Rebuilt:
    own = tuple(each for each in documents if each.trace.notebook == str(target))
    beside = tuple(each for each in documents if each.trace.notebook != str(target))
    return rebuild(target, Evidence(own, (session(1, ran, at=10),), siblings=beside))


@pytest.mark.parametrize("made_at", [30, 15])
def test_a_copy_in_which_nothing_ran_takes_no_session(made_at: int) -> None:
    """Its name says that it is a copy, whether it was made after the last save or before it."""
    begin = [*SETUP, *OTHER[:1]]
    name = COUNTS.with_name("counts-backup.ipynb")
    files = saved(COUNTS, begin, 20), saved(name, begin, made_at)
    assert sources_of(of_one_run(COUNTS, *files, ran=[*SETUP, *OTHER])) == [*SETUP, *OTHER]
    found = of_one_run(name, *files, ran=[*SETUP, *OTHER])
    assert sources_of(found) == begin
    assert any("Session 1 is more like /home/ann/counts.ipynb" in e for e in found.next_steps)
    [placed] = place_all(Attribution(Evidence(files, (session(1, [*SETUP, *OTHER], at=10),))))
    assert placed.notebook == str(COUNTS)


@pytest.mark.parametrize("name", ["counts-backup.ipynb", "spring.ipynb"])
def test_who_goes_on_behind_the_end_of_another_is_no_copy_of_it(name: str) -> None:
    """A copy was made in the middle of the work, then a cell was shortened, run again and saved."""
    shorter = "total = summed(rows[1:])"
    ran = [*SETUP, *OTHER[:1], shorter, *OTHER[1:]]
    cells = [replace(code(each), execution_count=at) for at, each in ((1, ran[0]), (2, ran[1]))]
    last = replace(code(shorter), execution_count=4)
    book = document(*cells, last, at=30, trace=Trace("file", "counts.file", str(COUNTS)))
    copy = saved(COUNTS.with_name(name), ran[:3], 20)
    found = of_one_run(COUNTS, book, copy, ran=ran)
    assert sources_of(found) == [*SETUP, shorter, *OTHER[1:]]
    assert not any(name in each for each in found.next_steps)


@pytest.mark.parametrize(
    ("name", "of", "is_one"),
    [
        ("exp-Copy1", "exp", True), ("Copy of exp", "exp", True), ("exp (1)", "exp", True),
        ("exp2", "exp", True), ("exp_old", "Exp", True), ("experiment", "exp", False),
        ("data", "a", False), ("exp", "exp", False), ("exp", "exp_old", False),
    ],
)  # fmt: skip
def test_a_copys_name_has_the_others_as_a_word(name: str, of: str, is_one: bool) -> None:
    """As Jupyter, file managers and people name copies."""
    assert copies.is_copy([f"/home/ann/{name}.ipynb"], f"/home/{of}.ipynb") == is_one


def test_of_two_that_are_equal_each_has_the_session_as_a_guess_and_the_other_is_named() -> None:
    """A duplicate was renamed, and nothing ran in it: the files alone don't say which is which."""
    begin, ran = [*SETUP, *OTHER[:1]], [*SETUP, *OTHER]
    files = saved(COUNTS, begin, 20), saved(WEEKLY, begin, 30)
    for one, other in ((COUNTS, WEEKLY), (WEEKLY, COUNTS)):
        found = of_one_run(one, *files, ran=ran)
        assert sources_of(found) == ran
        assert all(each.confidence < 0.5 for each in found.cells[3:])
        assert any(f"fits {other.name} as well" in each for each in found.next_steps)
    far = Path("/home/ann/p-2026/counts.ipynb")
    found = of_one_run(COUNTS, files[0], saved(far, begin, 30), ran=ran)
    assert any(f"fits {far} as well" in each for each in found.next_steps)


@pytest.mark.parametrize("copy", ["weekly-Copy1.ipynb", "second.ipynb"])
def test_what_a_copy_shows_whole_is_not_laid_over_the_notebook(copy: str) -> None:
    """Whatever its name: the notebook's own session is known."""
    runs = session(1, LONG, at=10, lasting=60), session(2, COPIED, at=2000, lasting=60)
    beside = saved(WEEKLY.with_name(copy), COPIED, 2050)
    found = rebuild(WEEKLY, Evidence((saved(WEEKLY, LONG, 50),), runs, siblings=(beside,)))
    assert sources_of(found) == LONG
    assert any(f"Session 2 is more like /home/ann/{copy}" in each for each in found.next_steps)


def test_sessions_are_listed_with_the_notebook_that_shows_them_not_with_the_name() -> None:
    """weekly was deleted, and the new Untitled has an early checkpoint of the same set-up."""
    whole = [*SETUP, *LOST]
    documents = (
        saved(WEEKLY, whole, 100, "checkpoint"),
        saved(UNTITLED, [*SETUP, *OTHER], 3000),
        saved(UNTITLED, SETUP, 2010, "checkpoint"),
    )
    kernels = kernel(UNTITLED, at=9), kernel(UNTITLED, at=1999)
    placed = place_all(Attribution(Evidence(documents, RUNS, kernels=kernels)))
    assert [each.notebook for each in placed] == [str(WEEKLY), str(UNTITLED)]


def write(path: Path, sources: Sequence[str]) -> None:
    book = json.loads(notebook_text(*sources))
    for at, cell in enumerate(book["cells"], 1):
        cell["execution_count"] = at
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(book))


def write_in_turn(
    home: Home, books: dict[Path, Sequence[str]], ran: Sequence[Sequence[str]]
) -> list[int]:
    """Each was saved a second after the beginning of its session; returns when these began."""
    for path, sources in books.items():
        write(path, sources)
    make_history(home.path / ".ipython/profile_default/history.sqlite", ran)
    began = [each.started_ns or 0 for each in list_sessions(home.scope(None)).sessions]
    for path, start in zip(books, began, strict=True):
        os.utime(path, ns=(start + 10**9, start + 10**9))
    return began


@pytest.mark.parametrize("beside", ["p2/analysis.ipynb", "p1/saved/other.ipynb", "other.ipynb"])
def test_a_notebook_in_a_folder_around_keeps_what_ran_in_it(tmp_path: Path, beside: str) -> None:
    """A template was copied to another folder and worked on there: the first one is whole, and
    nothing of the copy is mixed in."""
    home = Home(tmp_path / "home")
    write(home.work / "p1/analysis.ipynb", LONG)
    write(home.work / beside, COPIED)
    make_history(home.path / ".ipython/profile_default/history.sqlite", [LONG, COPIED])
    folder = home.work / "p1"
    found = recover(home.scope("p1/analysis.ipynb", folder=folder))
    assert isinstance(found, Recovery)
    assert sources_of(found.rebuilt) == LONG
    assert any(str(home.work / beside) in each for each in found.rebuilt.next_steps)
    scope = home.scope(None, folder=folder)
    standings = survey(scope, search.look(scope)).standings
    assert {each.state for each in standings} == {WHOLE}
    listed = {each.number: each.notebook for each in list_sessions(scope).sessions}
    assert listed[1] == str(home.work / "p1/analysis.ipynb") != listed[2]


@pytest.mark.parametrize("name", ["weekly-Copy1.ipynb", "spring.ipynb"])
def test_a_copy_of_a_renamed_notebook_takes_nothing_untold(name: str) -> None:
    """Untitled became weekly and was copied, and nothing ran in the copy: the name says which is
    which, or each of them has what ran as a guess that names the other."""
    begin, copy = [*SETUP, *LOST[:1]], WEEKLY.with_name(name)
    files = saved(WEEKLY, begin, 20), saved(copy, begin, 30)
    mine, its = of(WEEKLY, *files, runs=1), of(copy, *files, runs=1)
    assert sources_of(mine) == [*SETUP, *LOST]
    if name == "spring.ipynb":
        assert all(each.confidence < 0.5 for each in (*mine.cells[3:], *its.cells[3:]))
        assert any("fits weekly.ipynb as well" in each for each in its.next_steps)
        return
    assert sources_of(its) == begin
    assert any(f"Session 1 is more like {WEEKLY}" in each for each in its.next_steps)
    [placed] = place_all(Attribution(Evidence(files, RUNS[:1], kernels=KERNELS[:1])))
    assert placed.notebook == str(WEEKLY)


@pytest.mark.parametrize("name", ["counts.ipynb", "weekly2.ipynb"])
@pytest.mark.parametrize("more", [0, 1])
def test_two_renamed_notebooks_with_a_long_set_up_stay_apart(more: int, name: str) -> None:
    """Both were Untitled, and have six cells in common: what ran in the other is not laid over."""
    second = COUNTS.with_name(name)
    begin = [*SETUP, "clean = [r for r in rows if r]", "def mean(v): return sum(v) / len(v)",
             "days = sorted(r['day'] for r in clean)", "ns = [r['n'] for r in clean]"]  # fmt: skip
    runs = tuple(
        session(number, [*begin, *own], at=at, lasting=None)
        for number, own, at in ((1, LOST, 10), (2, OTHER, 2000))
    )
    files = (
        saved(WEEKLY, [*begin, *LOST[:more]], 20),
        saved(second, [*begin, *OTHER[:more]], 2020),
    )
    for place, own, other in ((WEEKLY, LOST, second), (second, OTHER, WEEKLY)):
        documents = [each for each in files if each.trace.notebook == str(place)]
        beside = [each for each in files if each.trace.notebook == str(other)]
        evidence = Evidence(tuple(documents), runs, kernels=KERNELS, siblings=tuple(beside))
        assert sources_of(rebuild(place, evidence)) == [*begin, *own]
    placed = place_all(Attribution(Evidence(files, runs, kernels=KERNELS)))
    assert [each.notebook for each in placed] == [str(WEEKLY), str(second)]


def test_an_older_copy_of_a_removed_notebook_has_its_session_as_a_guess() -> None:
    """The removed one's checkpoint shows more of it."""
    lost = saved(COUNTS, [*SETUP, *OTHER[:2]], 30, "checkpoint")
    copy = saved(COUNTS.with_name("counts-bk.ipynb"), [*SETUP, *OTHER[:1]], 20)
    found = of_one_run(COUNTS.with_name("counts-bk.ipynb"), copy, lost, ran=[*SETUP, *OTHER])
    assert all(each.confidence < 0.5 for each in found.cells[3:])
    assert any("fits counts.ipynb as well" in each for each in found.next_steps)


def test_what_was_saved_under_another_name_is_told_of_its_kernel() -> None:
    """ "Save Notebook As", then text was written and saved: the kernel has the name of before."""
    new = COUNTS.with_name("second.ipynb")
    begin, run = [*SETUP, *OTHER[:1]], session(1, [*SETUP, *OTHER], at=10, lasting=None)
    beside = saved(COUNTS, begin, 20)
    found = rebuild(
        new,
        Evidence(
            (saved(new, begin, 40),), (run,), kernels=(kernel(COUNTS, at=9),), siblings=(beside,)
        ),
    )
    assert any(f"its kernel was started for {COUNTS}" in each for each in found.next_steps)


def test_no_session_is_listed_as_of_what_was_brought_back_after_it() -> None:
    """The result shows every cell of it, as it was run from the top again."""
    result = saved(COUNTS.with_name("rescued.ipynb"), [*SETUP, *OTHER], 3000)
    notes = {"of": str(COUNTS), "at": (result.time_ns or 0) / 1e9 - 500}
    files = saved(COUNTS, [*SETUP, *OTHER], 20), replace(result, metadata={"rewind": notes})
    runs = tuple(
        session(number, [*SETUP, *OTHER], at=at, lasting=60) for number, at in ((1, 10), (2, 2900))
    )
    placed = place_all(Attribution(Evidence(files, runs)))
    assert (placed[0].notebook, placed[0].likelihood) == (str(COUNTS), 0.95)


def test_what_a_lost_copy_was_saved_in_is_not_laid_over_the_whole_notebook(tmp_path: Path) -> None:
    """A duplicate was worked on in its own kernel, and removed: its checkpoint says whose that was.
    A notebook that was saved there itself, as one that was renamed, keeps it."""
    home = Home(tmp_path / "home")
    copied = [*LONG, "model = fit(scaled)", "model.draw()"]
    book, kept = home.work / "weekly.ipynb", home.work / ".ipynb_checkpoints/model-checkpoint.ipynb"
    _, second = write_in_turn(home, {book: LONG, kept: LONG}, [LONG, copied])
    found = recover(home.scope("weekly.ipynb"))
    assert isinstance(found, Recovery)
    assert sources_of(found.rebuilt) == LONG
    lost = str(home.work / "model.ipynb")
    assert any(f"Session 2 is more like {lost}" in each for each in found.rebuilt.next_steps)
    scope = home.scope(None)
    assert [each.notebook for each in list_sessions(scope).sessions] == [str(book), lost]
    states = {str(e.notebook): e.state for e in survey(scope, search.look(scope)).standings}
    assert states == {str(book): WHOLE, lost: MISSING}
    os.utime(book, ns=(second + 2 * 10**9, second + 2 * 10**9))
    found = recover(home.scope("weekly.ipynb"))
    assert isinstance(found, Recovery)
    assert sources_of(found.rebuilt) == copied


@pytest.mark.parametrize(
    "kept", ["p2/report.ipynb", "p2/.ipynb_checkpoints/report-checkpoint.ipynb"]
)
def test_a_template_in_two_folders_keeps_the_two_apart(tmp_path: Path, kept: str) -> None:
    """Each was saved in its session, and one of them is gone but for its checkpoint, perhaps."""
    home = Home(tmp_path / "home")
    south = [*LONG[:3], "weekly = medians(by_day)", *LONG[4:]]
    books = {home.work / "p1/report.ipynb": LONG, home.work / kept: south}
    write_in_turn(home, books, [LONG, south])
    found = recover(home.scope("p1/report.ipynb", folder=home.work / "p1"))
    assert isinstance(found, Recovery)
    assert sources_of(found.rebuilt) == LONG
    named = str(home.work / "p2/report.ipynb")
    assert any(f"Session 2 is more like {named}" in each for each in found.rebuilt.next_steps)
