"""Code that is not known to be a cell: it comes back beside the notebook, and is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_rewind.recovery.evidence import (
    CHANGED,
    Evidence,
    FoundDocument,
    FoundRun,
    Fragment,
    Scope,
    Trace,
)
from jupyter_rewind.recovery.fragments import with_fragments
from jupyter_rewind.recovery.rebuild import Alternative, Rebuilt, rebuild
from jupyter_rewind.recovery.recover import Recovery, recover, to_notebook
from tests.support.evidence import HISTORY, TARGET, code, document, kernel, session, sources_of
from tests.support.histories import make_history
from tests.support.traces import Home, notebook_text

SCRIPT = "import os\n\ndef area(r):\n    return 3 * r * r\n\nprint(area(2))\n"
CELLS = [f"part_{n} = prepare(rows, step={n * 11})" for n in range(4)]
LIVE = Trace("live kernel", "/run/kernel-1.json", str(TARGET), words="a running kernel")
SCOPE = Scope(TARGET, TARGET.parent, TARGET.parent, Path("/tmp"))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def brought_back(home: Home, **more: object) -> Recovery:
    found = recover(home.scope(**more))
    assert isinstance(found, Recovery)
    return found


def garbled(source: str, line: int, number: int = 1) -> Fragment:
    """A text of a row that damage may have changed."""
    return Fragment(HISTORY, CHANGED, f"session {number}, line {line}", source, line, number)


def lives(name: str, source: str) -> Fragment:
    return Fragment(LIVE, "function", name, source)


def made_of(
    *fragments: Fragment,
    runs: Sequence[FoundRun] = (),
    documents: Sequence[FoundDocument] = (),
    scope: Scope = SCOPE,
) -> Rebuilt:
    kernels = (kernel(TARGET, at=9),)
    evidence = Evidence(tuple(documents), tuple(runs), fragments, kernels=kernels)
    return with_fragments(scope, rebuild(TARGET, evidence), evidence)


def kept(rebuilt: Rebuilt) -> list[str]:
    return [each.source for each in rebuilt.alternatives]


def test_row_that_damage_may_have_changed_is_kept_beside_the_notebook() -> None:
    """What reads of a hurt row of your session is not lost: it says where it is from, and why."""
    rebuilt = made_of(garbled("total = price * 2", 9), runs=[session(1, CELLS)])
    assert sources_of(rebuilt) == CELLS
    [one] = rebuilt.alternatives
    assert (one.source, one.origin.words) == ("total = price * 2", "session 1, line 9")
    assert one.words == "its history is damaged: this may be changed"
    [told] = [each for each in rebuilt.next_steps if "damaged history" in each]
    assert told.startswith("1 piece of code that ran is known from a damaged history alone")


def test_both_texts_of_a_row_are_kept_and_counted_as_one() -> None:
    """Nobody knows which of the two was run: both are there."""
    row = (garbled("total = price * 2", 9), garbled("total = prise * 2", 9))
    rebuilt = made_of(*row, runs=[session(1, CELLS)])
    assert kept(rebuilt) == ["total = price * 2", "total = prise * 2"]
    assert sum(each.startswith("1 piece of code that ran is") for each in rebuilt.next_steps) == 1


@pytest.mark.parametrize(
    "row",
    [
        (garbled("kept = load()", 9), garbled("kexx = load()", 9)),
        (garbled("part_x = prepare(rows, step=1)", 1),),
        (garbled("theirs = 1", 3, number=7),),
    ],
    ids=["saved", "sound in another trace", "of another session"],
)
def test_row_that_is_known_or_of_another_session_is_not_told(row: tuple[Fragment, ...]) -> None:
    """A cell that you have whole needs no hurt copy, and what others ran is not yours."""
    saved = document(*CELLS, "kept = load()")
    theirs = session(7, ["wind = measure(stations)", "gust(wind)"], at=5000, notebook="/b.ipynb")
    rebuilt = made_of(*row, runs=[session(1, CELLS), theirs], documents=[saved])
    assert not {each.source for each in row} & set(kept(rebuilt))
    assert not any("damaged history" in each for each in rebuilt.next_steps)


def test_session_of_which_no_row_is_sound_is_known_by_its_kernel() -> None:
    """All that ran is hurt: the connection file still says whose it was."""
    rebuilt = made_of(garbled("total = price * 2", 1), runs=[session(1, [])])
    assert kept(rebuilt) == ["total = price * 2"]


def test_function_that_lives_in_the_kernel_alone_is_kept() -> None:
    """A function that no history has is given as it lives in your kernel."""
    source = "def silent(y):\n    return y * 3\n"
    rebuilt = made_of(lives("silent", source), documents=[document(*CELLS)])
    assert rebuilt.alternatives == (
        Alternative(
            source.rstrip(),
            replace(rebuilt.alternatives[0].origin, words="a running kernel, function silent"),
            "as it lives in the kernel",
            0.3,
        ),
    )
    assert any("(function silent)" in each for each in rebuilt.next_steps)


def test_function_that_stands_in_a_cell_is_not_told_again() -> None:
    """A kernel's functions are mostly those of its cells."""
    cell = code("import os\n\ndef area(r):\n    return 3 * r * r\n\nprint(area(2))")
    rebuilt = made_of(
        lives("area", "def area(r):\n    return 3 * r * r\n"), documents=[document(cell)]
    )
    assert (rebuilt.alternatives, [e for e in rebuilt.next_steps if "area" in e]) == ((), [])


def test_kernel_as_it_is_now_says_nothing_of_an_earlier_moment() -> None:
    """You asked for yesterday's notebook: what lives today is left out."""
    scope = replace(SCOPE, until_ns=1)
    assert not kept(made_of(lives("f", "def f(): pass"), documents=[document("x")], scope=scope))


def test_script_of_the_notebooks_name_is_a_doubtful_cell_where_nothing_else_is_left(
    home: Home,
) -> None:
    """Your only code is in analysis.py: you get it, and a word that it may be another's."""
    (home.work / "analysis.py").write_text(SCRIPT)
    found = brought_back(home)
    [cell] = found.rebuilt.cells
    assert cell.cell.source == SCRIPT.rstrip()
    assert cell.confidence < 0.5
    assert "no marks of cells" in cell.words
    assert any("analysis.py has the notebook's name" in e for e in found.rebuilt.next_steps)


def test_script_of_another_folder_is_named_and_taken_only_when_asked_for(home: Home) -> None:
    """Many programs have the same name: pkg/analysis.py is told, not taken."""
    script = home.work / "pkg" / "analysis.py"
    script.parent.mkdir()
    script.write_text(SCRIPT)
    found = recover(home.scope())
    assert not isinstance(found, Recovery)
    assert any(each.endswith(f"--scan {script}") for each in found.next_steps)
    [cell] = brought_back(home, scan=(script,)).rebuilt.cells
    assert cell.cell.source == SCRIPT.rstrip()


def test_script_is_kept_beside_what_came_back(home: Home) -> None:
    """A saved state is the notebook, and the script's text is there, too."""
    checkpoint = home.work / ".ipynb_checkpoints" / "analysis-checkpoint.ipynb"
    checkpoint.parent.mkdir()
    checkpoint.write_text(notebook_text("x = 1", "y = 2"))
    (home.work / "analysis.py").write_text(SCRIPT)
    rebuilt = brought_back(home).rebuilt
    assert sources_of(rebuilt) == ["x = 1", "y = 2"]
    assert kept(rebuilt) == [SCRIPT.rstrip()]
    assert to_notebook(rebuilt)["metadata"]["rewind"]["alternatives"][0]["from"].startswith(
        "analysis.py"
    )


@pytest.mark.parametrize(
    ("name", "saved"),
    [
        ("analysis.ipynb", ("x = 1",)),
        (
            ".ipynb_checkpoints/analysis-checkpoint.ipynb",
            ("import os\n\ndef area(r):\n    return 3 * r * r", "print(area(2))\nx = 1"),
        ),
    ],
    ids=["whole file", "same lines"],
)
def test_script_that_gives_nothing_is_not_told(
    home: Home, name: str, saved: tuple[str, ...]
) -> None:
    """A module beside a whole notebook is none of its cells; a script of its lines says nothing."""
    (home.work / name).parent.mkdir(exist_ok=True)
    (home.work / name).write_text(notebook_text(*saved))
    (home.work / "analysis.py").write_text(SCRIPT)
    rebuilt = brought_back(home).rebuilt
    assert kept(rebuilt) == []
    assert not any("analysis.py" in each for each in rebuilt.next_steps)


def test_hurt_row_of_a_real_history_comes_back(home: Home) -> None:
    """Two bytes of a history are spoilt: the cell is given from its other copy, with a word."""
    history = home.path / ".ipython" / "profile_default" / "history.sqlite"
    make_history(history, [[*CELLS, "total = price * 2"]])
    raw = bytearray(history.read_bytes())
    at = raw.index(b"price")
    raw[at : at + 2] = b"\xff\xfe"
    history.write_bytes(bytes(100) + raw[100:])
    rebuilt = brought_back(home).rebuilt
    assert sources_of(rebuilt) == CELLS
    assert kept(rebuilt) == ["total = price * 2"]
