"""`--since` and `--until` hold for all that was run, whichever trace tells of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_rewind.recovery.evidence import Evidence, Executed
from jupyter_rewind.recovery.search import until
from tests.support.evidence import SAVED, SECOND, document, session
from tests.support.traces import Home


def ran(*seconds: int) -> Evidence:
    """A run whose end nobody knows, as the journal of a killed kernel tells of it."""
    executed = [
        Executed(line, f"x = {line}", time_ns=SAVED + at * SECOND)
        for line, at in enumerate(seconds, 1)
    ]
    return Evidence(runs=(session(0, executed, at=seconds[0], lasting=None),))


@pytest.mark.parametrize(
    ("since", "last", "left"),
    [
        (None, None, ["x = 1", "x = 2"]),
        (150, None, ["x = 1", "x = 2"]),
        (250, None, []),
        (None, 250, ["x = 1", "x = 2"]),
        (None, 150, ["x = 1"]),
        (None, 50, []),
        (50, 250, ["x = 1", "x = 2"]),
    ],
)
def test_runs_of_other_times_are_left_out(
    tmp_path: Path, since: int | None, last: int | None, left: list[str]
) -> None:
    """What ran after --until is left out, and a run that was over before --since."""

    def moment(at: int | None) -> int | None:
        return None if at is None else SAVED + at * SECOND

    scope = Home(tmp_path).scope(since_ns=moment(since), until_ns=moment(last))
    heard = until(ran(100, 200), scope)
    assert [each.source for run in heard.runs for each in run.executions] == left


def test_session_that_is_named_is_kept(tmp_path: Path) -> None:
    """A session that you name yourself is not left out for its time."""
    evidence = Evidence((document("a = 1"),), (session(4, ["x = 1"], at=10, lasting=5),))
    scope = replace(Home(tmp_path).scope(sessions=(4,)), since_ns=SAVED + 9_000 * SECOND)
    assert until(evidence, scope) == evidence
    assert until(evidence, replace(scope, sessions=())).runs == ()
