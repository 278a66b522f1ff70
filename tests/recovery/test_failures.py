"""Tries that failed: told by a trace, or by names that nothing gives a meaning to."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from jupyter_rewind.recovery.evidence import Executed
from jupyter_rewind.recovery.rebuild import Rebuilt
from tests.support.evidence import TARGET, document, rebuilt_of, session, sources_of

ROWS = "rows = [('a', 1), ('b', 2)]"
TOTAL = "total = sum(row[1] for row in rows)\ntotal"
TRY = "ratio = totl / count"
MEANT = "ratio = total / len(rows)\nratio"


def ran(*sources: str, ended: Sequence[str | None] = ()) -> Rebuilt:
    """What comes back where these cells ran after the first two were saved."""
    statuses = [*ended, *(None for _ in sources)]
    executed = [
        Executed(line, source, status=statuses[line - 1]) for line, source in enumerate(sources, 1)
    ]
    return rebuilt_of([document(ROWS, TOTAL)], [session(1, executed, notebook=str(TARGET))])


def test_try_of_a_name_that_nothing_defines_gives_way_to_what_was_meant() -> None:
    """NameError, then the same again with the right names: only the second was in the notebook."""
    rebuilt = ran(TRY, MEANT)
    assert sources_of(rebuilt) == [ROWS, TOTAL, MEANT]
    [left] = [each for each in rebuilt.alternatives if each.source == TRY]
    assert left.words == "a try that failed: what ran later took its place"


@pytest.mark.parametrize(
    "more",
    ["from totals import *", "%run totals.py", "totl, count = 3, 4", "def totl(count): ..."],
    ids=["star", "script", "later", "argument"],
)
def test_name_that_may_have_a_meaning_speaks_of_no_failure(more: str) -> None:
    """What is not known to have failed stays, doubtful as it is."""
    assert TRY in sources_of(ran(more, TRY, MEANT))


def test_trace_that_tells_of_an_error_is_believed() -> None:
    """The journal knows that it failed, though every name has a meaning."""
    bad, good = "share = total / rows", "share = total / len(rows)\nprint('share', share)"
    kept = ran("limit = 1", bad, "limit = 2", good, ended=["ok", "ok", "ok", "ok"])
    failed = ran("limit = 1", bad, "limit = 2", good, ended=["ok", "error", "ok", "ok"])
    assert bad in sources_of(kept)
    assert bad not in sources_of(failed)
    assert sources_of(failed) == [each for each in sources_of(kept) if each != bad]


def test_last_cell_that_failed_stays() -> None:
    """Nothing took its place: it is what you were at when all was lost."""
    assert TRY in sources_of(ran(MEANT, TRY, ended=["ok", "error"]))


def test_cell_that_failed_first_and_ran_later_stays() -> None:
    """It failed for want of an import, and ran just so after it."""
    rebuilt = ran(TRY, "totl = count = 3", TRY, MEANT, ended=["error", "ok", "ok", "ok"])
    assert TRY in sources_of(rebuilt)
