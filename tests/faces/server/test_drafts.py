"""Edits that a browser hands over before they are saved, against a real server."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from pycrdt import Doc, Map, Text

from jupyter_rewind.notebooks.drafts import claim_of
from tests.faces.server.support import Client, notebook, written
from tests.faces.server.test_rest import Checked

NAME = "0123456789abcdef" * 2
OTHER = "fedcba9876543210" * 2


@pytest.fixture
def client(client: Client) -> Checked:
    return Checked(client.fetch, client.server, client.root)


class Editor:
    """What a browser does: a document of its own, whose updates it sends."""

    def __init__(self) -> None:
        self.doc: Any = Doc()
        self._sent = self.doc.get_state()

    def type(self, cell: int, text: str) -> None:
        cells = self.doc.get("cells", type=Map)
        if str(cell) not in cells:
            cells[str(cell)] = Map({"source": Text(text)})
            return
        source = cells[str(cell)]["source"]
        source += text

    def update(self) -> str:
        raw = self.doc.get_update(self._sent)
        self._sent = self.doc.get_state()
        return base64.b64encode(raw).decode()

    def whole(self) -> str:
        return base64.b64encode(self.doc.get_update()).decode()


async def begin(client: Client, editor: Editor, raw: bytes, **more: Any) -> tuple[int, Any]:
    told = claim_of(raw)
    claim = {"cells": told.cells, "crc": told.crc, "sha256": told.sha256}
    body = {"path": "a.ipynb", "draft": NAME, "base": claim, "update": editor.whole()} | more
    return await client.rewind("POST", "drafts", body=body)


async def the_drafts(client: Client) -> list[dict[str, Any]]:
    status, found = await client.rewind("GET", "drafts", path="a.ipynb")
    assert status == 200, found
    return list(found["drafts"])


async def draft(client: Client, method: str, name: str = NAME, **options: Any) -> tuple[int, Any]:
    """Asks about one draft; the answer is checked by hand, for its address varies."""
    if "body" not in options:
        options["path"] = "a.ipynb"
    return await Client.rewind(client, method, f"drafts/{name}", **options)


async def sources(client: Client, name: str = NAME) -> list[str]:
    status, found = await draft(client, "GET", name)
    assert status == 200, found
    return [cell["source"] for cell in found["notebook"]["cells"]]


async def test_edits_are_there_as_a_notebook_before_anybody_saved(client: Checked) -> None:
    """What you typed is on the server, upon the file that you had opened; the file is untouched."""
    await client.put("a.ipynb", notebook("x = 1", "y = 2"))
    raw = client.file("a.ipynb").read_bytes()
    editor = Editor()
    editor.type(1, "y = 2\nz")
    status, made = await begin(client, editor, raw)
    assert (status, made["updates"], made["ended"]) == (201, 1, "")
    editor.update()
    editor.type(1, " = 3")
    update = editor.update()
    assert len(update) < 100
    status, grown = await draft(client, "POST", body={"path": "a.ipynb", "update": update})
    assert (status, grown["updates"]) == (200, 2)
    assert await sources(client) == ["x = 1", "y = 2\nz = 3"]
    assert client.file("a.ipynb").read_bytes() == raw
    [told] = await the_drafts(client)
    assert (told["unsaved"], told["cells"], told["problem"]) == (True, 1, "")


async def test_an_update_sent_twice_is_there_once(client: Checked) -> None:
    """A reply was lost, the browser sent again: nothing is doubled."""
    await client.put("a.ipynb", notebook("x = 1"))
    raw = client.file("a.ipynb").read_bytes()
    editor = Editor()
    editor.type(0, "x")
    for _ in range(2):
        assert (await begin(client, editor, raw))[0] == 201
    editor.update()
    editor.type(0, " = 5")
    update = editor.update()
    for _ in range(3):
        await draft(client, "POST", body={"path": "a.ipynb", "update": update})
    assert await sources(client) == ["x = 5"]
    assert len(await the_drafts(client)) == 1
    body = {"path": "a.ipynb", "update": editor.whole(), "whole": True}
    _, compacted = await draft(client, "POST", body=body)
    assert compacted["updates"] == 1
    assert await sources(client) == ["x = 5"]


async def test_a_base_that_nobody_knows_is_asked_for(client: Checked) -> None:
    """The file changed under the browser before Rewind saw it: the browser sends what it has."""
    await client.put("a.ipynb", notebook("x = 1"))
    editor = Editor()
    editor.type(0, "mine")
    status, refused = await begin(client, editor, written(notebook("never", "seen")))
    assert (status, refused["code"]) == (409, "unknown_base")
    assert await the_drafts(client) == []
    status, made = await begin(
        client, editor, b'{"cells": []}', content=dict(notebook("never", "seen"))
    )
    assert (status, made["checkpoint"]) == (201, None)
    assert await sources(client) == ["mine", "seen"]


async def test_a_base_that_was_overwritten_is_found_in_the_history(client: Checked) -> None:
    """You edit what you opened, somebody saved over it: your edits stand upon what you saw."""
    await client.put("a.ipynb", notebook("x = 1", "y = 1"))
    raw = client.file("a.ipynb").read_bytes()
    await client.put("a.ipynb", notebook("theirs"))
    editor = Editor()
    editor.type(1, "mine")
    assert (await begin(client, editor, raw))[0] == 201
    assert await sources(client) == ["x = 1", "mine"]


async def test_a_draft_that_was_saved_says_so_and_can_go(client: Checked) -> None:
    """The save holds it all: nothing is offered; discarding it leaves nothing behind."""
    await client.put("a.ipynb", notebook("x = 1"))
    editor = Editor()
    editor.type(0, "x = 2")
    await begin(client, editor, client.file("a.ipynb").read_bytes())
    await client.put("a.ipynb", notebook("x = 2"))
    [told] = await the_drafts(client)
    assert told["unsaved"] is False
    assert (await draft(client, "DELETE"))[0] == 204
    assert await the_drafts(client) == []
    status, gone = await draft(client, "DELETE")
    assert (status, gone["code"]) == (404, "unknown_draft")


async def test_a_draft_follows_its_notebook(client: Checked) -> None:
    """Renamed in between: the edits are found under the new name, and no more under the old."""
    await client.put("a.ipynb", notebook("x = 1"))
    editor = Editor()
    editor.type(0, "x = 2")
    await begin(client, editor, client.file("a.ipynb").read_bytes())
    await client.rename("a.ipynb", "b.ipynb")
    _, found = await client.rewind("GET", "drafts", path="b.ipynb")
    assert [each["draft"] for each in found["drafts"]] == [NAME]
    _, every = await client.rewind("GET", "drafts")
    assert [each["path"] for each in every["drafts"]] == ["b.ipynb"]


async def test_another_notebooks_draft_is_not_shown(client: Checked) -> None:
    """A draft's name alone opens nothing: it must be asked for with its notebook."""
    await client.put("a.ipynb", notebook("x = 1"))
    await client.put("b.ipynb", notebook("x = 1"))
    editor = Editor()
    editor.type(0, "secret")
    await begin(client, editor, client.file("a.ipynb").read_bytes())
    status, answer = await Client.rewind(client, "GET", f"drafts/{NAME}", path="b.ipynb")
    assert status == 404
    assert "secret" not in json.dumps(answer)


async def test_the_difference_to_the_file_is_nbdimes(client: Checked) -> None:
    """Compare shows what restoring would change in the file as it is now."""
    await client.put("a.ipynb", notebook("x = 1", "y = 1"))
    editor = Editor()
    editor.type(0, "x = 2")
    await begin(client, editor, client.file("a.ipynb").read_bytes())
    status, found = await Client.rewind(client, "GET", f"drafts/{NAME}/diff", path="a.ipynb")
    assert (status, found["differs"]) == (200, True)
    assert found["diff"][0]["key"] == "cells"
    assert [each["key"] for each in found["diff"][0]["diff"]] == [0]


async def test_damaged_updates_are_refused_or_counted(client: Checked) -> None:
    """Nonsense instead of an update costs itself alone; what came before and after stands."""
    await client.put("a.ipynb", notebook("x = 1"))
    editor = Editor()
    editor.type(0, "x")
    status, refused = await begin(client, editor, b'{"cells": []}', update="%%%")
    assert (status, refused["code"]) == (400, "invalid_input")
    await begin(client, editor, client.file("a.ipynb").read_bytes())
    nonsense = base64.b64encode(b"\xff" * 40).decode()
    await draft(client, "POST", body={"path": "a.ipynb", "update": nonsense})
    editor.update()
    editor.type(0, " = 3")
    await draft(client, "POST", body={"path": "a.ipynb", "update": editor.update()})
    _, found = await draft(client, "GET")
    assert found["notebook"]["cells"][0]["source"] == "x = 3"
    assert found["lost"] == 1


async def test_a_draft_that_ended_goes_on_when_somebody_writes_to_it(client: Checked) -> None:
    """Closed, and then a late update arrives: it counts, and the draft is open again."""
    await client.put("a.ipynb", notebook("x = 1"))
    editor = Editor()
    editor.type(0, "x")
    await begin(client, editor, client.file("a.ipynb").read_bytes())
    _, ended = await draft(client, "POST", body={"path": "a.ipynb", "ended": "closed"})
    assert ended["ended"] == "closed"
    editor.update()
    editor.type(0, "!")
    _, open_again = await draft(client, "POST", body={"path": "a.ipynb", "update": editor.update()})
    assert open_again["ended"] == ""
    assert await sources(client) == ["x!"]
