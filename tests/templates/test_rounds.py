"""Back and on, many times: none hangs, none brings back anything else.

`-m long`; REWIND_ROUNDS says how many rounds, a thousand of which take most of an hour. How far it
has come is told.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

import pytest

from tests.support.templates import Templated, members

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(3 * 3600),
    pytest.mark.skipif(sys.platform != "linux", reason="templates are Linux's"),
]
ROUNDS = int(os.environ.get("REWIND_ROUNDS", "40"))
DEEPEST = 40
BEGIN = """
import threading, numpy
hold = threading.Event()
threading.Thread(target=hold.wait, daemon=True).start()
g = (n for n in range(10**9)); matrix = numpy.ones((300, 300)); next(g)
"""
GO_ON = "matrix = matrix @ matrix / 300; (next(g), float(matrix[0, 0]))"


def test_it_goes_back_as_often_as_one_likes(
    start: Callable[..., Templated], capsys: pytest.CaptureFixture[str]
) -> None:
    """Back to the first cell, and every tenth time on from a later one, deeper and deeper."""
    kernel = start(most=4)
    kernel.keep(BEGIN, 1)
    began, slowest, deep = time.monotonic(), 0.0, 0
    first = 1
    for number in range(1, ROUNDS + 1):
        assert kernel.run(GO_ON).result == f"({first}, 1.0)"
        kernel.keep(GO_ON, first + 2)
        target = first
        if number % 10 == 0 and deep < DEEPEST:
            target, deep = first + 2, deep + 1
        at = time.monotonic()
        kernel.go_back(target)
        slowest = max(slowest, time.monotonic() - at)
        first = target
        if number % 50 == 0:
            with capsys.disabled():
                rate = (time.monotonic() - began) / number
                print(f"{number} rounds, {rate:.2f} s each, slowest way back {slowest:.2f} s")
    assert len(members(kernel.group)) <= 4 + 2
