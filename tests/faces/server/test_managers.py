"""Every kind of contents manager: ours by default, the user's choice respected."""

from __future__ import annotations

import os
from typing import Any

import pytest

from jupyter_rewind.faces.server.checkpoints import AsyncRewindCheckpoints, RewindCheckpoints
from tests.faces.server.support import Client, notebook

SERVICES = "jupyter_server.services.contents"


def _manager(name: str) -> dict[str, Any]:
    return {"ServerApp": {"contents_manager_class": f"{SERVICES}.{name}"}}


@pytest.mark.parametrize(
    ("extra_config", "kind"),
    [
        ({}, AsyncRewindCheckpoints),
        (_manager("filemanager.AsyncFileContentsManager"), AsyncRewindCheckpoints),
        (_manager("filemanager.FileContentsManager"), RewindCheckpoints),
        (_manager("largefilemanager.LargeFileManager"), RewindCheckpoints),
    ],
    ids=["default", "async", "sync", "sync-large"],
)
async def test_every_file_manager_keeps_and_restores(client: Client, kind: type[Any]) -> None:
    """Save, list, checkpoint, restore, rename, delete and undelete work with each of them."""
    assert type(client.server.contents_manager.checkpoints) is kind
    await client.put("a.ipynb", notebook("x = 1"))
    raw = client.file("a.ipynb").read_bytes()
    await client.put("a.ipynb", notebook("x = 2"))
    made = await client.checkpoint("a.ipynb")
    found = await client.checkpoints("a.ipynb")
    assert [each["reason"] for each in found] == ["save", "manual"]
    assert made["id"] == found[-1]["id"]
    assert (await client.restore("a.ipynb", found[0]["id"]))[0] == 204
    assert client.file("a.ipynb").read_bytes() == raw
    await client.rename("a.ipynb", "b.ipynb")
    assert len(await client.checkpoints("b.ipynb")) == 3
    await client.delete("b.ipynb")
    status, answer = await client.rewind("POST", "undelete", body={"path": "b.ipynb"})
    assert status == 200, answer
    assert client.file("b.ipynb").read_bytes() == raw


@pytest.mark.parametrize(
    "extra_config",
    [
        {
            "FileContentsManager": {
                "checkpoints_class": f"{SERVICES}.filecheckpoints.AsyncFileCheckpoints"
            }
        }
    ],
)
async def test_a_class_the_user_chose_stays(client: Client) -> None:
    """With another checkpoints class in the configuration, saves are kept all the same."""
    await client.put("a.ipynb", notebook("x = 1"))
    await client.put("a.ipynb", notebook("x = 2"))
    (stock,) = await client.checkpoints("a.ipynb")
    assert stock["id"] == "checkpoint"
    # The copy that the first save made, as that class does, is no earlier state.
    assert [each["reason"] for each in await client.history("a.ipynb")] == ["save", "save"]
    await client.rename("a.ipynb", "b.ipynb")
    assert len(await client.history("b.ipynb")) == 2
    await client.delete("b.ipynb")
    _, answer = await client.rewind("GET", "deleted")
    assert [each["path"] for each in answer["deleted"]] == ["b.ipynb"]
    _, health = await client.rewind("GET", "health")
    assert (health["state"], health["checkpoints_class"]) == ("limited", False)


@pytest.mark.parametrize("rewind_settings", [{"store_durability": "sometimes"}])
async def test_a_mistake_in_the_settings_is_told_and_costs_no_save(client: Client) -> None:
    """With settings of the store that make no sense the server runs without Rewind, and says so."""
    assert (await client.put("a.ipynb", notebook("x = 1")))[0] == 201
    _, health = await client.rewind("GET", "health")
    assert health["state"] == "off"
    assert "durability" in health["store"]["error"]["message"]


@pytest.mark.parametrize("extra_config", [{"ContentsManager": {"allow_hidden": True}}])
async def test_hidden_files_are_kept_where_they_may_be_edited(client: Client) -> None:
    """A server that allows hidden files keeps theirs, too."""
    await client.put(".a.ipynb", notebook("x = 1"))
    assert len(await client.checkpoints(".a.ipynb")) == 1


async def test_starting_costs_little(jp_serverapp: Any) -> None:
    """Nothing that costs time is imported before the server runs."""
    import subprocess
    import sys

    script = (
        "import sys, jupyter_server.serverapp, nbformat, jupyter_rewind.faces.server.app;"
        "heavy = {'jupyter_rewind.store', 'nbdime', 'zstandard', 'blake3', 'rich', 'typer'};"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, env=os.environ
    )
    assert done.returncode == 0, done.stderr


async def test_a_preferred_folder_changes_nothing(client: Client) -> None:
    """Paths are those of the served folder, wherever the front end starts."""
    client.file("d").mkdir()
    client.server.contents_manager.preferred_dir = "d"
    await client.put("d/a.ipynb", notebook("x = 1"))
    assert len(await client.checkpoints("d/a.ipynb")) == 1
