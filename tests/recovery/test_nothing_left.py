"""No document of the notebook is left: what it was is told by its sessions alone."""

from __future__ import annotations

from dataclasses import replace

from jupyter_rewind.recovery.evidence import Evidence, FoundDocument, Trace
from jupyter_rewind.recovery.rebuild import rebuild
from tests.support.evidence import TARGET, code, document, kernel, session, sources_of

CELLS = [f"part_{n} = prepare(rows, step={n * 11})" for n in range(9)]
LATEST = [*CELLS[2:4], "part_3 = prepare(rows, step=34)", "chart(part_2, part_3)"]
THEIRS = [f"wind_{n} = measure(stations, height={n * 7})" for n in range(6)]
MIXED = ["gust = wind_3 - wind_1", "gust - wind_2", "wind_1 + wind_3", *THEIRS[1:3]]
BESIDE = "/home/ann/wind.ipynb"


def other_notebook() -> FoundDocument:
    """A notebook beside, saved before its last session ran."""
    cells = (replace(code(each), execution_count=None) for each in THEIRS)
    return document(*cells, trace=Trace("file", BESIDE, BESIDE))


def test_earlier_session_of_the_same_code_is_named_and_kept_beside() -> None:
    """The kernel of today is known, and ran three cells: yesterday's session is told."""
    runs = (session(1, CELLS, at=10), session(2, THEIRS, at=4000), session(3, LATEST, at=90_000))
    rebuilt = rebuild(TARGET, Evidence(runs=runs, kernels=(kernel(TARGET, at=89_999),)))
    assert [each.run.session for each in rebuilt.sessions] == [3]
    [told] = [each for each in rebuilt.next_steps if each.startswith("Session 1 was left out")]
    assert told.endswith("jupyter rewind recover /home/ann/analysis.ipynb --session 1 --session 3")
    assert set(CELLS) <= {*sources_of(rebuilt), *(each.source for each in rebuilt.alternatives)}


def test_sessions_that_are_nobodys_are_hinted_at() -> None:
    """Nothing is alike, and something more was run: where to look is said."""
    runs = (session(1, THEIRS, at=10), session(3, LATEST, at=90_000))
    rebuilt = rebuild(TARGET, Evidence(runs=runs, kernels=(kernel(TARGET, at=89_999),)))
    assert any("other sessions may be its own" in each for each in rebuilt.next_steps)
    assert not any(each.startswith("Session") for each in rebuilt.next_steps)
    alone = rebuild(TARGET, Evidence(runs=runs[1:], kernels=(kernel(TARGET, at=89_999),)))
    assert not any("other sessions" in each for each in alone.next_steps)


def test_guess_is_a_session_that_is_like_no_other_notebook() -> None:
    """The newest session is the other notebook's, by its cells: the one before is nobody's."""
    runs = (session(1, CELLS, at=10), session(2, MIXED, at=4000))
    rebuilt = rebuild(TARGET, Evidence(runs=runs, siblings=(other_notebook(),)))
    assert [each.run.session for each in rebuilt.sessions] == [1]
    assert "like no other notebook: a guess" in rebuilt.sessions[0].words


def test_guess_is_the_newest_where_all_are_like_others() -> None:
    """A guess is better than nothing, and called one."""
    runs = (session(1, [*MIXED, "first = 1"], at=10), session(2, MIXED, at=4000))
    rebuilt = rebuild(TARGET, Evidence(runs=runs, siblings=(other_notebook(),)))
    assert [each.run.session for each in rebuilt.sessions][-1:] == [2]
    assert "the newest session of all: a guess" in rebuilt.sessions[-1].words


def test_guess_is_the_session_that_went_on_last() -> None:
    """A short session began later, and ended long before."""
    runs = (session(1, CELLS, at=10, lasting=9000), session(2, THEIRS, at=100, lasting=60))
    rebuilt = rebuild(TARGET, Evidence(runs=runs))
    assert [each.run.session for each in rebuilt.sessions] == [1]
