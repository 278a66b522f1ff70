"""What stood behind the place where a document breaks off, and was run before it was saved."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_rewind.recovery.broken.versions import VERSION
from jupyter_rewind.recovery.evidence import EVERYTHING, EvidenceCell, Trace
from jupyter_rewind.recovery.salvage import salvage_notebook
from tests.support.evidence import (
    CHECKPOINT,
    code,
    document,
    prose,
    rebuilt_of,
    session,
    sources_of,
)
from tests.support.traces import notebook_text

OPEN = "survey = read_table('survey.tsv')"
DROP = "survey = survey.dropna(subset=['age'])"
MEAN = "by_town = survey.groupby('town').income.mean()"
PLOT = "by_town.plot.bar(title='Income by town')"
SAVE = "by_town.to_csv('towns.csv')"
ALL = [OPEN, DROP, MEAN, PLOT, SAVE]
TRY = "survey = survey.dropna(subset=['ages'])"


def piece(source: str) -> EvidenceCell:
    return replace(code(source), whole=False)


@pytest.mark.parametrize("left", [1, 2, 3, 4, 5])
def test_what_ran_from_behind_the_cut_comes_back(left: int) -> None:
    """The file was saved and cut short after everything had run and the kernel had ended."""
    cut = document(prose("# Survey"), *ALL[:left], complete=False)
    rebuilt = rebuilt_of([cut], [session(1, ALL, at=-600, lasting=300)])
    assert sources_of(rebuilt) == ["# Survey", *ALL]


@pytest.mark.parametrize("letters", [1, 4, 20, len(MEAN)])
def test_the_cell_at_the_cut_gets_its_end(letters: int) -> None:
    """Of the last cell only the beginning was left; its text was run."""
    cut = document(prose("# Survey"), OPEN, DROP, piece(MEAN[:letters]), complete=False)
    rebuilt = rebuilt_of([cut], [session(1, ALL, at=-600, lasting=300)])
    assert sources_of(rebuilt) == ["# Survey", *ALL]
    assert rebuilt.cells[3].confidence < 0.9


FIRST, SECOND = "rate = 1\nprint(rate)", "rate = 1\nprint(rate * 2)"
BEFORE, AFTER = "import rates", "rate + 1"


@pytest.mark.parametrize("count", [2, 7])
@pytest.mark.parametrize("earlier", [True, False])
def test_no_text_shows_what_another_one_may_have_made(count: int, earlier: bool) -> None:
    """A cell was changed and run again, or had its number in an earlier kernel; of what was saved
    only its outputs and its first line are left. They are kept beside."""
    cell = replace(
        code("rate = 1\nprint(ra", "below the cell at the cut"), execution_count=count, whole=False
    )
    above = replace(code(AFTER), execution_count=3)
    cut = document(prose("# Survey"), above, cell, complete=False)
    ran = [session(2, [BEFORE if earlier else FIRST, SECOND, AFTER], at=-600, lasting=None)]
    if earlier:
        ran.insert(0, session(1, [BEFORE, FIRST, AFTER], at=-6000, lasting=300))
    rebuilt = rebuilt_of([cut], ran)
    assert [each.cell.source for each in rebuilt.cells if each.cell.outputs] == []
    assert [each.outputs for each in rebuilt.loose] == [cell.outputs]
    assert {FIRST, SECOND} <= {
        *sources_of(rebuilt),
        *(each.source for each in rebuilt.alternatives),
    }


def test_the_cell_at_the_cut_gets_no_text_that_another_cell_has() -> None:
    """Somebody else's outputs stand below it, under a number that is another cell's here."""
    ran = [BEFORE, FIRST, AFTER]
    above = [replace(code(each), execution_count=at) for at, each in enumerate(ran, 1)]
    begun = replace(code(FIRST[:4], "another one's"), execution_count=2, whole=False)
    cut = document(prose("# Survey"), *above, begun, complete=False)
    rebuilt = rebuilt_of([cut], [session(1, ran, at=-600, lasting=None)])
    assert sources_of(rebuilt).count(FIRST) == 1
    assert [each.cell.source for each in rebuilt.cells if each.cell.outputs] == []
    assert [each.outputs for each in rebuilt.loose] == [begun.outputs]


def test_a_cell_that_stands_twice_is_completed_in_its_place() -> None:
    """Many notebooks look at the same thing more than once: the number tells which it is."""
    ran = ["df = load()", "df.head()", "df = df.dropna()", "df.head()", "df.hist()"]
    above = [
        replace(code(each, *(["four rows"] if at == 2 else [])), execution_count=at)
        for at, each in enumerate(ran[:3], 1)
    ]
    begun = replace(code("df.h"), execution_count=4, whole=False)
    cut = document(prose("# Survey"), *above, begun, complete=False)
    rebuilt = rebuilt_of([cut], [session(1, ran, at=-600, lasting=None)])
    assert sources_of(rebuilt)[:5] == ["# Survey", *ran[:4]]
    assert rebuilt.cells[2].cell.outputs == above[1].outputs
    assert "df.hist()" in {*sources_of(rebuilt), *(each.source for each in rebuilt.alternatives)}


@pytest.mark.parametrize("changed", [1, 2, 3])
def test_a_cell_that_was_changed_behind_the_cut_comes_back_as_it_ran_last(changed: int) -> None:
    """The checkpoint has it as it was before; the file breaks off in front of it."""
    steps = [
        f"def step_{n}(table):\n    table['column_{n}'] = table.price * {n}\n    return table"
        for n in range(12)
    ]
    kept, cut = document(*steps), document(*steps[:9], at=100, complete=False)
    now = [*steps[:-changed], *(f"{each}\nchecked = True" for each in steps[-changed:])]
    ran = session(1, [*steps, *now[-changed:]], at=-600, lasting=None)
    rebuilt = rebuilt_of([kept, cut], [ran])
    assert sources_of(rebuilt) == now
    assert all(each.confidence < 0.5 for each in rebuilt.cells[-changed:])


def test_one_side_of_a_conflict_that_ran_later_stays_beside_the_other() -> None:
    """Your own side of the cell was edited and run after git had marked both."""
    mine = replace(code(MEAN), metadata={VERSION: "mine"})
    theirs = replace(code(f"{MEAN}.round(2)"), metadata={VERSION: "theirs"})
    both = document(prose("# Survey"), OPEN, DROP, mine, theirs, PLOT, SAVE, complete=False)
    later = f"{MEAN}\nby_town.plot()"
    rebuilt = rebuilt_of([both], [session(1, [*ALL, later], at=-600)])
    assert {later, theirs.source} <= set(sources_of(rebuilt))


@pytest.mark.parametrize("letters", [1, 20, len(MEAN) - 1])
@pytest.mark.parametrize("identity", ["mean", None])
def test_the_cell_at_the_cut_is_whole_where_an_older_state_has_it(
    letters: int, identity: str | None
) -> None:
    """Nothing was run: the checkpoint has the cell that the file has the beginning of."""
    whole = replace(code(MEAN), cell_id=identity)
    begun = replace(whole, source=MEAN[:letters], whole=False)
    kept = document(prose("# Survey"), OPEN, DROP, whole, PLOT, SAVE)
    cut = document(prose("# Survey"), OPEN, DROP, begun, at=100, complete=False)
    rebuilt = rebuilt_of([kept, cut], [])
    assert sources_of(rebuilt) == ["# Survey", *ALL]
    assert all(each.confidence < 0.9 for each in rebuilt.cells[3:])


def test_too_little_for_any_likeness_is_more_than_nothing() -> None:
    """One piece of one cell is left: the newest session that ran it is a guess, as it is for an
    empty file."""
    long = [*ALL, *(f"step_{n} = simulate(seed={n}, town='{n}')" for n in range(20))]
    other = session(2, ["import os", "os.getcwd()"], at=-100, lasting=50)
    cut = document(prose("# Survey"), piece(OPEN[:9]), complete=False)
    rebuilt = rebuilt_of([cut], [session(1, long, at=-600, lasting=300), other])
    assert sources_of(rebuilt) == ["# Survey", *long]
    [only] = rebuilt.sessions
    assert (only.run.session, only.certain) == (1, False) and "guess" in only.words


def test_a_session_that_lacks_what_is_left_is_no_guess() -> None:
    """It is another notebook's."""
    cut = document(OPEN, piece(DROP[:9]), complete=False)
    rebuilt = rebuilt_of([cut], [session(1, ["import os", "os.getcwd()"], at=-600, lasting=300)])
    assert not rebuilt.sessions


def test_a_whole_document_takes_back_nothing_that_was_left_out_of_it() -> None:
    """What ran before the save and does not stand in a whole file was deleted on purpose."""
    whole = document(prose("# Survey"), OPEN, DROP, MEAN)
    rebuilt = rebuilt_of([whole], [session(1, ALL, at=-600, lasting=300)])
    assert sources_of(rebuilt) == ["# Survey", OPEN, DROP, MEAN]


def test_failed_tries_in_front_of_the_cut_stay_out() -> None:
    """Only what ran after the last cell that is read can be behind it."""
    cut = document(prose("# Survey"), OPEN, DROP, complete=False)
    ran = session(1, [OPEN, TRY, DROP, MEAN, PLOT, SAVE], at=-600, lasting=300)
    assert sources_of(rebuilt_of([cut], [ran])) == ["# Survey", *ALL]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 4), st.integers(0, 40), st.booleans())
def test_no_code_that_ran_is_nowhere(whole: int, letters: int, ended: bool) -> None:
    """Wherever the file is cut, each text that ran is in the notebook or in its appendix."""
    begin = ALL[whole][:letters]
    left = [*map(code, ALL[:whole]), *([piece(begin)] if begin else [])]
    if not left:
        return
    ran = session(1, ALL, at=-600, lasting=300 if ended else None)
    rebuilt = rebuilt_of([document(*left, complete=False)], [ran])
    assert set(ALL) <= {*sources_of(rebuilt), *(each.source for each in rebuilt.alternatives)}


def test_what_nothing_tells_of_the_part_that_is_lost_is_said() -> None:
    """Markdown behind the cut, and code there that never ran, are in no trace: you are told."""
    cut = document(prose("# Survey"), OPEN, complete=False)
    whole = document(prose("# Survey"), OPEN)
    words = f"What stood where {CHECKPOINT.place} does not read"
    told = [any(words in one for one in rebuilt_of([each]).likely_lost) for each in (cut, whole)]
    assert told == [True, False]


def test_a_file_that_is_cut_short_says_what_is_lost_and_where_to_look() -> None:
    """Nothing else tells of it: all that stood there is lost, and other places may have it."""
    file = Trace("file", "/home/ann/analysis.ipynb", "/home/ann/analysis.ipynb")
    cut = document(prose("# Survey"), OPEN, complete=False, trace=file)
    alone = rebuilt_of([cut])
    assert alone.likely_lost[-1].endswith(" does not read: all of it.")
    assert any("--scan FOLDER" in each for each in alone.next_steps)
    ran = rebuilt_of([cut], [session(1, ALL, at=-600, lasting=300)])
    assert ran.likely_lost[-1].endswith(": its Markdown, and code that was never run.")


def test_what_another_version_filled_is_not_called_lost() -> None:
    """A whole checkpoint has what the cut file lacks: no more is lost than what came after it."""
    file = Trace("file", "/home/ann/analysis.ipynb", "/home/ann/analysis.ipynb")
    cut = document(prose("# Survey"), OPEN, DROP, complete=False, trace=file, at=60)
    trace = replace(CHECKPOINT, holds=EVERYTHING)
    kept = document(prose("# Survey"), OPEN, DROP, MEAN, trace=trace)
    both = rebuilt_of([cut, kept])
    assert sources_of(both) == ["# Survey", OPEN, DROP, MEAN]
    assert not any("all of it" in each for each in both.likely_lost)
    last = both.likely_lost[-1]
    assert last.startswith(f"What was changed or added where {file.place} does not read, after")
    ran = rebuilt_of([cut, kept], [session(1, [OPEN, DROP, MEAN, PLOT], at=100)])
    assert ran.likely_lost[-1].startswith("Markdown, and code that was never run, that was changed")
    equal = document(prose("# Survey"), OPEN, DROP, trace=trace)
    assert rebuilt_of([cut, equal]).likely_lost[-1].endswith(" does not read: all of it.")


def test_file_that_is_cut_behind_its_cells_has_lost_none() -> None:
    """What is missing is the last line of the file: nothing is called lost."""
    file = Trace("file", "/home/ann/analysis.ipynb", "/home/ann/analysis.ipynb")
    raw = notebook_text(OPEN, DROP, MEAN).encode()
    for cut in (raw[:-3], raw[:-20], raw[: raw.index(b'"metadata": {},\n "nbformat"')]):
        salvaged = salvage_notebook(cut)
        assert len(salvaged.cells) == 3 and not salvaged.whole
        [damage] = salvaged.damages
        assert damage.endswith("behind the last cell")
        made = rebuilt_of([salvaged.as_document(file)])
        assert not any("does not read" in each for each in made.likely_lost)
        assert not any("--scan" in each for each in made.next_steps)
    inside = salvage_notebook(raw[: raw.index(b"\n ],")])
    assert len(inside.cells) == 3 and "behind" not in inside.damages[-1]
