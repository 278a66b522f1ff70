"""What Jupyter kept of a file that Rewind sees first when it is deleted or renamed."""

from __future__ import annotations

import pytest

from tests.faces.server.support import Client, notebook, written

OLD, NOW = written(notebook("old = 1")), written(notebook("now = 2"))


def _leave(client: Client, folder: str) -> None:
    """A notebook that nobody has seen, beside what stock Jupyter kept of it."""
    legacy = client.file(f"{folder}/.ipynb_checkpoints/n-checkpoint.ipynb")
    legacy.parent.mkdir(parents=True)
    legacy.write_bytes(OLD)
    client.file(f"{folder}/n.ipynb").write_bytes(NOW)


async def _undelete(client: Client, path: str) -> None:
    status, answer = await client.rewind("POST", "undelete", body={"path": path})
    assert status == 200, answer


@pytest.mark.parametrize("deleted", ["old/n.ipynb", "old"])
async def test_jupyters_own_copy_is_in_the_history_of_a_deleted_notebook(
    client: Client, deleted: str
) -> None:
    """Also where the copy goes with its folder. The newest state is what comes back."""
    _leave(client, "old")
    if deleted == "old":
        client.server.contents_manager.always_delete_dir = True
    status, answer = await client.delete(deleted)
    assert status == 204, answer
    await _undelete(client, "old/n.ipynb")
    assert client.file("old/n.ipynb").read_bytes() == NOW
    first, last = await client.checkpoints("old/n.ipynb")
    assert (first["reason"], last["reason"]) == ("imported", "before-delete")
    assert await client.content("old/n.ipynb", first["id"]) == OLD


async def test_jupyters_own_copy_goes_with_a_renamed_notebook(client: Client) -> None:
    _leave(client, "old")
    status, answer = await client.rename("old/n.ipynb", "old/m.ipynb")
    assert status == 200, answer
    [first] = await client.checkpoints("old/m.ipynb")
    assert await client.content("old/m.ipynb", first["id"]) == OLD
    assert client.file("old/.ipynb_checkpoints/n-checkpoint.ipynb").read_bytes() == OLD


async def test_a_known_notebook_takes_no_older_copy_in_when_it_is_deleted(client: Client) -> None:
    await client.put("n.ipynb", notebook("x = 1"))
    assert len(await client.checkpoints("n.ipynb")) == 1
    client.file(".ipynb_checkpoints").mkdir(exist_ok=True)
    client.file(".ipynb_checkpoints/n-checkpoint.ipynb").write_bytes(OLD)
    assert (await client.delete("n.ipynb"))[0] == 204
    await _undelete(client, "n.ipynb")
    assert len(await client.checkpoints("n.ipynb")) == 1
