"""Names that were given away: a connection file has the name of when its kernel began."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from jupyter_rewind.recovery.attribution import Attribution
from jupyter_rewind.recovery.evidence import Evidence, FoundDocument, FoundName, FoundRun, Trace
from jupyter_rewind.recovery.rebuild import Rebuilt, rebuild
from jupyter_rewind.recovery.recover import Recovery, recover
from jupyter_rewind.recovery.sessions import place_all
from jupyter_rewind.recovery.traces.history import HistoryFinder
from tests.support.evidence import (
    HISTORY,
    SAVED,
    SECOND,
    code,
    document,
    kernel,
    session,
    sources_of,
)
from tests.support.histories import make_history
from tests.support.traces import Home, notebook_text, traces_of

PRICES, UNTITLED = Path("/home/ann/prices.ipynb"), Path("/home/ann/Untitled.ipynb")
OLD = [f"part_{n} = prepare(rows, step={n * 11})" for n in range(6)]
MORE = ["median = sorted(part_1)[3]", "scores = [each - median for each in part_2]"]
NEW = ["tickets = {}", "tickets['ana'] = sell(3, seats=2)", "paid = sum(tickets.values())"]
UNSAVED = "report(tickets, paid)"
FIRST = session(1, [*OLD, *MORE], at=10, lasting=None)
SECOND_ONE = session(2, [*NEW, UNSAVED], at=2000, lasting=None)
KERNELS = (kernel(UNTITLED, at=9), kernel(UNTITLED, at=1999))


def saved(place: Path, sources: Sequence[str], at: int = 3000) -> FoundDocument:
    """A file whose cells have the counts under which they ran."""
    cells = (replace(code(each), execution_count=n) for n, each in enumerate(sources, 1))
    return document(*cells, at=at, trace=Trace("file", str(place), str(place)))


def made(target: Path, *documents: FoundDocument, names: Sequence[FoundName] = ()) -> Rebuilt:
    """What comes back of `target` where both kernels were started for Untitled.ipynb."""
    own = tuple(each for each in documents if each.trace.notebook == str(target))
    beside = tuple(each for each in documents if each.trace.notebook != str(target))
    runs: tuple[FoundRun, ...] = (FIRST, SECOND_ONE)
    return rebuild(
        target, Evidence(own, runs, kernels=KERNELS, names=tuple(names), siblings=beside)
    )


FILES = (saved(PRICES, OLD, at=1000), saved(UNTITLED, NEW))


def test_renamed_notebook_keeps_its_session_when_its_name_is_given_to_a_new_one() -> None:
    """Untitled became prices, and Jupyter called the next notebook Untitled: cells tell."""
    assert sources_of(made(PRICES, *FILES)) == [*OLD, *MORE]


def test_new_notebook_gets_nothing_of_the_one_that_had_its_name() -> None:
    """The session is named with the notebook that has its cells, and kept beside."""
    rebuilt = made(UNTITLED, *FILES)
    assert sources_of(rebuilt) == [*NEW, UNSAVED]
    assert any("Session 1 is more like /home/ann/prices.ipynb" in e for e in rebuilt.next_steps)


SHOP = Path("/home/ann/shop.ipynb")


def test_session_goes_with_the_notebook_that_was_saved_under_another_name() -> None:
    """The old file is left as it was: what ran since is the new notebook's."""
    left = saved(UNTITLED, OLD[:3], at=100)
    new = saved(SHOP, OLD, at=300)
    rebuilt = made(SHOP, left, new)
    assert sources_of(rebuilt) == [*OLD, *MORE]
    heard = Evidence((left,), (FIRST,), kernels=KERNELS[:1], siblings=(new,))
    assert sources_of(rebuild(UNTITLED, heard)) == OLD[:3], "nothing is laid into the old one"
    placed = place_all(Attribution(Evidence((left, new), (FIRST,), kernels=KERNELS[:1])))
    assert [each.notebook for each in placed] == [str(SHOP)]


def test_session_stays_where_the_other_notebook_was_not_saved_later_with_all_of_it() -> None:
    """A copy made before its notebook went on, or of which the notebook was cut down since, and one
    that has other cells, take nothing."""
    for left, other in (
        (saved(UNTITLED, OLD, at=300), saved(SHOP, OLD[:4], at=100)),
        (saved(UNTITLED, OLD[:3], at=300), saved(SHOP, OLD, at=100)),
        (saved(UNTITLED, OLD[:3], at=100), saved(SHOP, ["draw()", *OLD[1:]], at=300)),
        (saved(UNTITLED, [*OLD[:3], *NEW, MORE[0]], at=100), saved(SHOP, OLD, at=300)),
    ):
        owner = place_all(Attribution(Evidence((left, other), (FIRST,), kernels=KERNELS[:1])))
        assert [each.notebook for each in owner] == [str(UNTITLED)]


def test_a_session_that_is_hinted_at_is_not_denied_in_the_next_step() -> None:
    """One step names a session that may be its own: the next does not say that there is none."""
    left, new = saved(UNTITLED, OLD[:3], at=100), saved(SHOP, OLD, at=300)
    heard = Evidence((left,), (FIRST,), kernels=KERNELS[:1], siblings=(new,))
    steps = rebuild(UNTITLED, heard).next_steps
    assert any("Session 1" in each and "--session 1" in each for each in steps)
    assert not any("No recorded session" in each for each in steps)


def test_journal_of_a_kernel_knows_no_rename() -> None:
    """Rewind's journal in a kernel has the name of when that began, too."""
    first = replace(FIRST, notebook=str(UNTITLED), certain=True)
    heard = Evidence((FILES[0],), (first, SECOND_ONE), kernels=KERNELS, siblings=FILES[1:])
    assert sources_of(rebuild(PRICES, heard)) == [*OLD, *MORE]
    heard = Evidence(FILES[1:], (first, SECOND_ONE), kernels=KERNELS, siblings=FILES[:1])
    assert sources_of(rebuild(UNTITLED, heard)) == [*NEW, UNSAVED]
    asked = replace(heard, runs=(replace(first, asked=True),))
    assert set(OLD) <= set(sources_of(rebuild(UNTITLED, asked))), "what you name is taken"


def test_sessions_are_listed_with_the_notebooks_that_have_their_cells() -> None:
    """`jupyter rewind sessions` follows the cells, as recovering does."""
    heard = Evidence(FILES, (FIRST, SECOND_ONE), kernels=KERNELS)
    placed = place_all(Attribution(heard))
    assert [each.notebook for each in placed] == [str(PRICES), str(UNTITLED)]


def test_name_of_a_notebook_that_is_gone_gives_its_cells_to_no_other() -> None:
    """prices was deleted, too: of its session nothing is in the new Untitled, and it is told."""
    rebuilt = made(UNTITLED, FILES[1])
    assert sources_of(rebuilt) == [*NEW, UNSAVED]
    [told] = [each for each in rebuilt.next_steps if each.startswith("Session 1 was left out")]
    assert told.endswith("recover /home/ann/Untitled.ipynb --session 1 --session 2")
    assert set(OLD) <= {each.source for each in rebuilt.alternatives}


def test_session_before_the_last_save_that_has_cells_in_it_stays() -> None:
    """A kernel that died, and the one of the next day: both are the notebook's."""
    rebuilt = made(UNTITLED, saved(UNTITLED, [*NEW, OLD[0]]))
    assert [each.run.session for each in rebuilt.sessions] == [1, 2]


def test_emptied_notebook_keeps_its_session_beside_a_copy() -> None:
    """The file was emptied: a copy under another name takes nothing from it."""
    rebuilt = made(UNTITLED, saved(PRICES, OLD, at=1000), saved(UNTITLED, []))
    assert set(OLD) <= set(sources_of(rebuilt))


def test_copy_takes_no_session_from_a_notebook_that_was_run_anew() -> None:
    """The original was run again in another order: its code is still there, so it is its."""
    again = saved(UNTITLED, OLD[::-1])
    rebuilt = made(PRICES, saved(PRICES, OLD, at=1000), again)
    assert not rebuilt.sessions


def test_former_name_counts_until_the_rename() -> None:
    """Rewind knows when prices was renamed: what ran later under its old name is another's."""
    until = SAVED + 1500 * SECOND
    names = [FoundName(HISTORY, str(PRICES), str(UNTITLED), time_ns=until)]
    rebuilt = made(PRICES, *FILES, names=names)
    assert [each.run.session for each in rebuilt.sessions] == [1]
    assert sources_of(rebuilt) == [*OLD, *MORE]


def test_notebook_that_moved_to_another_folder_keeps_its_session(tmp_path: Path) -> None:
    """The name that its kernel began with is another notebook's, in the folder that it left."""
    home = Home(tmp_path / "home")
    left, moved = home.work / "Untitled.ipynb", home.work / "done" / "prices.ipynb"
    moved.parent.mkdir()
    for place, sources in ((moved, OLD), (left, NEW)):
        book = json.loads(notebook_text(*sources))
        for count, cell in enumerate(book["cells"], 1):
            cell["execution_count"] = count
        place.write_text(json.dumps(book))
    make_history(home.path / ".ipython/profile_default/history.sqlite", [[*OLD, *MORE]])
    connection = home.path / ".local/share/jupyter/runtime/kernel-1.json"
    connection.parent.mkdir(parents=True)
    connection.write_text(json.dumps({"jupyter_session": str(left)}))
    scope = home.scope("done/prices.ipynb", folder=moved.parent)
    [trace] = traces_of(HistoryFinder(), scope)
    started = HistoryFinder().read(trace, scope).runs[0].started_ns
    assert started is not None
    os.utime(connection, ns=(started - SECOND, started - SECOND))
    found = recover(scope)
    assert isinstance(found, Recovery)
    assert sources_of(found.rebuilt) == [*OLD, *MORE]


SETUP = ["import csv, json", "rows = list(csv.reader(open('rows.csv')))"]


def test_a_new_notebook_that_begins_as_the_renamed_one_takes_nothing_of_it() -> None:
    """Untitled became prices, and the next Untitled begins with the same imports and the same data:
    each has what ran in its own kernel."""
    runs = (
        session(1, [*SETUP, *OLD], at=10, lasting=None),
        session(2, [*SETUP, *NEW, UNSAVED], at=2000, lasting=None),
    )
    prices = saved(PRICES, [*SETUP, *OLD], at=1000)
    trace = Trace("checkpoint", "/home/ann/.ipynb_checkpoints/Untitled-checkpoint.ipynb")
    untitled = replace(
        saved(UNTITLED, SETUP, at=2010), trace=replace(trace, notebook=str(UNTITLED))
    )
    kernels = tuple(replace(each, gone=True) for each in KERNELS)
    found = rebuild(UNTITLED, Evidence((untitled,), runs, kernels=kernels, siblings=(prices,)))
    assert sources_of(found) == [*SETUP, *NEW, UNSAVED]
    found = rebuild(PRICES, Evidence((prices,), runs, kernels=kernels))
    assert sources_of(found) == [*SETUP, *OLD]


def test_what_only_begins_as_the_renamed_one_is_told_and_not_taken() -> None:
    """The new Untitled is gone, too; what its session has of prices ran in prices' own before."""
    begin = [*SETUP, "first, *rest = sorted(rows)", "width = max(map(len, rest))"]
    prices = saved(PRICES, [*begin, *OLD], at=1000)
    runs = (
        session(1, [*begin, *OLD], at=10, lasting=None),
        session(2, [*begin, UNSAVED], at=2000, lasting=None),
    )
    kernels = tuple(replace(each, gone=True) for each in KERNELS)
    found = rebuild(PRICES, Evidence((prices,), runs, kernels=kernels))
    assert sources_of(found) == [*begin, *OLD]
    assert any("its earlier name, perhaps" in each for each in found.next_steps)
