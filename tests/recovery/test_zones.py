"""Histories that were written in another time zone: a journey, a container, a laptop set anew."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_rewind.recovery import search
from jupyter_rewind.recovery.evidence import Evidence, FoundKernel, FoundRun, Trace
from jupyter_rewind.recovery.recover import Recovery, recover
from jupyter_rewind.recovery.zones import HOUR, in_one_zone
from tests.support.histories import make_history
from tests.support.traces import Home, notebook_text

T0 = 1_700_000_000_000_000_000
HISTORY = Trace("history", "/home/ann/.ipython/profile_default/history.sqlite")
FILE = Trace("connection", "/home/ann/runtime")
SECOND = 1_000_000_000
ZONES = [-12.0, -5.0, 1.0, 2.0, 5.75, 13.0]


def kernels(*hours: float) -> tuple[FoundKernel, ...]:
    """Kernels that were started so many hours after a moment."""
    return tuple(
        FoundKernel(FILE, f"/home/ann/{at}.ipynb", T0 + round(each * HOUR), kernel=f"k{at}")
        for at, each in enumerate(hours)
    )


def runs(*hours: float, off: float = 0, first: int = 1) -> tuple[FoundRun, ...]:
    """The sessions of kernels of these hours, as they are read in a zone that is `off`."""
    return tuple(
        FoundRun(
            HISTORY, number, (), (began := T0 + round((each + off) * HOUR) + SECOND),
            began + 600 * SECOND,
        )
        for number, each in enumerate(hours, first)
    )  # fmt: skip


def starts(heard: Evidence) -> list[float]:
    """When the sessions began, in hours after the moment."""
    return [round((each.started_ns or 0) - T0 - SECOND) / HOUR for each in heard.runs]


@pytest.mark.parametrize("off", ZONES)
@pytest.mark.parametrize("hours", [(0, 2, 9, 30), (0, 7.3)])
def test_sessions_are_moved_to_their_kernels(off: float, hours: Sequence[float]) -> None:
    """Read at home, what ran on a journey has the times that its kernels' files have."""
    heard = in_one_zone(Evidence(runs=runs(*hours, off=off), kernels=kernels(*hours)))
    assert starts(heard) == pytest.approx(list(hours))
    assert all((each.ended_ns or 0) - (each.started_ns or 0) == 600 * SECOND for each in heard.runs)
    (problem,) = heard.problems
    assert f"{abs(off):g} hour" in problem.words
    assert ("ahead" if off > 0 else "behind") in problem.words


def test_sessions_without_a_file_go_with_those_around_them() -> None:
    """Kernels that were shut down left no file: their sessions are of the same journey."""
    hours = (0, 5, 11, 26, 31)
    heard = in_one_zone(Evidence(runs=runs(*hours, off=-7), kernels=kernels(5, 26)))
    assert starts(heard) == pytest.approx(list(hours))


def test_only_what_ran_on_the_journey_is_moved() -> None:
    """Before it and after it the times are read right."""
    read = (
        *runs(0, 9), *runs(100, 110, 130, off=6, first=3), *runs(200, 210, first=6),
    )  # fmt: skip
    heard = in_one_zone(Evidence(runs=read, kernels=kernels(0, 9, 100, 130, 200, 210)))
    assert starts(heard) == pytest.approx([0, 9, 100, 110, 130, 200, 210])


def test_one_kernel_and_one_session_are_enough_where_nothing_speaks_against_it() -> None:
    """The only kernel that was killed tells the zone, if that is some hours off."""
    assert starts(in_one_zone(Evidence(runs=runs(0, off=3), kernels=kernels(0)))) == [0]
    for heard in (
        Evidence(runs=runs(0, off=3.25), kernels=kernels(0)),
        Evidence(runs=(*runs(0, off=3), *runs(20, first=2)), kernels=kernels(0, 20)),
        Evidence(runs=runs(0, 2, off=3), kernels=kernels(0)),
    ):
        assert in_one_zone(heard) == heard


def test_files_that_were_copied_without_their_times_tell_no_zone() -> None:
    """All of them have the moment of the copy: that one session fits by chance says nothing."""
    heard = Evidence(runs=runs(0, 4, 9.3), kernels=kernels(7, 7, 7, 7))
    assert in_one_zone(heard) == heard


def test_jobs_of_every_hour_stay_where_they_are() -> None:
    """Each of them fits the one an hour later as well; one kernel has no session of its own."""
    heard = Evidence(runs=runs(1, 2, 3, 4, 5, 6), kernels=kernels(0, 1, 2, 3, 4, 5))
    assert in_one_zone(heard) == heard


def test_kernels_of_other_languages_tell_no_zone() -> None:
    """R writes no history of IPython: that a session began some hours later is chance."""
    strange = replace(kernels(0)[0], language="R")
    heard = Evidence(runs=runs(0, off=3), kernels=(strange,))
    assert in_one_zone(heard) == heard


def test_end_that_says_its_zone_stays() -> None:
    """IPython 9 notes the end of a session in UTC, and its beginning in local time."""
    ended = T0 + 2 * HOUR
    read = tuple(
        replace(each, ended_ns=None, utc_end_ns=ended) for each in runs(0, 1, off=5)
    )  # read so, they end before they begin
    heard = in_one_zone(Evidence(runs=read, kernels=kernels(0, 1)))
    assert [each.ended_ns for each in heard.runs] == [ended, ended]


@given(
    st.lists(st.floats(0, 200), min_size=3, max_size=12, unique=True),
    st.lists(st.floats(0, 200), max_size=1),
)
def test_what_is_read_right_is_never_moved(hours: list[float], more: list[float]) -> None:
    """A kernel that kept no history, among others whose sessions are known, moves none."""
    heard = Evidence(runs=runs(*sorted(hours)), kernels=kernels(*hours, *more))
    assert in_one_zone(heard) == heard


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def start(home: Home, name: str, at_ns: int) -> None:
    runtime = home.path / ".local/share/jupyter/runtime"
    runtime.mkdir(parents=True, exist_ok=True)
    path = runtime / f"kernel-{name}.json"
    told: dict[str, Any] = {"kernel_name": "python3", "jupyter_session": str(home.work / name)}
    path.write_text(json.dumps(told))
    os.utime(path, ns=(at_ns, at_ns))


@pytest.mark.parametrize("off", [-5, 2])
def test_lost_notebook_gets_what_ran_on_a_journey(home: Home, off: int) -> None:
    """Not another notebook's code, and nothing that its file has already."""
    ran = ["rows = [3, 1, 2]", "rows.sort()", "spread = max(rows) - min(rows)"]
    history = home.path / ".ipython/profile_default/history.sqlite"
    make_history(history, [ran, ["other = 'one'", "print(other)"]])
    scope = home.scope(None)
    heard = search.gather(scope, search.look(scope).traces)
    first, second = (each.started_ns or 0 for each in heard.runs)
    start(home, "analysis.ipynb", first - off * HOUR - SECOND)
    start(home, "other.ipynb", second - off * HOUR - SECOND)
    made = recover(home.scope())
    assert isinstance(made, Recovery)
    assert [each.cell.source for each in made.rebuilt.cells] == ran
    path = home.work / "analysis.ipynb"
    path.write_text(notebook_text(*ran))
    saved = first - off * HOUR + 60 * SECOND
    os.utime(path, ns=(saved, saved))
    made = recover(home.scope())
    assert isinstance(made, Recovery)
    assert made.adds_nothing
