"""One table maps errors to HTTP statuses, and no error is missing in it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import pytest
from tornado.web import HTTPError

from jupyter_rewind.errors import RewindError
from jupyter_rewind.faces.server.statuses import STATUSES, Refusal, describe, status_of, words_of
from tests.faces.server.support import Client, notebook


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


async def test_a_refusal_names_a_file_with_a_percent_sign_as_it_is_called(client: Client) -> None:
    """By Jupyter's own interface as well as by ours, and in the command that brings it back."""
    path = "100%.ipynb"
    await client.put(path, notebook("x = 1"))
    status, refused = await client.put(path, notebook())
    assert (status, refused["message"][: len(path) + 1]) == (409, f"{path} ")
    status, gone = await client.restore(path, "0123456789abcdef")
    assert status == 404 and path in gone["message"]
    client.file(path).write_bytes(b"{")
    status, damaged = await client.ask("GET", "api/contents", path)
    assert status == 400 and f"{path} is damaged: " in damaged["message"]
    assert f"restore {shlex.quote(str(client.file(path)))} " in damaged["message"]


def test_jupyters_own_words_come_as_they_were_said() -> None:
    for error in (HTTPError(404, "100% gone"), HTTPError(404, "%d%% gone", 100)):
        assert words_of(error) == "100% gone"
    refusal = Refusal(404, "100% gone")
    assert words_of(refusal) == refusal.log_message == "100% gone"
    assert "100% gone" in str(refusal)
