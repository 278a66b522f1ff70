"""Searching all code that was ever run."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_rewind.errors import InvalidInput
from jupyter_rewind.recovery.definitions import definitions, find_definitions, parse_query
from jupyter_rewind.recovery.evidence import Problem
from jupyter_rewind.recovery.grep import Hit, Match, by_definition, by_pattern, grep
from tests.support.histories import make_history
from tests.support.traces import Home

FIT = "import numpy as np\n\n@cache\ndef fit(x):\n    y = x\n    return y\n\nprint(fit(2))"
SESSIONS = [
    ["x = 1", FIT, "def fit_all(xs):\n    return [fit(x) for x in xs]", FIT],
    ["%time fit(3)", "class Model:\n    def fit(self):\n        pass", "x = fit(1"],
]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    make_history(home.path / ".ipython" / "profile_default" / "history.sqlite", SESSIONS)
    return home


def hits(home: Home, match: Match, **more: object) -> list[tuple[int, int, tuple[int, ...]]]:
    found = list(grep(home.scope(None, **more), match))
    assert not [each for each in found if isinstance(each, Problem)]
    return [(each.session, each.line, each.lines) for each in found if isinstance(each, Hit)]


def test_pattern_is_found_with_its_lines_once_a_session(home: Home) -> None:
    """A search tells session, cell and lines; a cell run twice is told once."""
    assert hits(home, by_pattern(r"^def \w+")) == [(1, 2, (4,)), (1, 3, (1,))]


def test_plain_text_is_meant_literally(home: Home) -> None:
    """Without regular expressions, brackets are brackets."""
    assert hits(home, by_pattern("fit(1", regex=False)) == [(2, 3, (1,))]


def test_case_can_be_ignored(home: Home) -> None:
    """MODEL finds Model where case does not matter."""
    assert hits(home, by_pattern("MODEL")) == []
    assert hits(home, by_pattern("MODEL", ignore_case=True)) == [(2, 2, (1,))]


def test_dates_bound_the_search(home: Home) -> None:
    """Sessions that began after --until are left out."""
    everything = list(grep(home.scope(None), by_pattern("fit")))
    first = min(each.started_ns or 0 for each in everything if isinstance(each, Hit))
    assert {session for session, _, _ in hits(home, by_pattern("fit"), until_ns=first)} == {1}


def test_definition_is_found_and_not_its_use(home: Home) -> None:
    """grep --python "def fit" finds where fit is made, decorators and body included."""
    assert hits(home, by_definition("def fit")) == [(1, 2, (3, 4, 5, 6)), (2, 2, (2, 3))]
    assert hits(home, by_definition("class Model")) == [(2, 2, (1, 2, 3))]
    assert hits(home, by_definition("def fit*")) == [
        (1, 2, (3, 4, 5, 6)),
        (1, 3, (1, 2)),
        (2, 2, (2, 3)),
    ]


def test_history_that_cannot_be_read_is_told(home: Home) -> None:
    """A damaged history is a problem in words; the others are searched."""
    other = home.path / ".ipython" / "profile_other" / "history.sqlite"
    other.parent.mkdir()
    other.write_bytes(b"SQLite format 3\0" + b"\x07" * 5000)
    found = list(grep(home.scope(None), by_pattern("Model")))
    assert [each.place for each in found if isinstance(each, Problem)] == [str(other)]
    assert [each.session for each in found if isinstance(each, Hit)] == [2]


def test_row_that_damage_may_have_changed_is_searched_and_says_so(tmp_path: Path) -> None:
    """What reads of a hurt row is found, too, and the sound rows carry no such word."""
    home = Home(tmp_path / "home")
    path = home.path / ".ipython" / "profile_default" / "history.sqlite"
    make_history(path, [["price = 2", "total = price * amount"], ["total = 0"]])
    raw = bytearray(path.read_bytes())
    at = raw.index(b"* amount")
    raw[at : at + 2] = b"\xff\xfe"
    path.write_bytes(bytes(100) + raw[100:])
    found = [e for e in grep(home.scope(None), by_pattern("total")) if isinstance(e, Hit)]
    assert [(each.session, each.line, each.source, each.words) for each in found] == [
        (2, 1, "total = 0", ""),
        (1, 2, "total = price * amount", "its history is damaged: this may be changed"),
    ]


@pytest.mark.parametrize(
    ("source", "query", "first"),
    [
        ("%matplotlib inline\ndef f():\n    !ls\n    x?\n", "def f", 2),
        ("async def f():\n    await g()", "def f", 1),
        ("def f(:\n    pass\ny = 1", "def f", 1),
        ("print 'python 2'\ndef f():\n    print 'x'\n", "def f", 2),
        (">>> def f():\n...     pass", "def f", 1),
        ("x: int = 3", "x =", 1),
        ("(a, b), *c = g()", "c =", 1),
        ("from sklearn.svm import SVC as machine", "import machine", 1),
        ("from sklearn.svm import SVC", "from sklearn.svm", 1),
        ("if (n := 10) > 5: pass", "n", 1),
        ("files = !ls\ndef f(): pass", "def f", 2),
    ],
)
def test_definitions_of_real_cells_are_found(source: str, query: str, first: int) -> None:
    """Magics, prompts, Python 2 and broken code hide no definition."""
    [found] = find_definitions(source, parse_query(query))
    assert found.first == first


@pytest.mark.parametrize("query", ["", "def", "def f g", "1 + 1", "lambda: 0"])
def test_query_that_names_nothing_is_refused_with_words(query: str) -> None:
    """What is no name of a definition is answered with how to write one."""
    if query in {"def"}:
        assert parse_query(query).name == "def"
        return
    with pytest.raises(InvalidInput, match="names no definition"):
        parse_query(query)


def test_broken_pattern_is_refused_with_words() -> None:
    """A pattern that is none is told, with what to do."""
    with pytest.raises(InvalidInput, match="no regular expression"):
        by_pattern("def (")


ENDLESS = "(a|aa)+$"


def test_cell_that_takes_an_expression_for_ever_is_left_out_and_told(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where one cell takes too long, that cell is named, and all others are searched."""
    monkeypatch.setattr("jupyter_rewind.recovery.grep.TEXT_SECONDS", 0.1)
    path = home.path / ".ipython" / "profile_slow" / "history.sqlite"
    make_history(path, [["x = 1", f"'{'a' * 60}'", "a", f"'{'a' * 60}'"]])
    found = list(grep(home.scope(None), by_pattern(f"{ENDLESS}|^x")))
    [problem] = [each for each in found if isinstance(each, Problem)]
    assert problem.place == str(path)
    assert "session 1, line 2" in problem.words
    told = [(each.session, each.line) for each in found if isinstance(each, Hit)]
    assert told == [(1, 1), (2, 3), (1, 1), (1, 3)]


def test_expression_that_takes_for_ever_everywhere_is_given_up_in_words(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a few cells the search stops, and says what is wrong with the expression."""
    monkeypatch.setattr("jupyter_rewind.recovery.grep.TEXT_SECONDS", 0.1)
    slow = [f"{number}, '{'a' * 60}'" for number in range(100)]
    make_history(home.path / ".ipython" / "profile_slow" / "history.sqlite", [slow])
    with pytest.raises(InvalidInput, match="given up") as refused:
        list(grep(home.scope(None), by_pattern(ENDLESS)))
    assert "--fixed" in (refused.value.hint or "")


def test_quick_and_bounded_search_find_the_same(home: Home) -> None:
    """Whichever engine an expression is given to, the lines are the same."""
    for one, other in (("fit", "fit|fit"), (r"^def \w+", r"^def \w+|^def \w+"), ("1$", "1$|1$")):
        assert hits(home, by_pattern(one)) == hits(home, by_pattern(other)) != []


@settings(max_examples=200, deadline=None)
@given(
    st.text(max_size=300)
    | st.lists(st.sampled_from([*FIT.split(" "), "\n", "(", "'''", "%", "\0"])).map(" ".join)
)
def test_no_text_breaks_the_search_for_definitions(source: str) -> None:
    """Whatever was typed, searching it does not fail, and lines told exist."""
    for each in definitions(source):
        assert 1 <= each.first <= each.last <= source.count("\n") + 1
