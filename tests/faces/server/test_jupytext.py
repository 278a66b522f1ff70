"""With Jupytext's contents managers, which read and write notebooks as text as well."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from tests.faces.server.support import Client, notebook, written

PLAIN: dict[str, Any] = {
    "ServerApp": {"jpserver_extensions": {"jupyter_rewind": True, "jupyterlab_jupytext": True}}
}
CONFIGURATIONS = {
    "extension": PLAIN,
    "paired": {**PLAIN, "JupytextContentsManager": {"formats": "ipynb,py:percent"}},
    "sync": {"ServerApp": {"contents_manager_class": "jupytext.TextFileContentsManager"}},
}
pytestmark = pytest.mark.parametrize(
    "extra_config", CONFIGURATIONS.values(), ids=CONFIGURATIONS.keys()
)


async def test_a_refusal_is_told_as_such(client: Client) -> None:
    """A notebook that would be emptied is refused with 409 and our words, not with a fault."""
    manager = type(client.server.web_app.settings["contents_manager"])
    assert "jupytext" in manager.__module__
    await client.put("a.ipynb", notebook("x = 1"))
    raw = client.file("a.ipynb").read_bytes()
    status, answer = await client.put("a.ipynb", notebook())
    assert status == 409
    assert answer["message"].startswith("a.ipynb was not saved: it would be empty, and")
    assert client.file("a.ipynb").read_bytes() == raw
    assert (await client.put("a.ipynb", notebook("x = 2")))[0] == 200


async def test_a_full_disk_is_told_as_such(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A save for which there is no room is refused with 507 before the file is touched."""
    await client.put("a.ipynb", notebook("x = 1"))
    raw = client.file("a.ipynb").read_bytes()
    full = shutil.disk_usage("/")._replace(free=1000)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: full)
        status, answer = await client.put("a.ipynb", notebook("x = 2"))
    assert status == 507
    assert answer["message"].startswith("a.ipynb was not saved: the disk is full")
    assert client.file("a.ipynb").read_bytes() == raw


async def test_faults_of_others_stay_theirs(client: Client) -> None:
    """What is refused by somebody else is told as it was."""
    status, answer = await client.put("no/such/folder/a.ipynb", notebook("x = 1"))
    assert status >= 400
    assert "was not saved: it would be empty" not in str(answer)


async def test_saves_are_kept_and_come_back(client: Client) -> None:
    """Saves of a notebook, and of a script opened as one, are checkpoints and come back."""
    await client.put("a.ipynb", notebook("x = 1"))
    raw = client.file("a.ipynb").read_bytes()
    await client.put("a.ipynb", notebook("x = 2"))
    first, _ = await client.checkpoints("a.ipynb")
    assert (await client.rewind("POST", "restore", body={"path": "a.ipynb", "ref": first["id"]}))[
        0
    ] == 200
    assert client.file("a.ipynb").read_bytes() == raw
    script = b"# %%\nx = 1\n"
    client.file("s.py").write_bytes(script)
    body = {"type": "notebook", "format": "json", "content": notebook("x = 2")}
    assert (await client.ask("PUT", "api/contents", "s.py", body=body))[0] == 200
    before, after = await client.checkpoints("s.py")
    assert await client.content("s.py", before["id"]) == script
    assert await client.content("s.py", after["id"]) == client.file("s.py").read_bytes()


async def test_a_damaged_notebook_is_explained(client: Client) -> None:
    """One that does not open is refused with what is wrong."""
    client.file("a.ipynb").write_bytes(written(notebook("x = 1"))[:50])
    status, answer = await client.ask("GET", "api/contents", "a.ipynb")
    assert status == 400
    assert "cut short" in answer["message"]
