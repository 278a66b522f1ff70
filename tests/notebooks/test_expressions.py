"""Which expressions are searched for: those that cannot keep a server from its work."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_rewind.errors import InvalidInput
from jupyter_rewind.notebooks.expressions import MAX_PARTS, count_parts, make_finder


def places(text: str, whole: str) -> list[int]:
    return list(make_finder(text, is_expression=True, seconds=60.0)(whole))


@pytest.mark.parametrize(
    "text",
    [
        "(?:(?:(?:a|b|c){200}){200}){200}",
        "(((((a{9}){9}){9}){9}){9}){9}",
        "(?:a{300}){0,300}",
        "(?:[]})]{300}){300}",
        r"(?:\({300}){300}",
        "a" * 6000,
        "(?:" * 2000 + ")" * 2000,
    ],
)
def test_what_takes_long_to_make_ready_is_refused_at_once(text: str) -> None:
    """The engine is not even asked, for nothing else would run meanwhile."""
    with pytest.raises(InvalidInput, match="too large"):
        make_finder(text, is_expression=True, seconds=60.0)


@pytest.mark.parametrize("text", ["(?R)", "a(?1)(b)", "(?P<x>a(?&x)?)", "(a(?-1)?)", "((?P>y))"])
def test_what_calls_itself_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="calls itself"):
        make_finder(text, is_expression=True, seconds=60.0)


@pytest.mark.parametrize(
    "text",
    [
        "(?x)(?: (?: (?:a|b|c) {200} ) {200} ) {200}",
        "(?ix:a)",
        "(?i-x:a)",
        "(?V1)(?:(?:(?:a|b|c){200}[[]x)]){200}){200}",
    ],
)
def test_what_changes_how_it_is_read_is_refused(text: str) -> None:
    """Its parts cannot be counted before it is made ready."""
    with pytest.raises(InvalidInput, match="flag"):
        make_finder(text, is_expression=True, seconds=60.0)


def test_a_comment_hides_no_repetition() -> None:
    with pytest.raises(InvalidInput, match="too large"):
        make_finder("(?:(?:(?:a|b){200}){200})(?#c){200}", is_expression=True, seconds=60.0)


@pytest.mark.parametrize(
    ("text", "whole", "found"),
    [
        (r"print\(?1", "print(1) print1", [0, 9]),
        (r"[(?1)]+", "x(1)", [1]),
        (r"\d{4}-\d{2}", "on 2026-11-21", [3]),
        (r"(?:\w{1,20}\.){1,20}fit", "a.b.fit", [0]),
        (r"a{,3}b", "aab", [0]),
        (r"x{1,", "x{1,", [0]),
        (r"[]a]{2}", "]a", [0]),
        (r"(?i)Total", "total", [0]),
        (r"a(?#as it was)b", "ab", [0]),
        (r"(?P<x>a)\1", "aa", [0]),
    ],
)
def test_what_people_write_is_found(text: str, whole: str, found: list[int]) -> None:
    assert places(text, whole) == found


def test_what_is_no_expression_is_said_so() -> None:
    """Also where the engine gives up because it is too deep."""
    for text in ("(", "a)", "[", "*a", "a{3,2}"):
        with pytest.raises(InvalidInput, match="not a regular expression"):
            places(text, "a")
    with pytest.raises(InvalidInput, match="too large"):
        places("(?:" * 900 + "a" + ")" * 900, "a")


_PARTS = st.recursive(
    st.sampled_from(["a", r"\(", "[(]", "[^]x]", r"\d", "."]),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.tuples(inner, st.integers(0, 6), st.integers(0, 4)).map(
            lambda told: f"(?:{told[0]}){{{told[1]},{told[1] + told[2]}}}"
        ),
        st.tuples(inner, inner).map(lambda told: f"({told[0]}|{told[1]})"),
    ),
    max_leaves=12,
)


@given(_PARTS)
def test_the_count_is_not_below_what_is_written_out(text: str) -> None:
    """Repetitions written out by hand have at least as many letters as parts that match one."""
    written = text
    while True:
        # The innermost repetition, of what has no group in it, becomes what it stands for.
        found = re.search(r"\(\?:((?:\\.|\[\^?\]?[^]]*\]|[^()\\\[])*)\)\{(\d+),(\d+)\}", written)
        if found is None:
            break
        written = written[: found.start()] + "a" * int(found[3]) + written[found.end() :]
    assert count_parts(text) >= count_parts(written)
    if count_parts(text) <= MAX_PARTS:
        make_finder(text, is_expression=True, seconds=60.0)
