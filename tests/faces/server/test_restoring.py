"""Restores through REST: what comes back, and what the answer says of it."""

from __future__ import annotations

import errno
import json
import os

import pytest

from tests.faces.server.support import Client, notebook, written
from tests.faces.server.test_rest import Checked


@pytest.fixture
def client(client: Client) -> Checked:
    return Checked(client.fetch, client.server, client.root)


async def test_restore_of_the_whole_and_of_single_cells(client: Client) -> None:
    """One cell goes back, the others stay; the whole file goes back; a file aside is written."""
    await client.put("a.ipynb", notebook("a = 1", "b = 1"))
    raw = client.file("a.ipynb").read_bytes()
    await client.put("a.ipynb", notebook("a = 2", "b = 2"))
    first = (await client.history("a.ipynb"))[0]["id"]
    body = {"path": "a.ipynb", "ref": first, "cells": ["c0"]}
    status, answer = await client.rewind("POST", "restore", body=body)
    assert status == 200, answer
    cells = json.loads(client.file("a.ipynb").read_bytes())["cells"]
    assert ["".join(cell["source"]) for cell in cells] == ["a = 1", "b = 2"]
    body = {"path": "a.ipynb", "ref": first, "output": "aside.ipynb"}
    assert (await client.rewind("POST", "restore", body=body))[1]["path"] == "aside.ipynb"
    assert client.file("aside.ipynb").read_bytes() == raw
    await client.rewind("POST", "restore", body={"path": "a.ipynb", "ref": first})
    assert client.file("a.ipynb").read_bytes() == raw


async def test_restore_of_no_cells_changes_nothing(client: Client) -> None:
    """An empty list of cells is refused in words: it does not mean the whole file."""
    await client.put("a.ipynb", notebook("a = 1"))
    await client.put("a.ipynb", notebook("a = 2"))
    raw, first = client.file("a.ipynb").read_bytes(), (await client.history("a.ipynb"))[0]["id"]
    body = {"path": "a.ipynb", "ref": first, "cells": []}
    status, answer = await client.rewind("POST", "restore", body=body)
    assert (status, answer["code"]) == (400, "invalid_input")
    assert "cells" in answer["message"]
    assert client.file("a.ipynb").read_bytes() == raw


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="Python sets attributes on Linux only")
async def test_what_a_restored_file_has_no_more_is_told(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes come first; an attribute that the system will not take anew is named."""
    for source in ("x = 1", "x = 2"):
        await client.put("a.ipynb", notebook(source))
    try:
        os.setxattr(client.file("a.ipynb"), "user.origin", b"mine")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    body = {"path": "a.ipynb", "ref": "head~1"}
    _, answer = await client.rewind("POST", "restore", body=body)
    assert answer["not_kept"] == []

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no room")

    monkeypatch.setattr(os, "setxattr", refuse)
    status, answer = await client.rewind("POST", "restore", body=body)
    assert (status, answer["not_kept"]) == (200, ["attribute user.origin"])


async def test_a_restore_claims_no_checkpoint_of_timings(client: Client) -> None:
    """Where only timings differ, what was there is told as nearly kept; else it is a checkpoint."""
    for source in ("x = 1", "x = 2"):
        await client.put("a.ipynb", notebook(source))
    timed = notebook("x = 2")
    timed["cells"][0]["metadata"] = {"execution": {"iopub.status.busy": "2026-01-01T00:00:00Z"}}
    client.file("a.ipynb").write_bytes(written(timed))
    body = {"path": "a.ipynb", "ref": "head"}
    _, answer = await client.rewind("POST", "restore", body=body)
    assert (answer["kept_nearly"], answer["condition"]["state"]) == (True, "ok")
    _, answer = await client.rewind("POST", "restore", body={**body, "ref": "head~1"})
    assert answer["kept_nearly"] is False


async def test_a_restore_of_a_damaged_state_says_so(client: Client) -> None:
    """You get what you asked for, and are told what is wrong with it and which state is whole."""
    await client.put("a.ipynb", notebook("x = 1"))
    await client.checkpoints("a.ipynb")
    client.file("a.ipynb").write_bytes(b"")
    assert (await client.rewind("POST", "checkpoint", body={"path": "a.ipynb"}))[0] == 201
    whole, empty = [each["id"] for each in await client.history("a.ipynb")]
    body = {"path": "a.ipynb", "ref": whole}
    _, answer = await client.rewind("POST", "restore", body=body)
    assert answer["condition"] == {"state": "ok", "words": "", "last_good": None}
    _, answer = await client.rewind("POST", "restore", body={**body, "ref": empty})
    assert client.file("a.ipynb").read_bytes() == b""
    assert answer["condition"]["state"] == "empty"
    assert answer["condition"]["words"] == "a.ipynb is empty: the file has 0 bytes."
    good = await client.content("a.ipynb", answer["condition"]["last_good"])
    assert good == written(notebook("x = 1"))
    _, answer = await client.rewind("POST", "restore", body={**body, "output": "then.ipynb"})
    assert answer["condition"]["state"] == "ok"
