"""What other programs do in the same store reaches who listens to this server's events."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from jupyter_rewind.settings import Settings
from jupyter_rewind.workspace import Workspace
from tests.faces.server.support import BROWSER, Client, eventually, notebook

EVENTS = "https://schema.jupyter.org/jupyter_rewind/checkpoint/v1"
Heard = list[dict[str, Any]]


@pytest.fixture
def heard(client: Client) -> Heard:
    """The events of checkpoints, as they come."""
    found: Heard = []

    async def listen(logger: Any, schema_id: str, data: dict[str, Any]) -> None:
        found.append(data)

    client.server.event_logger.add_listener(schema_id=EVENTS, listener=listen)
    return found


def told(heard: Heard, action: str) -> list[str]:
    return [each["checkpoint"] for each in heard if each["action"] == action]


async def test_a_save_that_takes_an_autosave_over_is_told(client: Client, heard: Heard) -> None:
    """The user saves what an autosave kept: no second checkpoint, but listeners hear of it."""
    await client.put("a.ipynb", notebook("x = 1"), agent=BROWSER)
    [made] = await client.checkpoints("a.ipynb")
    await client.checkpoint("a.ipynb")
    await eventually(lambda: told(heard, "marked"))
    last = [(each["action"], each["checkpoint"], each["reason"]) for each in heard]
    assert last == [("created", made["id"], "autosave"), ("marked", made["id"], "manual")]


async def test_labels_and_pins_are_told(client: Client, heard: Heard) -> None:
    """Who gives or takes a mark tells all others; a label that moves is told of both."""
    await client.put("a.ipynb", notebook("x = 1"))
    await client.put("a.ipynb", notebook("x = 2"))
    first, second = (each["id"] for each in await client.checkpoints("a.ipynb"))
    for ref in (first, second):
        await client.rewind("POST", "labels", body={"path": "a.ipynb", "ref": ref, "label": "mine"})
    await client.rewind("DELETE", "labels", path="a.ipynb", ref=second, label="mine")
    await client.rewind("POST", "pins", body={"path": "a.ipynb", "ref": first})
    await eventually(lambda: len(told(heard, "marked")) >= 5)
    assert told(heard, "marked") == [first, second, first, second, first]


@pytest.mark.parametrize("rewind_settings", [{"notebooks_scan_seconds": 1}])
async def test_what_others_do_is_told(client: Client, heard: Heard, tmp_path: Path) -> None:
    """The command line labels, restores and expires beside the server: listeners hear of each
    once, and of what the server did itself once, too."""
    for number in range(6):
        await client.put("a.ipynb", notebook(f"x = {number}"))
    ids = [each["id"] for each in await client.history("a.ipynb")]
    await eventually(lambda: client.service.follower.is_following)
    file = str(client.file("a.ipynb"))
    store = {"store.path": str(tmp_path / "store"), "store.key_folder": str(tmp_path / "keys")}
    with Workspace.open(Settings.load(store)) as other:
        other.label(file, ids[1], "by others")
        await eventually(lambda: ids[1] in told(heard, "marked"))
        back = other.restore(file, ids[2]).checkpoint
        assert back is not None
        await eventually(lambda: back.id in told(heard, "restored"))
    policy = ("keep_last=2", "hourly=0", "daily=0", "weekly=0")
    words = [f"--set={key}={value}" for key, value in store.items()]
    words += [f"--set=retention.{each}" for each in policy]
    await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "jupyter_rewind.faces.cli.app", "expire", "--yes", *words],
        check=True,
        capture_output=True,
    )
    gone = [ids[0], *ids[2:5]]
    await eventually(lambda: len(told(heard, "expired")) >= len(gone))
    assert told(heard, "expired") == gone
    assert set(Counter(map(str, heard)).values()) == {1}
    assert {each["path"] for each in heard} == {"a.ipynb"}
