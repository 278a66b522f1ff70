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
    assert answer["message"].startswith("a.ipynb was not saved: it would have no cells, and")
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
    assert "was not saved: it would have no cells" not in str(answer)


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


async def test_a_script_that_is_renamed_with_its_notebook_is_not_deleted(client: Client) -> None:
    """Where the two are paired, both histories go on under the new name at once."""
    name = {"language": "python", "display_name": "Python 3", "name": "python3"}
    nb = notebook("x = 1")
    nb["metadata"] = {"kernelspec": name, "jupytext": {"formats": "ipynb,py:percent"}}
    assert (await client.put("a.ipynb", nb))[0] == 201
    script = client.file("a.py").read_bytes()
    await client.ask("PUT", "api/contents", "a.py", body=as_notebook("x = 2"))
    before = [one["id"] for one in await client.checkpoints("a.py")]
    assert before
    status, _ = await client.ask("PATCH", "api/contents", "a.ipynb", body={"path": "b.ipynb"})
    assert status == 200
    assert client.file("b.py").exists()
    assert not client.file("a.py").exists()
    assert [one["id"] for one in await client.checkpoints("b.py")] == before
    assert await client.content("b.py", before[0]) == script
    status, answer = await client.rewind("GET", "deleted")
    assert (status, answer["deleted"]) == (200, [])


async def test_a_script_opened_as_a_notebook_is_not_emptied(client: Client) -> None:
    """A front end that lost its cells must not save nothing over a script; a script without any
    code may be saved as often as you like."""
    script = b"# ---\n# jupyter:\n#   jupytext:\n#     formats: py:percent\n# ---\n\n# %%\nx = 1\n"
    client.file("s.py").write_bytes(script)
    status, answer = await client.ask("PUT", "api/contents", "s.py", body=as_notebook())
    assert status == 409
    assert answer["message"].startswith("s.py was not saved: it would have no cells, and")
    assert client.file("s.py").read_bytes() == script
    client.file("new.py").write_bytes(script[: script.index(b"# %%")])
    for _ in range(2):
        status, _ = await client.ask("PUT", "api/contents", "new.py", body=as_notebook())
        assert status == 200


def as_notebook(*sources: str) -> dict[str, Any]:
    return {"type": "notebook", "format": "json", "content": notebook(*sources)}
