"""Which sessions of IPython's history belong to a notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from jupyter_rewind.recovery.attribution import attribute
from jupyter_rewind.recovery.evidence import (
    Evidence,
    EvidenceCell,
    FoundDocument,
    FoundKernel,
    FoundName,
    FoundRun,
)
from jupyter_rewind.recovery.sameruns import merge_runs
from tests.support.evidence import CHECKPOINT, HISTORY, TARGET, kernel, session

SALES = [
    "sales = pd.read_csv('sales.csv')",
    "sales['margin'] = sales.price - sales.cost",
    "by_region = sales.groupby('region').margin.sum()",
    "by_region.plot.barh(title='Margin by region')",
]
WEATHER = [
    "stations = xr.open_dataset('stations.nc')",
    "anomaly = stations.temp - stations.temp.mean('time')",
    "anomaly.sel(station='Zugspitze').plot()",
    "trend = anomaly.polyfit('time', 1)",
]
LATER = [
    "low = sales[sales.margin < by_region.margin]",
    "sales.price.plot.barh(title='Price')",
    "by_region.plot.barh()",
]


def numbers(
    runs: Sequence[FoundRun],
    sources: Sequence[str] = (),
    kernels: Sequence[FoundKernel] = (),
    names: Sequence[FoundName] = (),
    documents: Sequence[FoundDocument] = (),
) -> list[int]:
    evidence = Evidence(
        tuple(documents), runs=tuple(runs), kernels=tuple(kernels), names=tuple(names)
    )
    return [each.run.session for each in attribute(TARGET, evidence, sources)]


def test_session_with_the_notebooks_cells_is_the_notebooks() -> None:
    """A session that ran this notebook's cells is found among others."""
    assert numbers([session(1, WEATHER), session(2, SALES, at=900)], SALES) == [2]


def test_session_of_new_cells_is_found_by_its_names() -> None:
    """A session after a restart that ran only new cells is this notebook's by what it speaks of."""
    runs = [
        session(1, SALES, at=10, lasting=60),
        session(2, WEATHER, at=30),
        session(3, LATER, at=100, lasting=60),
    ]
    assert numbers(runs, SALES) == [1, 3]


def test_connection_file_names_the_notebook_of_a_session() -> None:
    """A kernel's connection file says whose session began at its moment, whatever was run."""
    runs = [session(1, ["a = 1"], at=10), session(2, ["b = 2"], at=500)]
    kernels = [kernel(TARGET, at=9), kernel("/home/ann/other.ipynb", at=499)]
    assert numbers(runs, ["nothing = alike"], kernels) == [1]


def test_connection_file_of_another_notebook_keeps_its_session_away() -> None:
    """Cells copied from here do not make another notebook's session ours."""
    runs = [session(1, [*SALES, "more = 1"], at=10)]
    assert numbers(runs, SALES, [kernel("/home/ann/copy.ipynb", at=9)]) == []


def test_each_connection_file_stands_for_one_session() -> None:
    """A session that began seconds after a kernel of ours need not be ours."""
    runs = [session(1, ["a = 1"], at=10), session(2, ["b = 2"], at=14)]
    assert numbers(runs, SALES, [kernel(TARGET, at=9)]) == [1]


def test_earlier_name_of_the_notebook_counts() -> None:
    """Sessions from before the notebook was renamed are still its own."""
    old = "/home/ann/untitled.ipynb"
    names = [FoundName(HISTORY, str(TARGET), name=old)]
    assert numbers([session(1, ["a = 1"])], SALES, [kernel(old, at=9)], names) == [1]


def test_one_copied_cell_is_not_enough() -> None:
    """One cell in common, among many others, does not make a session this notebook's."""
    others = [f"{word} = simulate_{word}(seed={n})" for n, word in enumerate("abcdefgh")]
    assert numbers([session(1, [*WEATHER, *others, SALES[1]])], SALES) == []


def test_newest_session_is_tried_where_nothing_else_is_known() -> None:
    """With no document and no connection file the newest session is the best guess, and said so."""
    evidence = Evidence(runs=(session(1, SALES, at=10), session(2, WEATHER, at=5000)))
    [only] = attribute(Path("/home/ann/gone.ipynb"), evidence, ())
    assert (only.run.session, only.certain) == (2, False)
    assert "guess" in only.words


def test_same_session_of_two_copies_is_one() -> None:
    """A history and its journal, or a copy of it, give each session once, with all its lines."""
    whole, part = session(1, SALES), session(1, SALES[:2])
    [merged] = merge_runs([part, whole])
    assert [each.source for each in merged.executions] == SALES


def test_sessions_that_share_only_a_number_stay_apart() -> None:
    """Two histories number their sessions alike; what was run tells them apart."""
    assert len(merge_runs([session(1, SALES), session(1, WEATHER)])) == 2
    assert len(merge_runs([session(1, SALES), session(1, SALES, at=999)])) == 2


def saved(cells: Mapping[int, str], **language: str) -> FoundDocument:
    """The notebook as it was saved: the code of its cells under their counts."""
    made = tuple(EvidenceCell("code", text, execution_count=n) for n, text in cells.items())
    metadata = {"kernelspec": {"name": "k", "display_name": "K", **language}}
    return FoundDocument(CHECKPOINT, made, metadata)


def test_notebook_that_was_renamed_keeps_its_session() -> None:
    """Untitled.ipynb became report.ipynb: cells with the session's counts say whose it is."""
    untitled = replace(kernel("/home/ann/Untitled.ipynb", at=9), gone=True)
    document = saved({1: SALES[0], 2: SALES[1]})
    runs = [session(1, [*SALES, *WEATHER])]
    assert numbers(runs, SALES[:2], [untitled], documents=[document]) == [1]


def test_notebook_that_is_still_there_keeps_its_session_to_itself() -> None:
    """A copy has the same cells and counts; while the original is there, the session is its."""
    document = saved({1: SALES[0], 2: SALES[1]})
    runs = [session(1, [*SALES, *WEATHER])]
    kernels = [kernel("/home/ann/original.ipynb", at=9)]
    assert numbers(runs, SALES[:2], kernels, documents=[document]) == []


def test_deleted_notebook_of_which_cells_were_pasted_is_no_earlier_name() -> None:
    """A session of a notebook that is gone is not ours for two cells that came from there."""
    gone = replace(kernel("/home/ann/gone.ipynb", at=9), gone=True)
    document = saved({1: SALES[0], 2: SALES[1], 3: "other = 1", 4: "more = 2", 5: "last = 3"})
    sources = [cell.source for cell in document.cells]
    runs = [session(1, [*SALES[:2], *WEATHER])]
    assert numbers(runs, sources, [gone], documents=[document]) == []


def test_restarted_kernel_stays_with_its_notebook() -> None:
    """After a restart the session has no file of its own, and may run nothing known: still ours."""
    runs = [
        session(1, SALES, at=10, lasting=60),
        session(2, WEATHER, at=71),
        session(3, ["other = 1"], at=73),
    ]
    kernels = [kernel(TARGET, at=9), kernel("/home/ann/other.ipynb", at=72)]
    assert numbers(runs, SALES, kernels) == [1, 2]


def test_restarted_kernel_of_another_notebook_stays_with_that() -> None:
    """A kernel of ours that was started seconds later does not take its session."""
    runs = [session(1, WEATHER, at=10, lasting=60), session(2, LATER, at=71), session(3, [], at=74)]
    kernels = [kernel("/home/ann/other.ipynb", at=9), kernel(TARGET, at=73)]
    assert numbers(runs, SALES, kernels) == []


def test_restart_is_known_by_the_moment_where_no_file_is_left() -> None:
    """A session that began a second after ours ended goes with it; one of minutes later alone."""
    runs = [session(1, SALES, at=10, lasting=60), session(2, WEATHER, at=71)]
    assert numbers(runs, SALES) == [1, 2]
    runs = [session(1, SALES, at=10, lasting=60), session(2, WEATHER, at=600)]
    assert numbers(runs, SALES) == [1]


def test_kernel_that_ran_nothing_gives_its_file_to_no_other() -> None:
    """Our kernel ran nothing; another's session, three seconds later, is not taken for ours."""
    runs = [session(1, [], at=10), session(2, WEATHER, at=13)]
    assert numbers(runs, SALES, [kernel(TARGET, at=9)]) == []


def test_sessions_of_ipython_are_no_notebooks_of_another_language() -> None:
    """A notebook in R never gets Python that was run at the same moment, or looks alike."""
    document = saved({1: SALES[0]}, language="R")
    runs = [session(1, SALES)]
    assert numbers(runs, SALES[:1], documents=[document]) == []
    assert numbers(runs, SALES[:1], [kernel(TARGET, at=9)], documents=[document]) == []


def test_kernel_that_is_told_of_twice_names_one_session() -> None:
    """File and process tell of one kernel: the next session, seconds later, is another one."""
    runs = [session(1, SALES, at=10), session(2, WEATHER, at=14)]
    file, process = (replace(kernel(TARGET, at=at), kernel="k1") for at in (9, 8))
    assert numbers(runs, SALES, [file, process]) == [1]


def test_kernel_of_another_language_names_no_session_of_ipython() -> None:
    """A kernel of R was started just before: the session that began then is somebody else's."""
    runs = [session(1, WEATHER)]
    kernels = [replace(kernel(TARGET, at=9), language="R")]
    assert numbers(runs, SALES, kernels) == []
