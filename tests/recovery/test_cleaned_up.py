"""A newer state with fewer cells: cleaned up by a person, or emptied by an accident."""

from __future__ import annotations

from dataclasses import replace

from jupyter_rewind.recovery.evidence import Trace
from tests.support.evidence import CHECKPOINT, TARGET, document, rebuilt_of, sources_of

KEPT = [f"result_{number} = final({number})" for number in range(8)]
TRIES = [f"try_{number} = debug({number})" for number in range(6)]
COMMIT = Trace("git", "/home/ann: git object 1", str(TARGET), words="Commit 1 of git")
LATER = replace(COMMIT, place="/home/ann: git object 2")
FILE = Trace("file", str(TARGET), str(TARGET))


def test_cells_that_a_commit_took_away_stay_away() -> None:
    """You committed the notebook without its tries: that was meant, whether the file is there."""
    commits = [document(*KEPT, *TRIES, trace=COMMIT), document(*KEPT, at=100, trace=LATER)]
    assert sources_of(rebuilt_of(commits)) == KEPT
    assert sources_of(rebuilt_of([*commits, document(*KEPT, at=200, trace=FILE)])) == KEPT


def test_cells_that_a_newer_state_lacks_are_doubtful() -> None:
    """Nothing says whether you deleted them: they come back, and are never certain."""
    rebuilt = rebuilt_of(
        [document(*KEPT, *TRIES, trace=CHECKPOINT), document(*KEPT, at=100, trace=FILE)]
    )
    sure = {each.cell.source: each.confidence >= 0.5 for each in rebuilt.cells}
    assert sure == {source: source in KEPT for source in (*KEPT, *TRIES)}


def test_cells_of_a_notebook_that_was_emptied_are_what_was_lost() -> None:
    """It has one cell left: nobody cleans up so."""
    rebuilt = rebuilt_of(
        [document(*KEPT, *TRIES, trace=CHECKPOINT), document(KEPT[0], at=100, trace=FILE)]
    )
    assert sources_of(rebuilt) == [*KEPT, *TRIES]
    assert all(each.confidence >= 0.9 for each in rebuilt.cells)


def test_what_was_staged_after_a_commit_and_dropped_is_no_clean_up() -> None:
    """`git reset --hard` took it away: the commit that the file equals was there before."""
    dropped = replace(COMMIT, place="/home/ann: git object 3", handle={"dropped": "yes"})
    documents = [
        document(*KEPT, trace=COMMIT),
        document(*KEPT, *TRIES, at=50, trace=dropped),
        document(*KEPT, at=100, trace=FILE),
    ]
    assert sources_of(rebuilt_of(documents)) == [*KEPT, *TRIES]
