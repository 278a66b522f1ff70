"""The command line and the REST interface tell the same of one store, damage included."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.faces.server.support import Client, notebook, written
from tests.faces.server.test_rest import check
from tests.support.images import tell_of_image

COMMAND = [sys.executable, "-m", "jupyter_rewind.faces.cli.app"]


class Both:
    """One store, asked through the running server and through the command."""

    def __init__(self, client: Client, folder: Path) -> None:
        self.client = client
        self.segments = folder / "store" / "segments"
        self._environment = os.environ | {
            "JUPYTER_REWIND_STORE_PATH": str(folder / "store"),
            "JUPYTER_REWIND_STORE_KEY_FOLDER": str(folder / "keys"),
            "JUPYTER_REWIND_STORE_DURABILITY": "process",
        }

    async def rest(self, method: str, noun: str, **options: Any) -> dict[str, Any]:
        """An answer of the server, which is as it is described."""
        status, answer = await self.client.rewind(method, noun, **options)
        assert status in (200, 201), answer
        check(method, noun, status, answer)
        return dict(answer)

    async def command(self, *words: str) -> dict[str, Any]:
        """The data of a command's `--json`."""
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            *words,
            "--json",
            env=self._environment,
            cwd=self.client.root,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert out, err.decode()
        return dict(json.loads(out)["data"])

    async def keep_elsewhere(self, path: str, source: str) -> Path:
        """The command keeps a new state of `path`; the file of the store that holds it."""
        before = set(self.segments.iterdir())
        self.client.file(path).write_bytes(written(notebook(source)))
        assert (await self.command("checkpoint", path))["created"]
        [segment] = set(self.segments.iterdir()) - before
        return segment


@pytest.fixture
def both(client: Client, tmp_path: Path) -> Both:
    # On a busy machine its own look at what changed would be quicker than the command.
    client.service.heartbeat.stop()
    return Both(client, tmp_path)


async def told_lost(both: Both, path: str, *, newest_first: bool) -> list[str]:
    """What both say is lost of a history: in the list, for each one, and to Jupyter's own list."""
    order = str(newest_first).lower()
    rest = await both.rest("GET", "history", path=path, newest_first=order, limit=2)
    words = ["history", path, "--limit", "2", *([] if newest_first else ["--oldest-first"])]
    told = await both.command(*words)
    assert rest["lost"] == told["lost"]
    every = await both.rest("GET", "history", path=path, newest_first=order)
    flags = {each["id"]: each["readable"] for each in every["checkpoints"]}
    assert [name for name, readable in flags.items() if not readable] == rest["lost"]
    assert {each["id"]: each["readable"] for each in await both.client.checkpoints(path)} == flags
    for name, readable in flags.items():
        one = await both.rest("GET", "checkpoint", path=path, ref=name)
        assert one["readable"] is readable
    return list(rest["lost"])


async def test_both_tell_of_process_images_in_a_history(both: Both, tmp_path: Path) -> None:
    """Of the notebook's own kernels, in the order that was asked for."""
    await both.client.put("a.ipynb", notebook("first = 1"))
    await both.client.checkpoints("a.ipynb")
    file = both.client.file("a.ipynb")
    assert (await both.rest("GET", "history", path="a.ipynb"))["images"] == []
    for name, time_ns in (("a.ipynb", 1), ("b.ipynb", 2), ("a.ipynb", 3)):
        tell_of_image(tmp_path / "store", tmp_path / "keys", file.with_name(name), time_ns)
    for order, times in (("true", [3, 1]), ("false", [1, 3])):
        rest = await both.rest("GET", "history", path="a.ipynb", newest_first=order, limit=1)
        words = ["history", "a.ipynb", *([] if order == "true" else ["--oldest-first"])]
        told = await both.command(*words)
        assert [each["time_ns"] for each in rest["images"]] == times
        assert [each | {"path": "a.ipynb"} for each in told["images"]] == rest["images"]


async def test_both_tell_which_checkpoints_are_lost(both: Both) -> None:
    """A checkpoint whose content went with a file of the store is lost in every list, and readable
    again when the file is back."""
    client = both.client
    await client.put("a.ipynb", notebook("first = 1"))
    assert len(await client.checkpoints("a.ipynb")) == 1
    segment = await both.keep_elsewhere("a.ipynb", "second = 2")
    await client.put("a.ipynb", notebook("third = 3"))
    middle = (await client.history("a.ipynb"))[1]["id"]
    assert await told_lost(both, "a.ipynb", newest_first=True) == []
    away = segment.with_name("away")
    segment.rename(away)
    assert await told_lost(both, "a.ipynb", newest_first=True) == [middle]
    assert await told_lost(both, "a.ipynb", newest_first=False) == [middle]
    away.rename(segment)
    assert await told_lost(both, "a.ipynb", newest_first=False) == []


async def test_both_tell_what_a_salvage_gave_up(both: Both) -> None:
    """What a salvage could not keep is lost to both, from then on."""
    client = both.client
    await client.put("a.ipynb", notebook("first = 1"))
    assert len(await client.checkpoints("a.ipynb")) == 1
    segment = await both.keep_elsewhere("a.ipynb", "second = 2")
    # With what is lost still in the file, the server's next look would heal it.
    await client.put("a.ipynb", notebook("third = 3"))
    middle = (await client.history("a.ipynb"))[1]["id"]
    segment.unlink()
    await both.command("salvage")
    assert await told_lost(both, "a.ipynb", newest_first=True) == [middle]


@pytest.mark.parametrize("face", ["rest", "command"])
async def test_both_tell_what_an_undelete_passed_over(both: Both, face: str) -> None:
    """The newest state that reads is back, and the newer ones that do not are named."""
    client = both.client
    await client.put("a.ipynb", notebook("first = 1"))
    raw = client.file("a.ipynb").read_bytes()
    assert len(await client.checkpoints("a.ipynb")) == 1
    segment = await both.keep_elsewhere("a.ipynb", "second = 2")
    lost = (await client.history("a.ipynb"))[1]["id"]
    await client.delete("a.ipynb")
    # Asked for, so that what was deleted is in the store before it is damaged.
    assert (await client.history("a.ipynb"))[-1]["id"] == lost
    segment.unlink()
    if face == "rest":
        told = await both.rest("POST", "undelete", body={"path": "a.ipynb"})
    else:
        told = await both.command("undelete", "a.ipynb")
    assert told["lost"] == [lost]
    assert client.file("a.ipynb").read_bytes() == raw
    restored = await both.rest(
        "POST", "restore", body={"path": "a.ipynb", "ref": told["checkpoint"]["id"]}
    )
    assert restored["lost"] == []


async def test_both_tell_from_where_a_label_moved(both: Both) -> None:
    """Whoever gives a label away again hears which checkpoint had it."""
    client = both.client
    ids = []
    for number in range(4):
        await client.put("a.ipynb", notebook(f"x = {number}"))
        ids.append((await client.checkpoints("a.ipynb"))[-1]["id"])
    body = {"path": "a.ipynb", "ref": ids[0], "label": "good"}
    assert (await both.rest("POST", "labels", body=body))["moved_from"] is None
    told = await both.command("label", "a.ipynb", ids[1], "good")
    assert told["moved_from"] == ids[0]
    told = await both.rest("POST", "labels", body={**body, "ref": ids[2]})
    assert (told["moved_from"], told["labels"]) == (ids[1], ["good"])
    assert (await both.rest("POST", "labels", body={**body, "ref": ids[2]}))["moved_from"] is None
    made = await both.rest("POST", "checkpoint", body={"path": "a.ipynb", "label": "good"})
    assert (made["id"], made["moved_from"]) == (ids[3], ids[2])
    await client.put("a.ipynb", notebook("x = 4"))
    told = await both.command("checkpoint", "a.ipynb", "--label", "good")
    assert told["moved_from"] == ids[3]
