"""What a variable's preview tells of its value."""

from __future__ import annotations

import time
from typing import Any

import pytest

from jupyter_rewind.kernels.preview import preview


class Loud:
    """Whoever asks it for words runs the user's code."""

    def __repr__(self) -> str:
        raise AssertionError("its repr ran")

    __str__ = __repr__


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([], "0 items"),
        ([7], "1 item: 7"),
        ([3, 1.5, None], "3 items: 3, 1.5, None"),
        (("a", b"b"), "2 items: 'a', b'b'"),
        ({"x": 1, 2: "two"}, "2 items: 'x': 1, 2: 'two'"),
        ([1, Loud()], "2 items: 1, …"),
        ([Loud(), 1], "2 items"),
        ([[1, 2], 3], "2 items"),
        ({"x": Loud()}, "1 item"),
        ({3, 1}, "2 items"),
        (["y" * 50], "1 item: 'yyyyyyyyyyyyyyyyyy…"),
    ],
)
def test_the_first_items_are_shown(value: Any, words: str) -> None:
    """A list of numbers is told by its numbers; no code of the user's runs for that."""
    assert preview(value) == words


def test_a_preview_stays_short_and_quick() -> None:
    """A million items are not gone through, and no more than sixty characters are told."""
    began = time.perf_counter()
    words = preview(list(range(1_000_000)))
    assert words == "1000000 items: 0, 1, 2, 3, 4, 5, 6, 7, …"
    words = preview({"k" * 10**6: "v" * 10**6, 1: 2, 3: 4})
    assert words == f"3 items: '{'k' * 18}…: '{'v' * 18}…, 1: 2, …"
    assert time.perf_counter() - began < 5
