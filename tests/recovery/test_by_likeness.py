"""Sessions that nothing but likeness gives to a notebook: called so, with who else they fit."""

from __future__ import annotations

from dataclasses import replace

from jupyter_rewind.recovery.evidence import Evidence, FoundDocument, Trace
from jupyter_rewind.recovery.rebuild import rebuild
from jupyter_rewind.recovery.report import Used
from tests.support.evidence import HISTORY, TARGET, code, document, session, sources_of

CELLS = [f"part_{n} = prepare(rows, step={n * 11})" for n in range(6)]
NEW = [f"wind_{n} = measure(part_{n}, height={n * 7})" for n in range(3)]
COPY = str(TARGET.with_name("analysis-Copy1.ipynb"))


def saved(place: str) -> FoundDocument:
    cells = (replace(code(each), execution_count=at) for at, each in enumerate(CELLS, 1))
    return document(*cells, trace=Trace("file", place, place))


def test_session_that_fits_a_copy_as_well_is_no_ones_for_certain() -> None:
    """The copy was made, run from its top and closed: the session fits both of them alike."""
    runs = (session(1, CELLS, at=-900), session(2, [*CELLS, *NEW], at=100))
    rebuilt = rebuild(TARGET, Evidence((saved(str(TARGET)),), runs, siblings=(saved(COPY),)))
    assert set(NEW) <= set(sources_of(rebuilt))
    foreign = [each for each in rebuilt.cells if each.cell.source in NEW]
    assert all(each.confidence < 0.5 for each in foreign)
    [told] = [each for each in rebuilt.next_steps if "analysis-Copy1.ipynb" in each]
    assert told.startswith("Sessions 1 and 2 were taken by likeness, and fit analysis-Copy1.ipynb")
    assert told.endswith("jupyter rewind recover /home/ann/analysis.ipynb --session N")


def test_notebook_that_has_none_of_it_makes_a_session_no_less_sure() -> None:
    """Another notebook beside is no rival by being there."""
    other = replace(saved(COPY), cells=tuple(code(f"other_{n} = {n}") for n in range(4)))
    cells = (replace(each, execution_count=None) for each in saved(str(TARGET)).cells)
    own = replace(saved(str(TARGET)), cells=tuple(cells))
    alone = rebuild(TARGET, Evidence((own,), (session(2, [*CELLS, *NEW], at=100),)))
    beside = rebuild(
        TARGET, Evidence((own,), (session(2, [*CELLS, *NEW], at=100),), siblings=(other,))
    )
    assert [each.by_likeness for each in beside.sessions] == [True]
    assert beside == alone


def test_report_calls_likeness_so() -> None:
    """The list of traces says which sessions nothing but likeness speaks for."""
    used = Used(HISTORY, 9, 30, (3, 4, 7), None)
    assert used.words == "IPython, sessions 3, 4 and 7"
    assert replace(used, alike=(4,)).words == "IPython, sessions 3, 4 and 7 (4 by likeness)"
    assert replace(used, alike=(3, 4, 7)).words == "IPython, sessions 3, 4 and 7 (by likeness)"
    many = replace(used, sessions=(1, 3, 4, *range(7, 150), 200))
    assert many.words == "IPython, sessions 1, 3, 4, 7 to 149 and 200"
    assert replace(used, sessions=tuple(range(5))).words == "IPython, sessions 1 to 4"
