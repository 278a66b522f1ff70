"""Two notebooks on one kernel ("Use Kernel from Other Notebook"): the numbers of saved cells tell
whose each execution was."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from jupyter_rewind.recovery.attribution import Attribution
from jupyter_rewind.recovery.evidence import Evidence, FoundDocument, FoundRun, Trace
from jupyter_rewind.recovery.rebuild import Rebuilt, rebuild
from jupyter_rewind.recovery.recover import Recovery, recover
from jupyter_rewind.recovery.traces.history import HistoryFinder
from tests.support.evidence import TARGET, code, document, kernel, session, sources_of
from tests.support.histories import make_history
from tests.support.traces import Home, notebook_text, traces_of

ORDERS = [
    "import pandas as pd",
    "orders = pd.read_csv('orders.csv')",
    "orders['net'] = orders.gross * 0.8",
    "by_region = orders.groupby('region').net.sum()",
]
SINCE = [
    "top = by_region.nlargest(5)",
    "top.plot(kind='barh')",
    "orders.merge(targets, on='region')",
]
QUOTA = [
    "targets = pd.read_excel('targets.xlsx')",
    "targets['goal'] = targets.goal.fillna(0)",
    "def hit_rate(frame, goal):\n    return (frame.net > goal).mean()",
    "quota = hit_rate(orders, 1000)",
    "table = targets.assign(rate=quota)",
    "table.to_csv('quota.csv')",
]
RAN = [*ORDERS, *QUOTA[:2], SINCE[0], *QUOTA[2:4], SINCE[1], *QUOTA[4:], SINCE[2]]
COUNT = {source: number for number, source in enumerate(RAN, 1)}
OTHER = TARGET.with_name("quota.ipynb")
RUN, KERNEL = session(1, RAN, lasting=None), kernel(TARGET, at=9)


def saved(
    place: Path, sources: Sequence[str], counts: Mapping[str, int] = COUNT, kind: str = "file"
) -> FoundDocument:
    """A notebook whose cells have the numbers under which they ran."""
    cells = (replace(code(each), execution_count=counts.get(each)) for each in sources)
    return document(*cells, at=100, trace=Trace(kind, f"{place}.{kind}", str(place)))


def made(target: Path, own: FoundDocument, other: FoundDocument, run: FoundRun = RUN) -> Rebuilt:
    """What comes back of `target`, where the kernel was started for analysis.ipynb."""
    return rebuild(target, Evidence((own,), (run,), kernels=(KERNEL,), siblings=(other,)))


def test_cells_that_another_notebook_ran_on_the_kernel_are_not_laid_into_the_lost_one() -> None:
    """They stand in the other one, whole, with the numbers under which they ran."""
    rebuilt = made(TARGET, saved(TARGET, ORDERS, kind="checkpoint"), saved(OTHER, QUOTA))
    assert sources_of(rebuilt) == [*ORDERS, *SINCE]


def test_what_the_other_notebook_ran_is_kept_beside_and_told_with_the_way_to_bring_it_back() -> (
    None
):
    """Nothing that ran is missing from notebook and appendix; one command lays all of it."""
    rebuilt = made(TARGET, saved(TARGET, ORDERS, kind="checkpoint"), saved(OTHER, QUOTA))
    beside = {each.source: each.words for each in rebuilt.alternatives}
    assert dict.fromkeys(QUOTA, f"it ran in {OTHER}") == beside
    [told] = [each for each in rebuilt.next_steps if "on the same kernel" in each]
    assert f"Session 1 ran 6 cells of {OTHER}" in told
    assert told.endswith("jupyter rewind recover /home/ann/analysis.ipynb --session 1")


def test_session_that_you_name_is_laid_whole_where_its_kernel_was_the_notebooks() -> None:
    """The cells may have been pasted into the other one: your word counts."""
    asked = replace(RUN, notebook=str(TARGET), certain=True, asked=True)
    rebuilt = made(TARGET, saved(TARGET, ORDERS, kind="checkpoint"), saved(OTHER, QUOTA), asked)
    assert set(sources_of(rebuilt)) == set(RAN)


def test_lost_notebook_that_ran_on_anothers_kernel_is_told_of_the_session() -> None:
    """Its checkpoint has the numbers; the kernel was started for the other one, which is whole."""
    rebuilt = made(
        OTHER, saved(OTHER, QUOTA[:3], kind="checkpoint"), saved(TARGET, [*ORDERS, *SINCE])
    )
    [told] = [each for each in rebuilt.next_steps if each.startswith("Session 1 was left out")]
    assert told.endswith("jupyter rewind recover /home/ann/quota.ipynb --session 1")
    assert set(QUOTA) <= {*sources_of(rebuilt), *(each.source for each in rebuilt.alternatives)}
    assert not any("No recorded session" in each for each in rebuilt.next_steps)


def test_session_of_anothers_kernel_that_you_name_brings_none_of_the_others_cells() -> None:
    """What stands in the notebook for which the kernel was started is that one's."""
    asked = replace(RUN, notebook=str(OTHER), certain=True, asked=True)
    own = saved(OTHER, QUOTA[:3], kind="checkpoint")
    rebuilt = made(OTHER, own, saved(TARGET, [*ORDERS, *SINCE]), asked)
    assert sources_of(rebuilt) == QUOTA


def test_copy_of_the_notebook_takes_no_cell_of_its_session() -> None:
    """A copy shows what it was made from, under the same numbers, and more of it than is left."""
    whole = saved(OTHER, [*ORDERS, *QUOTA, *SINCE])
    rebuilt = made(TARGET, saved(TARGET, ORDERS, kind="checkpoint"), whole)
    assert set(sources_of(rebuilt)) == set(RAN)
    part = saved(OTHER, [*ORDERS[2:], *QUOTA])
    rebuilt = made(TARGET, saved(TARGET, ORDERS, kind="checkpoint"), part)
    assert set(sources_of(rebuilt)) == set(RAN)


def test_pasted_cells_take_nothing_where_most_of_the_other_notebook_ran_elsewhere() -> None:
    """Cells keep their numbers when they are pasted."""
    mine = ["load_stock('stock.db')", "stock = clean(raw)", "plan = order(stock)", "mail(plan)"]
    counts = {**COUNT, **{each: number for number, each in enumerate(mine, 40)}}
    other = saved(OTHER, [*QUOTA[:3], *mine], counts)
    rebuilt = made(TARGET, saved(TARGET, ORDERS, kind="checkpoint"), other)
    assert set(sources_of(rebuilt)) == set(RAN)


def test_notebook_that_shows_nothing_of_the_session_loses_nothing_of_it() -> None:
    """Without a number that says that it ran there, too, the kernel's own name counts."""
    own = saved(TARGET, ORDERS, {}, kind="checkpoint")
    heard = Evidence((own,), (RUN,), kernels=(KERNEL,), siblings=(saved(OTHER, QUOTA[:2]),))
    [run] = Attribution(heard).split(TARGET, ORDERS).own
    assert len(run.run.executions) == len(RAN)
    assert set(sources_of(rebuild(TARGET, heard))) == set(RAN)


def write(path: Path, sources: Sequence[str]) -> None:
    book = json.loads(notebook_text(*sources))
    for cell, source in zip(book["cells"], sources, strict=True):
        cell["execution_count"] = COUNT[source]
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(book))


def test_notebooks_beside_are_asked_for_a_session_that_you_name(tmp_path: Path) -> None:
    """`recover quota.ipynb --session 1` knows what of the session stands in the one beside."""
    home = Home(tmp_path / "home")
    write(home.work / "analysis.ipynb", [*ORDERS, *SINCE])
    write(home.work / ".ipynb_checkpoints/quota-checkpoint.ipynb", QUOTA[:3])
    make_history(home.path / ".ipython/profile_default/history.sqlite", [RAN])
    [trace] = traces_of(HistoryFinder(), home.scope(None))
    [run] = HistoryFinder().read(trace, home.scope(None)).runs
    assert run.started_ns is not None
    connection = home.path / ".local/share/jupyter/runtime/kernel-1.json"
    connection.parent.mkdir(parents=True)
    connection.write_text(json.dumps({"jupyter_session": str(home.work / "analysis.ipynb")}))
    os.utime(connection, ns=(run.started_ns - 10**9, run.started_ns - 10**9))
    found = recover(home.scope("quota.ipynb", sessions=(1,)))
    assert isinstance(found, Recovery)
    assert sources_of(found.rebuilt) == QUOTA
