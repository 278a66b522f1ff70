"""The exit statuses: one table, complete, and the same wherever it is shown."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jupyter_rewind import errors
from jupyter_rewind.faces.cli import statuses


def _tree(kind: type[errors.RewindError]) -> Iterator[type[errors.RewindError]]:
    for each in kind.__subclasses__():
        if each.__module__ == errors.__name__:
            yield each
            yield from _tree(each)


@pytest.mark.parametrize("kind", sorted(set(_tree(errors.RewindError)), key=lambda k: k.__name__))
def test_every_error_has_a_row(kind: type[errors.RewindError]) -> None:
    """Whatever goes wrong, the exit status says what kind of thing it was."""
    rows = [row for row in statuses.TABLE if kind in row.errors]
    assert [row.status for row in rows] == [statuses.status_of(kind("x"))]


def test_statuses_are_numbered_without_a_gap() -> None:
    """A script can rely on 0 to 7."""
    assert [row.status.value for row in statuses.TABLE] == list(range(8))


def test_an_unknown_exception_is_a_bug_of_ours() -> None:
    """What we did not foresee is our fault, not the user's."""
    assert statuses.status_of(KeyError("x")) is statuses.Status.BUG


def test_the_forms_of_the_table_hold_every_row() -> None:
    """The help and the docs leave nothing out."""
    for row in statuses.TABLE:
        assert f"{row.status.value}  {row.meaning}" in statuses.as_text()
        assert f"| {row.status.value} | {row.meaning} |" in statuses.as_markdown()
