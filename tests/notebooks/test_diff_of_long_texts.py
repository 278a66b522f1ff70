"""Diffs of texts that are too long to be compared letter by letter."""

from __future__ import annotations

import difflib
import json
import random
import string
from collections.abc import Iterator
from typing import Any

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbdime import patch, patch_notebook
from nbdime.diff_utils import to_diffentry_dicts
from nbdime.diffing import seq_bruteforce
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from jupyter_rewind.notebooks.abridging import Abridgement
from jupyter_rewind.notebooks.diff import Comparison, compare
from jupyter_rewind.notebooks.longtexts import LetterBudget, diff_long_texts

MOST_PAIRS = 30_000_000
"""Of letters, or of items: under a second's work."""


class TooMuchWork(BaseException):
    """Not to be taken for a failure of nbdime's."""


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The pairs of letters, lines and items that are compared: too many end the comparison."""
    done: list[int] = [0]

    def count(pairs: int) -> None:
        done[0] += pairs
        if done[0] > MOST_PAIRS:
            raise TooMuchWork

    class Counted(difflib.SequenceMatcher):  # type: ignore[type-arg]
        def __init__(self, *given: Any, **named: Any) -> None:
            super().__init__(*given, **named)
            if isinstance(self.a, str):
                count(len(self.a) * len(self.b))

    grid = seq_bruteforce.bruteforce_compare_grid

    def counted_grid(one: Any, two: Any, *given: Any) -> Any:
        count(len(one) * len(two))
        return grid(one, two, *given)

    monkeypatch.setattr(difflib, "SequenceMatcher", Counted)
    monkeypatch.setattr("nbdime.diffing.seq_difflib.SequenceMatcher", Counted)
    monkeypatch.setattr(seq_bruteforce, "bruteforce_compare_grid", counted_grid)
    yield done
    assert done[0] <= MOST_PAIRS


def picture(seed: int, size: int = 20_000) -> str:
    return "".join(random.Random(seed).choices(string.ascii_letters + string.digits, k=size))


def markdown(text: str) -> Any:
    return new_markdown_cell(text, id="a")


def showing(**data: Any) -> Any:
    named = {key.replace("_", "/"): value for key, value in data.items()}
    return new_code_cell("x", id="b", outputs=[new_output("display_data", data=named)])


def failing(text: str) -> Any:
    told = new_output("error", ename="E", evalue="e", traceback=["Traceback", text])
    return new_code_cell("x", id="a", outputs=[told])


def book(*cells: Any, **metadata: Any) -> bytes:
    return nbformat.writes(new_notebook(cells=list(cells), metadata=metadata)).encode()


def compared(before: bytes, after: bytes) -> Comparison:
    """What is told, once it is seen to make one notebook of the other."""
    found = compare(before, after, ("then", "now"))
    assert found.base is not None
    given = nbformat.reads(before.decode(), as_version=4)
    made = patch_notebook(given, to_diffentry_dicts(found.operations))
    assert made == nbformat.reads(after.decode(), as_version=4)
    return found


def drawn(seed: int) -> str:
    return f"# Plan\n![](data:image/png;base64,{picture(seed)})\nthe end"


ONE, TWO, NEAR = picture(1), picture(2), picture(3, 9_000)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (book(markdown(drawn(1))), book(markdown(drawn(2)))),
        (book(markdown(ONE)), book(markdown(ONE[:10_000] + "+" + ONE[10_000:]))),
        (book(showing(text_plain=ONE)), book(showing(text_plain=ONE + "+"))),
        (book(showing(text_html=f"<b>\n{ONE}")), book(showing(text_html=f"<b>\n{TWO}"))),
        (book(showing(application_json="<" + NEAR)), book(showing(application_json=">" + NEAR))),
        (book(failing(ONE)), book(failing(TWO))),
        (book(markdown("a"), w=ONE), book(markdown("a"), w=TWO)),
        (book(markdown("a"), w=[*range(20_000)]), book(markdown("a"), w=[*range(1, 20_000)])),
        (
            book(new_markdown_cell("a", id="a", attachments={"a": {"text/plain": ONE}})),
            book(new_markdown_cell("a", id="a", attachments={"a": {"text/plain": TWO}})),
        ),
    ],
    ids=[
        "a picture in a text", "a letter put in", "text", "html", "json", "an error", "metadata",
        "a list", "an attachment",
    ],
)  # fmt: skip
def test_no_line_is_too_long_to_be_compared_at_once(
    before: bytes, after: bytes, counted: list[int]
) -> None:
    """A notebook with another picture in its text took minutes, ten times as much hours."""
    assert compared(before, after).operations


def test_a_stream_of_one_long_line_is_compared_at_once(counted: list[int]) -> None:
    one, two = (
        book(new_code_cell("x", id="a", outputs=[new_output("stream", text=text)]))
        for text in (ONE, TWO)
    )
    assert compared(one, two).operations


def test_a_name_replaced_all_over_a_long_cell_is_compared_at_once(counted: list[int]) -> None:
    """An ordinary edit: no line is long, but they are many, and each of them is another one."""
    lines = [f"result_{n} = compute(frame, column='c{n % 7}')" for n in range(1_500)]
    one, two = (new_code_cell(text, id="a") for text in ("\n".join(lines), "\n".join(lines)))
    two["source"] = two["source"].replace("frame", "table")
    assert compared(book(one), book(two)).operations


def test_many_texts_are_compared_at_once_each_of_which_is_short_enough(counted: list[int]) -> None:
    one, two = (
        [showing(text_html="\n".join(picture(seed + n, 90) for n in range(90))) for seed in seeds]
        for seeds in (range(0, 1_000, 100), range(1_000, 2_000, 100))
    )
    for number, cell in enumerate([*one, *two]):
        cell["id"] = f"c{number % 10}"
    assert compared(book(*one), book(*two)).operations


def test_a_long_line_that_was_changed_is_told_as_replaced() -> None:
    before, after = book(markdown(drawn(1))), book(markdown(drawn(2)))
    [cells] = compared(before, after).operations
    [cell] = cells["diff"]
    [source] = cell["diff"]
    line = drawn(2).splitlines(keepends=True)[1]
    assert source["diff"] == [
        {"op": "addrange", "key": 1, "valuelist": [line]},
        {"op": "removerange", "key": 1, "length": 1},
    ]


def test_a_short_line_beside_a_long_one_is_told_by_its_letters() -> None:
    before = book(markdown(drawn(1)))
    found = compared(before, book(markdown(drawn(1).replace("Plan", "Plane"))))
    [source] = found.operations[0]["diff"][0]["diff"]
    assert source["diff"] == [
        {"op": "patch", "key": 0, "diff": [{"op": "addrange", "key": 6, "valuelist": "e"}]}
    ]
    assert "+  # Plane" in found.as_text().split("\n")


def test_a_cell_without_an_id_is_known_by_its_long_line() -> None:
    """Most of its letters are the same ones: it is no other cell."""
    one, two = (markdown(drawn(1) + end) for end in ("", "!"))
    del one["id"], two["id"]
    before, after = (
        nbformat.writes(new_notebook(cells=[cell], nbformat_minor=4)).encode()
        for cell in (one, two)
    )
    [operation] = compared(before, after).operations
    assert [inner["op"] for inner in operation["diff"]] == ["patch"]


def test_a_notebook_without_long_texts_is_given_to_nbdime_as_it_is() -> None:
    one, two = (
        nbformat.from_dict(json.loads(book(markdown(text), showing(text_plain=text))))
        for text in ("a = 1\n" * 100, "b = 2\n" * 100)
    )
    books = Abridgement(one, two).books
    assert books[0] is one
    assert books[1] is two


LOOKS = "\U000f0001" * 64
texts = st.lists(
    st.sampled_from(
        ["", "a\n", "b\r\n", "a\rc", "é\n", "# Plan\n", "w" * 3_000 + "\n", "v" * 2_100, LOOKS]
    ),
    max_size=8,
).map("".join)
values = st.one_of(texts, st.lists(st.sampled_from([1, "a", ONE]), max_size=3), st.just([0] * 301))


@settings(max_examples=60, deadline=None)
@given(texts, texts, st.tuples(values, values), st.booleans())
def test_a_diff_of_long_texts_applied_to_the_first_state_gives_the_second(
    one: str, two: str, kept: tuple[Any, Any], same: bool
) -> None:
    """Wherever they stand in a notebook, and whatever else is there."""
    before, after = (
        book(markdown(text), showing(text_html=text, application_json=value), kept=value)
        for text, value in zip((one, two), kept, strict=True)
    )
    after = before if same else after
    assert compared(before, after).differs == (before != after)


lines = st.lists(st.sampled_from(["a\n", "b\n", "c\n", "dd\n", "e" * 30 + "\n", "\n", "f"]))


@settings(max_examples=150, deadline=None)
@given(lines, lines, st.booleans())
def test_a_diff_by_lines_makes_one_text_of_the_other(
    one: list[str], two: list[str], spent: bool
) -> None:
    """Also when no more letters may be compared."""
    budget = LetterBudget()
    while spent and budget.takes(1_000_000):
        pass
    before, after = "".join(one), "".join(two)
    found = diff_long_texts(before, after, budget)
    assert patch(before, to_diffentry_dicts(found)) == after
    assert bool(found) == (before != after)
