"""One table maps errors to HTTP statuses, and no error is missing in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jupyter_rewind.errors import RewindError
from jupyter_rewind.faces.server.statuses import STATUSES, describe, status_of


def _tree(kind: type[RewindError]) -> Iterator[type[RewindError]]:
    for below in kind.__subclasses__():
        if below.__module__ == "jupyter_rewind.errors":
            yield below
            yield from _tree(below)


@pytest.mark.parametrize("kind", list(_tree(RewindError)), ids=lambda kind: kind.__name__)
def test_every_error_has_a_row_of_its_own(kind: type[RewindError]) -> None:
    """Whatever fails, the answer's status was chosen and did not just happen."""
    assert kind in STATUSES
    assert status_of(kind("It failed.")) is STATUSES[kind]


def test_a_body_tells_code_message_hint_and_whether_to_try_again() -> None:
    """Front ends can show words and programs can decide."""
    error = RewindError("It failed.", code="odd", hint="Try later.", retryable=True)
    assert describe(error) == {
        "code": "odd",
        "message": "It failed.",
        "hint": "Try later.",
        "retryable": True,
    }
